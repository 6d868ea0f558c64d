"""The store on disk: what is torn is rebuilt, what is in the way is named, nothing is made up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rocksdict import Options, Rdict

from streams.errors import OperationalError
from streams.layouts.layout import LayoutError
from streams.state.rocksdb import RocksStore, StateError, StateInUseError
from streams.state.store import KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ALL = KeyRange(b"\x01", b"\xff")
COMMITS = 30
SAVED = 16
"""Commits that are in files when the process dies; the others are in its memory alone."""


def changes_of(commit: int) -> dict[bytes, bytes | None]:
    """Two hundred records of a kilobyte, fifty of them new."""
    return {b"\x01%05d" % n: bytes([commit]) * 1000 for n in range(commit * 50, commit * 50 + 200)}


def state_after(commits: int) -> dict[bytes, bytes | None]:
    state: dict[bytes, bytes | None] = {}
    for commit in range(commits):
        state.update(changes_of(commit))
    return state


def contents(store: RocksStore) -> dict[bytes, bytes | None]:
    return dict(store.scan(ALL))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a killed process leaves of a database: the commits before its latest start."""
    path = tmp_path_factory.mktemp("written") / "db"
    store = RocksStore(path, "layout")
    for commit in range(COMMITS):
        store.write(changes_of(commit), [], commit + 1)
        if commit == SAVED - 1:
            store.close()
            store = RocksStore(path, "layout")
    # Copied while it is open: closed in peace, it would write everything to files.
    shutil.copytree(path, path.with_name("copy"))
    store.close()
    return path.with_name("copy")


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "db")


def test_killed_process_leaves_the_state_of_an_earlier_commit(path: Path) -> None:
    store = RocksStore(path, "layout")
    assert (store.offset, contents(store)) == (SAVED, state_after(SAVED))
    for commit in range(SAVED, COMMITS):
        store.write(changes_of(commit), [], commit + 1)
    store.close()
    store = RocksStore(path, "layout")
    assert (store.offset, contents(store)) == (COMMITS, state_after(COMMITS))
    store.close()


