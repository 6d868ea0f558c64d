"""Numbers of unknown scale as numbers of a known one: the log-odds of their rank.

The rank is that among a sample of earlier examples, so the number is the same whatever the unit,
the offset or the skew of the column is, and one wild value changes nothing for the others: 0 in the
middle, 1.1 where a quarter is larger, and never beyond 6.3. Between two of the sample it is
interpolated; equal values have the middle of their ranks. It is the number by the sample before the
example itself.

The sample is of learned examples, frauds and their controls, so that what is rare but tells fraud
has its share of it. Of each column it is the values alone, in order: a new value takes the place of
one that is drawn, as each example is at first (reservoir sampling), and later with a probability
that does not fall any more, so that the sample follows the stream.

What is missing, which a flag beside the column tells, is in the middle and in no sample.

References
----------
Vitter 1985, "Random sampling with a reservoir", algorithm R; Aggarwal 2006, "On biased reservoir
sampling in the presence of stream evolution", for a reservoir that forgets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.models.packed import packed, unpacked
from streams.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 256
"""Values of a column; a power of two. Measured: 64 do about as well."""

MEMORY_EXAMPLES = 20_000
"""The mean age of a sampled value, in examples, once there have been so many."""

_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@compiled
def _drawn(count: int) -> Any:
    """Return 64 bits that look random (splitmix64, Steele et al. 2014)."""
    bits = np.uint64(count) * _MIX[0]
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX[1]
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX[2]
    return bits ^ (bits >> np.uint64(31))


@compiled
def _number(value: float, sample: NDArray[np.float32]) -> float:
    """Return the log-odds of a value's rank in a sorted sample."""
    size = len(sample)
    low, high = np.searchsorted(sample, value), np.searchsorted(sample, value, side="right")
    place = 0.5 * (low + high)
    if low == high and 0 < low < size:
        before, after = np.float64(sample[low - 1]), np.float64(sample[low])
        place += (value - before) / (after - before) - 0.5
    return math.log((place + 0.5) / (size - place + 0.5))


@compiled
def _sample(value: float, sample: NDArray[np.float32], count: int) -> None:
    """Have a value take part in the draw, which so many have done before."""
    size = min(count, SAMPLE)
    place = np.int64(size)
    if size == SAMPLE:
        bits = _drawn(count)
        if (bits >> np.uint64(11)) * 2.0**-53 * min(count + 1, MEMORY_EXAMPLES) >= SAMPLE:
            return
        place = np.int64(bits & np.uint64(SAMPLE - 1))
    while place > 0 and sample[place - 1] > value:
        sample[place] = sample[place - 1]
        place -= 1
    while place < size - 1 and sample[place + 1] < value:
        sample[place] = sample[place + 1]
        place += 1
    sample[place] = value


@compiled
def _replace(
    rows: NDArray[np.float64],
    columns: NDArray[np.int64],
    flags: NDArray[np.int64],
    samples: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    for i in range(len(rows)):
        for k in range(len(columns)):
            is_missing = rows[i, flags[k]] != 0.0
            value, size = rows[i, columns[k]], min(counts[k], SAMPLE)
            rows[i, columns[k]] = 0.0 if is_missing else _number(value, samples[k, :size])


@compiled
def _learn(
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    columns: NDArray[np.int64],
    flags: NDArray[np.int64],
    samples: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    """Put numbers in place of the values, of each row before it is sampled itself."""
    for i in range(len(rows)):
        for k in range(len(columns)):
            value = rows[i, columns[k]]
            if rows[i, flags[k]] != 0.0:
                rows[i, columns[k]] = 0.0
                continue
            rows[i, columns[k]] = _number(value, samples[k, : min(counts[k], SAMPLE)])
            if weights[i] > 0.0:
                _sample(value, samples[k], counts[k])
                counts[k] += 1


class RankScale:
    """Samples of columns of unknown scale.

    Parameters
    ----------
    columns
        Their places among the columns of a model, i8[K].
    flags
        Places of the flags that tell what is missing, i8[K].
    """

    def __init__(self, columns: NDArray[np.int64], flags: NDArray[np.int64]) -> None:
        self._columns, self._flags = columns, flags
        self._samples = np.zeros((len(columns), SAMPLE), np.float32)
        self._counts = np.zeros(len(columns), np.int64)

    def learn(self, rows: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Put numbers in place of the values in f8[N, columns], and sample the values.

        An example's number is by those before it; those of weight 0 are not sampled.
        """
        _learn(rows, weights, self._columns, self._flags, self._samples, self._counts)

    def replace(self, rows: NDArray[np.float64]) -> None:
        """Put numbers in place of the values in f8[N, columns]."""
        _replace(rows, self._columns, self._flags, self._samples, self._counts)

    def state(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {"samples": packed(self._samples, "<f4"), "counts": self._counts.tolist()}

    def restore(self, state: dict[str, Any], kept: NDArray[np.int64]) -> None:
        """Take over what another has sampled.

        Parameters
        ----------
        state
            Of the other.
        kept
            Places among its columns of the first ones here; those that follow are new.

        Raises
        ------
        ValueError, LookupError
            When it is no state, or of other columns.
        """
        samples, counts = unpacked(state["samples"], "<f4"), np.array(state["counts"], np.int64)
        if samples.shape != (len(counts), SAMPLE) or (counts < 0).any():
            raise ValueError(f"no samples of {len(counts)} columns: {samples.shape}")
        for sample, count in zip(samples, counts, strict=True):
            known = sample[: min(count, SAMPLE)]
            if not (np.isfinite(known).all() and (np.diff(known) >= 0.0).all()):
                raise ValueError("a sample is not in order")
        self._samples[: len(kept)], self._counts[: len(kept)] = samples[kept], counts[kept]
