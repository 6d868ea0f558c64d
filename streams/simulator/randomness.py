"""Where chance comes from: one generator a purpose and hour, and stateless draws by hashing.

A stateless draw answers "is this card travelling this week?" alike whenever it is asked, without
anything being remembered: memory stays bounded and any hour can be made on its own.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


class Purpose(IntEnum):
    """What a generator is for; each has a stream of its own, so that none disturbs another."""

    POPULATION = 0
    HABITS = 1
    CAMPAIGNS = 2
    FRIENDLY = 3
    DISPUTES = 4
    DELIVERY = 5
    FAULTS = 6
    SALT = 7


def generator(seed: int, purpose: Purpose, hour: int = 0) -> np.random.Generator:
    """Return the generator of one purpose in one hour (`hour` >= 0).

    >>> first, again = (generator(7, Purpose.HABITS, 3).random() for _ in range(2))
    >>> first == again
    True
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, hour))
    return np.random.Generator(np.random.PCG64(sequence))


def mix(x: U64) -> U64:
    """Mix 64 bits one to one: the finaliser of SplitMix64.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).

    >>> len(set(mix(np.arange(1000, dtype=np.uint64)).tolist()))
    1000
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def token(salt: int, *parts: npt.NDArray[np.integer]) -> U64:
    """Hash integer arrays of one shape, element by element, into 64-bit tokens, never 0."""
    hashed = np.full(np.shape(parts[0]), salt & (2**64 - 1), dtype=np.uint64)
    for part in parts:
        hashed = mix(hashed ^ part.astype(np.uint64))
    return np.maximum(hashed, np.uint64(1))


def uniform(tokens: U64) -> F64:
    """Map tokens to [0, 1).

    >>> float(uniform(np.array([2**63], dtype=np.uint64))[0])
    0.5
    """
    return (tokens >> np.uint64(11)).astype(np.float64) * 2.0**-53


def fresh_tokens(rng: np.random.Generator, size: int) -> U64:
    """Draw tokens that nothing else has (but for a chance of 2**-64 each), never 0."""
    return rng.integers(1, 2**64, size=size, dtype=np.uint64)


def pick(rng: np.random.Generator, cumulative: F64, size: int) -> I64:
    """Draw `size` indices in proportion to weights given as their running sum.

    >>> pick(np.random.default_rng(1), np.array([0.0, 5.0, 5.0]), 3).tolist()
    [1, 1, 1]
    """
    return pick_between(rng, cumulative, np.zeros(size), np.full(size, cumulative[-1]))


def pick_between(rng: np.random.Generator, cumulative: F64, low: F64, high: F64) -> I64:
    """Draw one index for each element, among those whose running weight lies in (low, high]."""
    target = low + rng.random(len(low)) * (high - low)
    found = np.searchsorted(cumulative, target, side="right")
    return np.minimum(found, len(cumulative) - 1)
