"""What is in the state of a task: records by table and by layout, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agents.inspection.checks import Checks, Finding
from agents.inspection.meta import read_meta
from agents.inspection.tables import KINDS, Kind
from agents.stages.tasks import STATE_FORMS
from streams.errors import OperationalError
from streams.layouts.layout import FIRST, Layout, LayoutError, number_in
from streams.state.rocksdb import StateError
from streams.state.rocksdb_view import RocksView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from streams.state.rocksdb_view import Item

_WHERE = "give the --state-dir, --topic-prefix and --application-id of the workers"


class LayoutUse(msgspec.Struct, frozen=True):
    """The records of a table that are written in one layout.

    Attributes
    ----------
    name
        Of the kind of record.
    number
        Of the layout as eight hexadecimal digits, `None` for that of the first release.
    is_present
        Whether it is this version's.
    fields, record_bytes
        How many fields the layout has, and the size of a record; `None` where it is not known.
    records
        How many records are written in it; none, where the state only tells of it.
    """

    name: str
    number: str | None
    is_present: bool
    fields: int | None
    record_bytes: int | None
    records: int


class TableContents(msgspec.Struct, frozen=True):
    """The records of a table, and the bytes of their keys and values, uncompressed."""

    records: int
    bytes: int
    layouts: list[LayoutUse] = []


class TaskContents(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the state of a task.

    Attributes
    ----------
    task
        Its number.
    path
        Where its database is.
    problem
        Why it cannot be looked at, `None` where it can.
    form
        How its records are written, `None` where no commit is in the files.
    changelog_offset
        From where on the changelog is not in it.
    positions
        The offset of the first input of each source that does not count yet.
    stream_time
        The newest time of a charge, Unix seconds.
    matured_until
        The time of creation up to which charges have matured, Unix seconds.
    card_clock, dispute_clock
        The newest time of a charge, and of a dispute or outcome, in the card stage, Unix seconds.
    disk_bytes
        Of its files.
    tables
        By their names.
    """

    task: int
    path: str
    problem: str | None = None
    form: str | None = None
    changelog_offset: int | None = None
    positions: dict[str, int] | None = None
    stream_time: float | None = None
    matured_until: float | None = None
    card_clock: float | None = None
    dispute_clock: float | None = None
    disk_bytes: int = 0
    tables: dict[str, TableContents] = {}


def tasks_in(directory: Path) -> list[tuple[int, Path]]:
    """Return the numbers and databases of the tasks that have a state in a directory.

    Raises
    ------
    StateError
        When there are none.
    """
    try:
        paths = [path for path in directory.iterdir() if path.name.isdecimal() and path.is_dir()]
    except OSError as error:
        raise StateError(f"{directory}: {error.strerror}; {_WHERE}") from None
    if not paths:
        raise StateError(f"{directory}: holds no state of a task; {_WHERE}")
    return sorted((int(path.name), path) for path in paths)


def read_task(number: int, path: Path) -> TaskContents:
    """Return what is in the state of a task."""
    return _read(number, path, None)


def check_task(number: int, path: Path) -> tuple[TaskContents, list[Finding]]:
    """Read every record of a task by the layouts; return what is in it, and what was found."""
    findings: list[Finding] = []
    return _read(number, path, findings), findings


def _read(number: int, path: Path, findings: list[Finding] | None) -> TaskContents:
    known = TaskContents(task=number, path=str(path))
    try:
        with RocksView(path) as view:
            known = msgspec.structs.replace(known, disk_bytes=view.size_bytes)
            stamp = view.stamp
            if stamp is None:
                return known
            known = msgspec.structs.replace(known, form=stamp.form, changelog_offset=stamp.offset)
            if stamp.form not in STATE_FORMS:
                raise LayoutError(f"the state in {path}", f"form {stamp.form}")
            return _contents(known, view, findings)
    except OperationalError as error:
        return msgspec.structs.replace(known, problem=str(error))


def _contents(known: TaskContents, view: RocksView, findings: list[Finding] | None) -> TaskContents:
    meta = read_meta(view)
    checks = None if findings is None else Checks(view, meta)
    tables: dict[str, TableContents] = {}
    for kind in KINDS:
        count = _Count(kind, meta.layouts)
        for chunk in view.chunks(kind.keys):
            count.add(chunk)
            if checks is not None:
                checks.read(kind, chunk)
        tables[kind.name] = count.contents()
    if checks is not None and findings is not None:
        findings.extend(checks.findings(is_empty=not any(t.records for t in tables.values())))
    progress, (card_clock, dispute_clock) = meta.progress, meta.clocks or (None, None)
    return msgspec.structs.replace(
        known,
        positions=meta.positions,
        stream_time=progress and progress.stream_time,
        matured_until=progress and progress.matured_until,
        card_clock=card_clock,
        dispute_clock=dispute_clock,
        tables=tables,
    )


class _Count:
    """Counts the records of a table, and those in each layout."""

    def __init__(self, kind: Kind, layouts: Mapping[int, Layout]) -> None:
        self._present = None if kind.record is None else kind.record.layout
        self._records = self._bytes = 0
        self._layouts = {
            number: layout
            for number, layout in layouts.items()
            if self._present is not None and layout.name == self._present.name
        }
        self._in_layout: dict[int | None, int] = dict.fromkeys(self._layouts, 0)

    def add(self, chunk: list[Item]) -> None:
        """Count some more."""
        self._records += len(chunk)
        self._bytes += sum([len(key) + len(value) for key, value in chunk])
        if self._present is not None:
            for _, value in chunk:
                number = number_in(value)
                self._in_layout[number] = self._in_layout.get(number, 0) + 1

    def contents(self) -> TableContents:
        """Return what was counted."""
        return TableContents(self._records, self._bytes, list(self._uses()))

    def _uses(self) -> Iterator[LayoutUse]:
        present = self._present
        if present is None:
            return
        for number, records in self._in_layout.items():
            layout = self._layout(number, present)
            yield LayoutUse(
                present.name,
                None if number is None else f"{number:08x}",
                number == present.number,
                None if layout is None else len(layout.fields),
                None if layout is None else layout.size_bytes,
                records,
            )

    def _layout(self, number: int | None, present: Layout) -> Layout | None:
        if number is None:
            return FIRST[present.name]
        return present if number == present.number else self._layouts.get(number)
