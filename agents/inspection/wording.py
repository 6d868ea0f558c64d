"""What is in a state, and what was found in it, as it is shown in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from agents.stages.tasks import STATE_FORMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.inspection.checks import Finding
    from agents.inspection.contents import LayoutUse, TaskContents

IN_FILES = "Told is what is in files: a worker that runs has its newest commits in memory alone."

_NO_COMMIT = "no commit in its files: its worker restores it from the changelog"


def contents_lines(contents: TaskContents) -> Iterator[str]:
    """Yield how far the state of a task has come."""
    head = f"Task {contents.task}: "
    if contents.problem is not None:
        yield f"{head}{contents.problem}"
        return
    if contents.form is None:
        yield f"{head}{_NO_COMMIT}"
        return
    yield (
        f"{head}form {contents.form} ({_of_form(contents.form)}), "
        f"changelog offset {contents.changelog_offset:,}, "
        f"{contents.disk_bytes / 1e6:,.1f} MB on disk"
    )
    positions = contents.positions
    told = "none" if positions is None else ", ".join(f"{k} {v:,}" for k, v in positions.items())
    yield f"  positions: {told}"
    yield (
        f"  newest charge scored {_time(contents.stream_time)}, counted "
        f"{_time(contents.card_clock)}; newest dispute or outcome {_time(contents.dispute_clock)}; "
        f"matured until {_time(contents.matured_until)}"
    )


def contents_table(contents: TaskContents) -> Table:
    """Return the tables of a task; one whose records are in more layouts has a row for each."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Table")
    for name in ("Records", "Bytes"):
        table.add_column(name, justify="right")
    table.add_column("Layout")
    table.add_column("Fields", justify="right")
    table.add_column("Written by")
    for name, of_table in contents.tables.items():
        size = f"{of_table.bytes:,}"
        used = [use for use in of_table.layouts if use.records]
        if len(used) == 1:
            table.add_row(name, f"{of_table.records:,}", size, *_layout_cells(used[0]))
            continue
        table.add_row(name, f"{of_table.records:,}", size)
        for use in used:
            table.add_row("", f"{use.records:,}", "", *_layout_cells(use))
    return table


def check_lines(contents: TaskContents, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield what was read of a task, and a line for each kind of finding."""
    head = f"Task {contents.task}: "
    if contents.problem is not None:
        yield f"{head}{contents.problem}"
        return
    if contents.form is None:
        yield f"{head}{_NO_COMMIT}"
        return
    records = sum(table.records for table in contents.tables.values())
    verdict = "all can be read" if not findings else "not all can be gone on from"
    yield f"{head}{records:,} records, {verdict}"
    for name, table in contents.tables.items():
        if used := [use for use in table.layouts if use.records]:
            of_each = ", ".join(f"{use.records:,} of {_who(use)} ({_number(use)})" for use in used)
            yield f"  {name}: {of_each}"
    for finding in findings:
        count = "1 record" if finding.records == 1 else f"{finding.records:,} records, the first"
        yield (
            f"Task {contents.task}, {finding.table}: {count} under {finding.first}: {finding.why}"
        )


def _of_form(form: str) -> str:
    return "this version's" if form == STATE_FORMS[0] else "the first release's"


def _layout_cells(use: LayoutUse) -> tuple[str, str, str]:
    return _number(use), "" if use.fields is None else str(use.fields), _who(use)


def _number(use: LayoutUse) -> str:
    return use.number or "no head"


def _who(use: LayoutUse) -> str:
    if use.is_present:
        return "this version"
    if use.number is None:
        return "the first release"
    return "another version" if use.fields is not None else "nobody known"


def _time(seconds: float | None) -> str:
    if not seconds:
        return "never"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
