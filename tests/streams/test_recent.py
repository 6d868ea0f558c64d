"""Short memories against a plain list of all that was used."""

import numpy as np
import pytest

from streams.recent import distinct_since, place_of, remember, short_hash, whole_seconds


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
            for since in (0.0, 250.0, 999.5):
                expected = sum(time >= since for time in newest.values())
                assert distinct_since(keys, times, since) == expected


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
