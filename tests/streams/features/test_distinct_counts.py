"""Linear counting: the estimate, its documented error, and bitmaps that leave with their tiles."""

from math import exp, log, sqrt

import numpy as np
import pytest

from streams.features.distinct_counts import clear_passed_bits, distinct, ones, set_bit

TRIALS = 200


def bitmap(words: int, slots: int = 1) -> np.ndarray:
    return np.zeros(words * slots, np.uint64)


def fill(bits: np.ndarray, words: int, keys: np.ndarray, tiles: np.ndarray) -> None:
    for key, tile in zip(keys, tiles.tolist(), strict=True):
        set_bit(bits, words, tile, key)


def test_ones_counts_bits() -> None:
    words = np.random.default_rng(1).integers(0, 2**64, 500, np.uint64)
    for word in [0, 2**64 - 1, 1, 2**63, *words.tolist()]:
        assert ones(np.uint64(word)) == word.bit_count()


@pytest.mark.parametrize(("words", "cards"), [(2, 5), (2, 60), (4, 5), (4, 100), (4, 400)])
def test_error_is_the_documented_one(words: int, cards: int) -> None:
    """Bias and standard error over many trials, against Whang et al. (1990), eq. 8 and 9."""
    rng = np.random.default_rng(words * cards)
    m, load = 64 * words, cards / (64 * words)
    errors = np.empty(TRIALS)
    for trial in range(TRIALS):
        keys = np.unique(rng.integers(1, 2**64, cards, np.uint64))
        bits = bitmap(words, slots=3)
        seen = np.concatenate((keys, keys[::2]))  # a card that comes again counts once
        fill(bits, words, seen, rng.integers(0, 3, len(seen)))
        errors[trial] = distinct(bits, words, 2, 3, 0) - len(keys)
    expected_error = sqrt(m * (exp(load) - load - 1))
    expected_bias = (exp(load) - load - 1) / 2
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(expected_error, rel=0.15)
    assert abs(errors.mean() - expected_bias) < 4 * expected_error / sqrt(TRIALS)


@pytest.mark.parametrize("words", [2, 4])
def test_estimate_is_exact_where_no_two_keys_share_a_bit(words: int) -> None:
    m = 64 * words
    bits = bitmap(words)
    assert distinct(bits, words, 0, 1, 0) == 0.0
    assert distinct(bits, words, 0, 0, 1) == pytest.approx(m * log(m / (m - 1)))
    for n in range(m):
        set_bit(bits, words, 0, np.uint64(n + 7 * m))
        assert distinct(bits, words, 0, 1, 1) == pytest.approx(m * log(m / max(m - n - 1, 1)))


@pytest.mark.parametrize("seed", range(3))
def test_bitmaps_leave_with_their_tiles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words, slots, clock = 4, 7, 0
    bits, events = bitmap(words, slots), []
    for _ in range(400):
        now = clock + int(rng.choice([0, 0, 0, 1, 1, 3, 9]))
        clear_passed_bits(bits, words, clock, now)
        clock = now
        key, tile = rng.integers(1, 2**64, dtype=np.uint64), now - int(rng.integers(0, slots))
        events.append((int(key), tile))
        set_bit(bits, words, tile, key)
        last = now - int(rng.integers(0, slots))
        tiles = int(rng.integers(0, slots - (now - last) + 1))
        places = {key % (64 * words) for key, tile in events if last - tiles < tile <= last}
        estimate = 64 * words * log(64 * words / max(64 * words - len(places), 1))
        assert distinct(bits, words, last, tiles, 0) == pytest.approx(estimate)
