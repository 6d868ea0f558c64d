"""What a store promises, kept by the one in memory and the one on disk."""

from __future__ import annotations

from itertools import islice
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.state.rocksdb import RocksStore
from streams.state.store import KeyRange, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.state.store import Store

ALL = KeyRange(b"\x01", b"\xff")


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kinds: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "rocks": lambda: RocksStore(tmp_path / "some" / "where", "layout"),
    }
    store = kinds[request.param]()
    yield store
    store.close()


def test_new_store_is_empty(store: Store) -> None:
    assert store.offset is None
    assert list(store.scan(ALL)) == []
    assert store.get_many([]) == []
    assert store.get_many([b"\x01a"]) == [None]


def test_commit_without_changes_still_moves_the_offset(store: Store) -> None:
    store.write({}, [], 7)
    store.write({}, [], 3)
    assert store.offset == 3


def test_drops_come_before_changes(store: Store) -> None:
    """So that a key written in the same commit stays, although it lies in a dropped range."""
    store.write({b"\x01a": b"1", b"\x01b": b"2", b"\x01c": b"3"}, [], 1)
    store.write({b"\x01a": b"4"}, [KeyRange(b"\x01a", b"\x01c")], 2)
    assert list(store.scan(ALL)) == [(b"\x01a", b"4"), (b"\x01c", b"3")]


def test_scan_reads_as_it_is_taken(store: Store) -> None:
    """Whoever takes three items of a million does not pay for the others."""
    store.write({b"\x01%06d" % n: b"1" for n in range(30_000)}, [], 1)
    began = process_time()
    assert len(list(store.scan(ALL))) == 30_000
    all_of_it = process_time() - began
    began = process_time()
    for _ in range(20):
        assert [key[-1:] for key, _ in islice(store.scan(ALL), 3)] == [b"0", b"1", b"2"]
    assert (process_time() - began) / 20 < all_of_it / 4


def test_clear_leaves_an_empty_store_that_works(store: Store) -> None:
    store.write({b"\x01a": b"1"}, [], 1)
    store.clear()
    assert store.offset is None
    assert list(store.scan(ALL)) == []
    store.write({b"\x01b": b"2"}, [], 2)
    assert list(store.scan(ALL)) == [(b"\x01b", b"2")]


@pytest.mark.parametrize("seed", range(3))
def test_many_commits_equal_a_dictionary(store: Store, seed: int) -> None:
    """Large commits and small ones, of keys that come, change and go."""
    rng = np.random.default_rng(seed)
    expected: dict[bytes, bytes] = {}
    for offset in range(60):
        count = int(rng.choice([1, 5, 300]))
        keys = [b"\x02%05d" % number for number in rng.integers(0, 3000, count)]
        changes = {
            key: None if rng.random() < 0.3 else rng.bytes(int(rng.integers(0, 30))) for key in keys
        }
        low, high = sorted(rng.integers(0, 3000, 2).tolist())
        drops = [KeyRange(b"\x02%05d" % low, b"\x02%05d" % high)] * (rng.random() < 0.1)
        store.write(changes, drops, offset)
        for keys_dropped in drops:
            for key in [key for key in expected if keys_dropped.start <= key < keys_dropped.end]:
                del expected[key]
        for changed, value in changes.items():
            expected.pop(changed, None)
            if value is not None:
                expected[changed] = value

        assert list(store.scan(ALL)) == sorted(expected.items())
        asked = [*keys, b"\x02", b"\x0200001"]
        assert store.get_many(asked) == [expected.get(key) for key in asked]


def test_a_range_may_go_over_tables(store: Store) -> None:
    """A key's first byte is its table to some stores, which is not to be seen from outside."""
    keys = [bytes([table, n]) for table in (3, 1, 2) for n in (9, 5, 7)]
    store.write(dict.fromkeys(keys, b"1"), [], 1)
    store.write({b"\x02\x07": None, b"\x02\x06": b"2"}, [], 2)
    store.write({b"\x02\x07": b"3"}, [KeyRange(b"\x01\x06", b"\x02\x06")], 3)
    assert [key for key, _ in store.scan(KeyRange(b"\x01\x05", b"\x03\x07"))] == [
        b"\x01\x05",
        b"\x02\x06",
        b"\x02\x07",
        b"\x02\x09",
        b"\x03\x05",
    ]
