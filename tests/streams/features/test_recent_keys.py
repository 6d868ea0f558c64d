"""Short memories against a plain list of all that was used."""

import numpy as np
import pytest

from streams.features.recent_keys import (
    distinct_also_before,
    distinct_in,
    place_of,
    remember,
    remember_use,
    short_hash,
    whole_seconds,
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [1, 6, 32])
def test_memory_keeps_what_was_used_last(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, times = np.zeros(size, np.uint32), np.zeros(size, np.uint32)
    used: list[tuple[int, float]] = []
    for _ in range(500):
        key, time = int(rng.integers(1, 2 * size + 2)), float(rng.uniform(0, 1000))
        used.append((key, time))
        remember(keys, times, np.uint32(key), time)

        latest = list(dict.fromkeys(key for key, _ in reversed(used)))[:size]
        assert keys[keys != 0].tolist() == latest
        assert [place_of(keys, np.uint32(key)) for key in latest] == list(range(len(latest)))
        assert place_of(keys, np.uint32(2**32 - 1)) == -1
        if len(latest) < size or len({key for key, _ in used}) <= size:  # nothing was forgotten
            newest = {key: int(max(t for k, t in used if k == key)) for key in latest}
            for begin, end in ((0.0, 1e9), (250.0, 1e9), (250.5, 750.5), (999.5, 1e9), (5.0, 4.0)):
                inside = {key for key, time in newest.items() if begin <= time <= end}
                assert distinct_in(keys, times, np.uint32(key), begin, end) == len(inside | {key})
                assert distinct_in(keys, times, np.uint32(0), begin, end) == len(inside)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [3, 32])
def test_uses_tell_what_was_used_before_as_well(size: int, seed: int) -> None:
    """In the hour before a time, of keys that were used after it too; against all their uses."""
    rng = np.random.default_rng(seed)
    keys, times = np.zeros(size, np.uint32), np.zeros(size, np.uint32)
    uses, used, now, found = np.zeros(size, np.uint16), dict[int, list[float]](), 1e6, 0
    for _ in range(600):
        now += float(rng.choice([1.0, 60.0, 600.0, 9000.0], p=[0.4, 0.4, 0.18, 0.02]))
        key, time = int(rng.integers(1, size + 3)), now + 60.0 * float(rng.integers(-60, 1))
        remember_use(times, uses, place_of(keys, np.uint32(key)), time)
        remember(keys, times, np.uint32(key), time)
        used.setdefault(key, []).append(time)
        for forgotten in used.keys() - set(keys.tolist()):
            del used[forgotten]
        for asked in (time, now - 3600.0):
            tile = asked // 600.0
            expected = {
                other
                for other, seen in used.items()
                if max(seen) // 1 > asked and any(tile - 6 <= s // 600.0 <= tile for s in seen)
            }
            for own in (0, key):
                count = distinct_also_before(keys, times, uses, np.uint32(own), asked)
                assert count == len(expected - {own}), f"seed {seed}"
            found += len(expected)
    assert found > 500


def test_short_hash_is_0_only_for_a_missing_key() -> None:
    assert short_hash(np.uint64(0)) == 0
    assert short_hash(np.uint64(5 << 32)) == 1
    assert short_hash(np.uint64((5 << 32) + 7)) == 7


def test_whole_seconds_saturate() -> None:
    times = (-5.0, 0.0, 1.9, 2.0**32 - 1, 2.0**32, 1e300)
    assert [int(whole_seconds(time)) for time in times] == [
        0,
        0,
        1,
        2**32 - 1,
        2**32 - 1,
        2**32 - 1,
    ]
