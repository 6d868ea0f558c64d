"""What is shown of a state, against a count by hand above the store itself."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from agents.inspection.contents import check_task, read_task, tasks_in
from agents.stages.tasks import STATE_FORMS
from streams.features.entities import CARDS
from streams.layouts.layout import FIRST, head_of
from streams.state import tables as state
from streams.state.rocksdb import DAMAGE_NOTE, RocksStore, StateError
from streams.state.store import KeyRange
from tests.agents.inspection.states import STATES, TOLD, TOLD_FIRST, first_release

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Copy = Callable[..., Path]

NAMES = (
    "cards", "merchants", "seen", "pending", "timers", "waiting", "meta", "drift", "disputed",
    "charges",
)  # fmt: skip
RECORDS = {"cards": "card", "merchants": "merchant", "pending": "pending", "drift": "block"}


def digest(path: Path) -> list[tuple[str, int, str]]:
    """Everything about a directory that a change of it would change."""
    return [(".", path.stat().st_mtime_ns, "")] + [
        (file.name, file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in sorted(path.iterdir())
    ]


def everything(path: Path) -> dict[bytes, bytes]:
    """Read all of a database as a worker does: this changes files."""
    store = RocksStore(path, *STATE_FORMS)
    found = dict(store.scan(KeyRange(b"\x01", b"\xff")))
    store.close()
    return found


@pytest.mark.parametrize("name", [made.__name__ for made in STATES])
def test_counts_are_those_of_the_store_and_nothing_changes(name: str, copy: Copy) -> None:
    path = copy(name)
    before = digest(path)
    contents = read_task(0, path)
    assert contents.disk_bytes == sum(file.stat().st_size for file in path.iterdir())
    checked, findings = check_task(0, path)
    assert digest(path) == before
    assert checked == contents
    assert findings == []
    assert contents.problem is None
    records = everything(path)
    for number, table_name in enumerate(NAMES, 1):
        of_table = {k: v for k, v in records.items() if k[0] == number}
        table = contents.tables[table_name]
        assert table.records == len(of_table) > 0
        assert table.bytes == sum(len(k) + len(v) for k, v in of_table.items())
        heads = Counter(
            v[3::-1].hex() if v[4:8] == b"\xff" * 4 else None for v in of_table.values()
        )
        if table_name in RECORDS:
            assert {use.number: use.records for use in table.layouts if use.records} == heads
            assert {use.name for use in table.layouts} == {RECORDS[table_name]}
        else:
            assert table.layouts == []


def test_how_far_a_state_has_come(copy: Copy) -> None:
    path = copy("present")
    contents = read_task(7, path)
    records = everything(path)
    stream_time, _, matured_until = orjson.loads(records[state.META + b"progress"])
    clocks = orjson.loads(records[state.META + b"clocks"])
    assert contents.form == STATE_FORMS[0]
    assert contents.positions == TOLD
    assert (contents.stream_time, contents.matured_until) == (stream_time, matured_until)
    assert [contents.card_clock, contents.dispute_clock] == clocks
    store = RocksStore(path, *STATE_FORMS)
    assert contents.changelog_offset == store.offset
    store.close()


def test_positions_of_the_first_release_lack_outcomes(copy: Copy) -> None:
    """Its worker goes on all the same, and so does the check (as of every state above)."""
    assert read_task(0, copy("first_release")).positions == TOLD_FIRST


def test_layouts_are_told_by_number_and_by_whom(copy: Copy) -> None:
    [use] = read_task(0, copy("first_release")).tables["pending"].layouts
    assert (use.number, use.is_present) == (None, False)
    assert (use.fields, use.record_bytes) == (9, FIRST["pending"].size_bytes)
    own, first = read_task(1, copy("mixed", "1")).tables["pending"].layouts
    assert (own.is_present, first.is_present) == (True, False)
    assert own.number is not None
    assert own.records > 0 < first.records


def test_a_layout_without_a_document_is_shown_all_the_same(copy: Copy) -> None:
    path = copy("present")
    store = RocksStore(path, *STATE_FORMS)
    store.write({CARDS.prefix + b"card": head_of(7) + bytes(9)}, [], 10**6)
    store.close()
    _, unknown = read_task(0, path).tables["cards"].layouts
    assert (unknown.number, unknown.fields, unknown.records) == ("00000007", None, 1)


def test_what_a_worker_has_not_written_to_files_yet_is_not_shown(copy: Copy) -> None:
    path = copy("present")
    shown = read_task(0, path)
    store = RocksStore(path, *STATE_FORMS)
    store.write({CARDS.prefix + b"new": b""}, [], 10**6)
    before = digest(path)
    while_it_runs = read_task(0, path)
    assert digest(path) == before
    assert msgspec.structs.replace(while_it_runs, disk_bytes=shown.disk_bytes) == shown
    store.close()
    assert read_task(0, path).changelog_offset == 10**6


def nothing(path: Path) -> None:
    path.mkdir()


def other_form(path: Path) -> None:
    store = RocksStore(path, "another")
    store.write({b"\x01a": b""}, [], 4)
    store.close()


def torn(path: Path) -> None:
    first_release(path)
    for file in path.glob("*.sst"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def noted(path: Path) -> None:
    first_release(path)
    (path / DAMAGE_NOTE).write_text("Corruption: block checksum mismatch")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (nothing, "there is no database in {path}: a worker makes it again at its next start"),
        (other_form, "the state in {path} was written by another version"),
        (torn, "the state in {path} is damaged, and rebuilt at a worker's next start: Corr"),
        (noted, "the state in {path} is damaged, and rebuilt at a worker's next start: Corr"),
    ],
)
def test_what_cannot_be_looked_at_is_told_and_left_as_it_is(
    made: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "3"
    made(path)
    before = digest(path)
    for contents in (read_task(3, path), check_task(3, path)[0]):
        assert (contents.problem or "").startswith(told.format(path=path))
        assert contents.tables == {}
    assert digest(path) == before


def test_a_database_without_a_commit_in_its_files(tmp_path: Path) -> None:
    RocksStore(tmp_path / "0", *STATE_FORMS).close()
    contents, findings = check_task(0, tmp_path / "0")
    assert (contents.problem, contents.form, contents.tables, findings) == (None, None, {}, [])


def test_tasks_are_found_by_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "8").write_text("not a directory")
    assert [number for number, _ in tasks_in(tmp_path)] == [9, 10]


@pytest.mark.parametrize(
    ("name", "told"),
    [("none", "No such file or dir"), ("file", "Not a directory"), ("empty", "holds no state")],
)
def test_a_directory_without_tasks_is_named(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StateError, match=f"^{tmp_path / name}: {told}.*; give the --state-dir"):
        tasks_in(tmp_path / name)


def test_json_says_everything(copy: Copy) -> None:
    contents = read_task(0, copy("mixed"))
    written: dict[str, Any] = orjson.loads(msgspec.json.encode(contents))
    assert msgspec.convert(written, type(contents)) == contents
