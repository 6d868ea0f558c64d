"""A database that is looked at: nothing of it changes, whatever its worker does meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.state.rocksdb import RocksStore, StateError
from streams.state.rocksdb_view import RocksView, Stamp
from streams.state.store import KeyRange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = KeyRange(b"\x01", b"\xff")
FILES = 40

WRITE = """
import os, pathlib, sys
from streams.state.rocksdb import RocksStore
store = RocksStore(pathlib.Path(sys.argv[1]), "form")
print("open", flush=True)
offset = store.offset
while True:
    offset += 1
    records = {b"\\x02%02d" % n: b"%d " % offset + os.urandom(90_000) for n in range(16)}
    store.write(records, [], offset)
"""


def everything_about(path: Path) -> list[tuple[str, int, int, bytes]]:
    files = [(file, file.stat()) for file in sorted(path.iterdir())]
    return [
        ("", 0, path.stat().st_mtime_ns, b""),
        *((file.name, of.st_ino, of.st_mtime_ns, file.read_bytes()) for file, of in files),
    ]


@pytest.fixture
def worker(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes above the database until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of many files: each start of a worker leaves one."""
    path = tmp_path / "db"
    for start in range(FILES):
        store = RocksStore(path, "form")
        store.write({b"\x01%04d" % start: os.urandom(100_000)}, [], start + 1)
        store.close()
    return path


def test_reading_changes_nothing(path: Path) -> None:
    before = everything_about(path)
    with RocksView(path) as view:
        assert view.stamp == Stamp("form", FILES)
        assert len(list(view.scan(ALL))) == FILES
        assert view.get_many([b"\x010003", b"\x01"])[1] is None
        assert everything_about(path) == before
    assert everything_about(path) == before


def test_ranges_end_before_their_end(path: Path) -> None:
    with RocksView(path) as view:
        found = [key for key, _ in view.scan(KeyRange(b"\x010003", b"\x010006"))]
    assert found == [b"\x010003", b"\x010004", b"\x010005"]


def test_files_that_are_replaced_meanwhile_are_read_to_their_end(path: Path) -> None:
    with RocksView(path) as view:
        for file in path.iterdir():
            file.unlink()
        assert len(list(view.scan(ALL))) == FILES


def test_chunks_are_bounded(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "db", "form")
    store.write({b"\x01%05d" % n: b"small" for n in range(2500)}, [], 1)
    store.write({b"\x02%05d" % n: bytes(1 << 20) for n in range(9)}, [], 2)
    store.close()
    with RocksView(tmp_path / "db") as view:
        assert [len(c) for c in view.chunks(KeyRange(b"\x01", b"\x02"))] == [1000, 1000, 500]
        assert [len(c) for c in view.chunks(KeyRange(b"\x02", b"\x03"))] == [4, 4, 1]


def test_a_worker_that_writes_is_seen_at_one_of_its_commits(
    path: Path, worker: subprocess.Popen[str]
) -> None:
    """Sixteen records change together, and files are merged all the time."""
    offsets: set[int] = set()
    while len(offsets) < 4:
        with RocksView(path) as view:
            stamp = view.stamp
            assert stamp is not None
            assert len(list(view.scan(KeyRange(b"\x01", b"\x02")))) == FILES
            together = view.scan(KeyRange(b"\x02", b"\x03"))
            commits = {value.partition(b" ")[0] for _, value in together}
        assert commits == ({b"%d" % stamp.offset} if stamp.offset > FILES else set())
        offsets.add(stamp.offset)
    assert worker.poll() is None


def test_damage_is_named_with_its_directory(path: Path) -> None:
    [first, *_] = sorted(path.glob("*.sst"))
    first.unlink()
    with pytest.raises(StateError, match=rf"{path} is damaged, and rebuilt .*: .*{path}/"):
        RocksView(path)


def test_damage_that_shows_late_ends_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "db"
    store = RocksStore(path, "form")
    store.write({b"\x01%05d" % n: os.urandom(1000) for n in range(5000)}, [], 1)
    store.close()
    [table] = path.glob("*.sst")
    raw = bytearray(table.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 5000] = bytes(5000)
    table.write_bytes(raw)
    with RocksView(path) as view, pytest.raises(StateError, match="checksum mismatch"):
        list(view.scan(ALL))
    assert not (path / "DAMAGED").exists()


def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=f"cannot read the state in {tmp_path / 'file'}: "):
        RocksView(tmp_path / "file")