KILLED = """
import os, pathlib, signal, sys
from streams.layouts.layout import LayoutError
from streams.state.rocksdb import RocksStore
store = RocksStore(pathlib.Path(sys.argv[1]), "layout")
for commit in range(300):
    items = {b"\\x01%05d-%d" % (commit, n): os.urandom(50_000) for n in range(10)}
    store.write(items, [], commit + 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_does_not_fit_into_memory_is_whole_commits_on_disk(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "db")], check=False)
    store = RocksStore(tmp_path / "db", "layout")
    assert store.offset is not None
    assert 0 < store.offset < 300
    keys = [key for key, _ in store.scan(ALL)]
    assert keys == [b"\x01%05d-%d" % (c, n) for c in range(store.offset) for n in range(10)]
    store.close()


def test_state_lasts_through_many_starts(tmp_path: Path) -> None:
    """Files are merged when there are some: nothing may be lost by that."""
    expected: dict[bytes, bytes] = {}
    for start in range(30):
        store = RocksStore(tmp_path / "db", "layout")
        assert store.offset == (start or None)
        assert contents(store) == expected
        old, new = b"\x01%d" % (start - 9), b"\x01%d" % start
        store.write({old: None, new: b"value"}, [], start + 1)
        expected.pop(old, None)
        expected[new] = b"value"
        store.close()


def test_options_hold_for_a_database_that_is_there_already(tmp_path: Path) -> None:
    """Once they were those it was made with, and of its own cache only a quarter was left."""
    capacities = []
    for _ in range(2):
        store = RocksStore(tmp_path / "db", "layout")
        capacities.append(store._db.property_int_value("rocksdb.block-cache-capacity"))
        store.write({b"\x01a": b"1"}, [], 1)
        store.close()
    assert capacities[0] == capacities[1]


def test_another_form_is_refused_and_left_as_it_is(path: Path) -> None:
    with pytest.raises(LayoutError, match=f"the state in {path} was written by another version"):
        RocksStore(path, "another form")
    store = RocksStore(path, "layout")
    assert contents(store) == state_after(SAVED)
    store.close()


def test_an_earlier_form_is_gone_on_from(path: Path) -> None:
    store = RocksStore(path, "later", "layout")
    before = store.offset
    assert contents(store) == state_after(SAVED)
    store.write({b"\x01a": b"1"}, [], 5000)
    store.close()
    assert before is not None
    with pytest.raises(LayoutError):
        RocksStore(path, "layout")
    store = RocksStore(path, "later")
    assert (store.offset, contents(store)) == (5000, state_after(SAVED) | {b"\x01a": b"1"})
    store.close()


def nothing(path: Path) -> None:
    path.mkdir()


def files_without_a_database(path: Path) -> None:
    path.mkdir()
    (path / "LOG").write_text("2026/01/01-00:00:00")
    (path / "000004.log").write_bytes(b"")


def no_commit(path: Path) -> None:
    RocksStore(path, "layout").close()


def not_ours(path: Path) -> None:
    db = Rdict(str(path), Options(raw_mode=True))
    db.put(b"\x01a", b"something else altogether")
    db.close()


@pytest.mark.parametrize("interrupted", [nothing, files_without_a_database, no_commit, not_ours])
def test_interrupted_creation_is_begun_again(
    tmp_path: Path, interrupted: Callable[[Path], None]
) -> None:
    interrupted(tmp_path / "db")
    store = RocksStore(tmp_path / "db", "layout")
    assert (store.offset, contents(store)) == (None, {})
    store.write({b"\x01a": b"1"}, [], 1)
    store.close()
    store = RocksStore(tmp_path / "db", "layout")
    assert (store.offset, contents(store)) == (1, {b"\x01a": b"1"})
    store.close()


def remove(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    os.truncate(file, 0)


def tear(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def scribble(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    for place in range(len(raw) // 5, len(raw), max(1, len(raw) // 50)):
        raw[place] ^= 0xFF
    file.write_bytes(raw)


@pytest.mark.parametrize("damage", [remove, empty, tear, scribble])
def test_damaged_database_is_rebuilt_or_stands_for_an_earlier_commit(
    path: Path, damage: Callable[[Path], None]
) -> None:
    """Whichever file it is, what is read is what its offset stands for."""
    names = sorted(file.name for file in path.iterdir())
    assert {"CURRENT", "OPTIONS", "MANIFEST"} <= {name.split("-")[0] for name in names}
    assert len([name for name in names if name.endswith(".sst")]) >= 1
    emptied = 0
    for name in names:
        copy = shutil.copytree(path, path.with_name(name))
        damage(copy / name)
        store = RocksStore(copy, "layout")
        offset = store.offset
        assert contents(store) == state_after(offset or 0), name
        emptied += offset is None
        store.write({b"\x01a": b"1"}, [], 99)
        store.close()
    assert emptied >= 2


def test_damage_that_shows_late_is_an_error_and_rebuilt_at_the_next_start(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A block gone bad in the middle of a file: neither half a scan nor the same error for ever."""
    tables = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
    raw = bytearray(tables.read_bytes())
    raw[len(raw) // 8 : len(raw) // 4] = bytes(len(raw) // 4 - len(raw) // 8)
    tables.write_bytes(raw)
    store = RocksStore(path, "layout")
    with pytest.raises(StateError, match=rf"{path} is damaged, and rebuilt at the next start: Cor"):
        list(store.scan(ALL))
    with pytest.raises(StateError, match="is damaged"):
        store.get_many([b"\x01%05d" % n for n in range(COMMITS * 50)])
    store.close()
    store = RocksStore(path, "layout")
    assert (store.offset, contents(store)) == (None, {})
    assert "to be restored: Corruption: block checksum mismatch" in caplog.text
    store.close()


def test_database_in_use_is_named(path: Path) -> None:
    store = RocksStore(path, "layout")
    with pytest.raises(StateInUseError, match=f"{path} is in use by another worker"):
        RocksStore(path, "layout")
    assert contents(store) == state_after(SAVED)
    store.close()


def test_scan_that_was_left_holds_no_lock(path: Path) -> None:
    store = RocksStore(path, "layout")
    left = store.scan(ALL)
    assert next(left)[0] in state_after(COMMITS)
    store.close()
    RocksStore(path, "layout").close()


HOLD = """
import pathlib, sys
from streams.layouts.layout import LayoutError
from streams.state.rocksdb import RocksStore
store = RocksStore(pathlib.Path(sys.argv[1]), "layout")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_database_of_another_process_is_named_and_left_alone(
    path: Path, other_process: subprocess.Popen[str]
) -> None:
    with pytest.raises(StateInUseError, match="is in use by another worker"):
        RocksStore(path, "another layout")
    other_process.kill()
    other_process.wait()
    store = RocksStore(path, "layout")  # a killed process holds no lock
    assert contents(store) == state_after(SAVED)
    store.close()


FULL_DISK = """
import os, pathlib, resource, sys
from streams.layouts.layout import LayoutError
from streams.state.rocksdb import RocksStore, StateError
from streams.state.store import KeyRange
path = pathlib.Path(sys.argv[1])
limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
limit(0)
try:
    RocksStore(path, "layout")
except StateError as error:
    print(error)
limit(500_000)
store = RocksStore(path, "layout")
try:
    for offset in range(1000, 2000):
        large, marker = b"\\x02%d" % offset, b"\\x03%d" % offset
        store.write({large: os.urandom(100_000), marker: b""}, [], offset)
except StateError as error:
    print(error)
print(offset, store.offset, len(list(store.scan(KeyRange(b"\\x03", b"\\x04")))))
"""


def test_full_disk_is_named_and_leaves_an_earlier_commit(path: Path) -> None:
    """A limit on the size of files stands in for it: RocksDB is refused in the same way."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    opening, writing, state, *_ = done.stdout.splitlines()
    assert opening.startswith(f"cannot use the state in {path}: ")
    assert "File too large" in opening
    assert writing.startswith(f"cannot use the state in {path}: IO error: ")
    refused, offset, markers = map(int, state.split())
    assert offset == refused - 1
    assert markers == refused - 1000
    store = RocksStore(path, "layout")
    assert (store.offset, contents(store)) == (SAVED, state_after(SAVED))
    store.close()


@pytest.mark.parametrize("place", ["file", "file/db"])
def test_place_that_is_no_directory_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not ours")
    with pytest.raises(StateError, match=f"cannot use the state in {tmp_path / place}: "):
        RocksStore(tmp_path / place, "layout")
    assert (tmp_path / "file").read_text() == "not ours"
    assert issubclass(StateError, OperationalError)
