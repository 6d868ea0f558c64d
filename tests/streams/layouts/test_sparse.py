"""Records without their zeros: the same records come back, and torn ones are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.layouts.layout import HEAD, LayoutError, Record, Rows
from streams.layouts.reader import Reader
from streams.layouts.sparse import fits, sparse, whole
from streams.state.record_cache import RecordCache
from streams.state.store import MemoryStore
from streams.state.tables import Table

FIELDS = np.dtype([(HEAD, "u8"), ("clock", "f8"), ("tiles", "f4", 30), ("counts", "u2", 34)])
DENSE = Record("tiles", FIELDS)
SPARSE = Record("tiles", FIELDS, is_sparse=True)


def records(seed: int, count: int, share: float) -> Rows:
    """Return records of which a share of the numbers is none."""
    rng = np.random.default_rng(seed)
    rows = SPARSE.new(count)
    for name in ("clock", "tiles", "counts"):
        numbers = rng.integers(1, 60_000, rows[name].shape)
        rows[name] = numbers * (rng.random(rows[name].shape) < share)
    return rows


@given(st.integers(0, 2**32), st.integers(0, 40), st.floats(0.0, 1.0))
def test_what_is_written_is_read(seed: int, count: int, share: float) -> None:
    rows = records(seed, count, share)
    written = SPARSE.written(rows)
    assert all(len(value) <= FIELDS.itemsize for value in written)
    mixed = [one if n % 3 else rows[n].tobytes() for n, one in enumerate(written)]
    for values in (written, mixed):
        assert Reader(SPARSE, {}).rows(values).tobytes() == rows.tobytes()
        assert Reader(DENSE, {}).rows(values).tobytes() == rows.tobytes()


def test_few_numbers_take_few_bytes() -> None:
    empty, one = SPARSE.new(1), SPARSE.new(1)
    one["tiles"][0, 7] = 1.0
    words = (FIELDS.itemsize - 8) // 4
    bits = -(-words // 8)
    assert [len(value) for value in sparse(empty) + sparse(one)] == [8 + bits, 8 + bits + 4]


def test_a_torn_record_is_refused() -> None:
    [value] = sparse(records(3, 1, 0.3))
    reader = Reader(SPARSE, {})
    for cut in range(len(value)):
        assert not fits(value[:cut], FIELDS.itemsize)
        with pytest.raises(ValueError, match="more or fewer"):
            whole([value[:cut]], FIELDS.itemsize)
        if cut > 8:
            with pytest.raises(LayoutError, match="size"):
                reader.rows([value[:cut]])
    assert fits(value, FIELDS.itemsize)
    assert not fits(value + b"\0", FIELDS.itemsize)


def test_a_cache_goes_on_from_records_that_were_written_whole() -> None:
    table = Table(MemoryStore(), b"t")
    for record in (DENSE, SPARSE, DENSE):
        cache = RecordCache(table, Reader(record, {}), capacity=2)
        for key in (b"a", b"b", b"c"):
            cache.records["counts"][cache.slots([key]), 3] += 1
        cache.flush()
    cache = RecordCache(table, Reader(SPARSE, {}), capacity=3)
    assert cache.records["counts"][cache.slots([b"a", b"b", b"c"]), 3].tolist() == [3, 3, 3]
