"""Blocks of whole days: what of a batch is watched for drift, and how it is added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.drift.quantities import (
    DISPUTE_RATE,
    FRAUD_SCORE,
    SCORE,
    UNITS_TO_ONE,
    WATCH,
    Watch,
    add_frauds,
)
from agents.models.prior import VERSION as PRIOR
from streams.durations import DAY_S
from streams.layouts.layout import HEAD, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streams.events.rows import Rows
    from streams.labels.kept import Kept, KeptCharges


def block_layout(watch: Watch) -> Record:
    """Return the layout of a block where some quantities are watched.

    It has the days since 1970 of the block; of each quantity its sum in 1 / `UNITS_TO_ONE`, what
    that is divided by, and whether its detector begins with this block.
    """
    names = [quantity.name for quantity in watch.quantities]
    block = np.dtype(
        [
            (HEAD, "u8"),
            ("first_day", "i8"),
            ("last_day", "i8"),
            ("sums", "i8", (len(names),)),
            ("counts", "i8", (len(names),)),
            ("begins", "?", (len(names),)),
        ]
    )
    return Record("block", block, dict.fromkeys(("sums", "counts", "begins"), names))


BLOCK_LAYOUT = block_layout(WATCH)
"""Of a block where there are no signals."""

_PRIOR = PRIOR.encode()


class Watched(NamedTuple):
    """What a batch has to watch, in the order of stream time.

    Attributes
    ----------
    times
        f8[N], stream time at each charge, Unix seconds.
    vectors, scores
        f4[N, features] and f8[N] of the charges.
    duplicates
        u1[N], not 0 for duplicates, which do not count.
    frauds_at
        f8[M], stream time at which a charge was found to be a fraud, Unix seconds.
    fraud_scores
        f8[M], the scores those charges had, NaN where it was not a model that scored them.
    is_learned
        Whether it is a model that scored the charges, not the prior.
    """

    times: NDArray[np.float64]
    vectors: NDArray[np.float32]
    scores: NDArray[np.float64]
    duplicates: NDArray[np.uint8]
    frauds_at: NDArray[np.float64]
    fraud_scores: NDArray[np.float64]
    is_learned: bool

    def by_day(self) -> Iterator[tuple[int, Watched]]:
        """Yield the days since 1970 in their order, each with its part: nearly always one."""
        left = self
        while len(left.times) or len(left.frauds_at):
            day = int(min([*left.times[:1], *left.frauds_at[:1]]) // DAY_S)
            end = (day + 1) * DAY_S
            if max([*left.times[-1:], *left.frauds_at[-1:]]) < end:
                yield day, left
                return
            charges = int(np.searchsorted(left.times, end))
            frauds = int(np.searchsorted(left.frauds_at, end))
            yield day, left._part(slice(charges), slice(frauds))
            left = left._part(slice(charges, None), slice(frauds, None))

    def _part(self, charges: slice, frauds: slice) -> Watched:
        return Watched(
            self.times[charges],
            self.vectors[charges],
            self.scores[charges],
            self.duplicates[charges],
            self.frauds_at[frauds],
            self.fraud_scores[frauds],
            self.is_learned,
        )


def watched_in(
    charges: Rows,
    answers: Rows,
    times: NDArray[np.float64],
    frauds: Rows,
    kept_charges: KeptCharges,
    *,
    is_learned: bool,
) -> Watched:
    """Return what of a batch is watched.

    Parameters
    ----------
    charges, answers
        EVENT[N] and PENDING[N] of the charges.
    times
        f8[N], stream time at each charge, Unix seconds.
    frauds
        EXAMPLE[M] of the charges that were found to be frauds, by the time when.
    kept_charges
        Where all these charges are kept.
    is_learned
        Whether it is a model that scored the charges, not the prior.
    """
    kept = (
        kept_charges.find(frauds["charge"], frauds["charged_at"], 0.0, 0.0) if len(frauds) else []
    )
    return Watched(
        times=times,
        vectors=answers["vector"],
        scores=answers["score"],
        duplicates=charges["duplicate"],
        frauds_at=frauds["labelled_at"],
        fraud_scores=np.array([_learned_score(charge) for charge in kept], np.float64),
        is_learned=is_learned,
    )


def new_block(layout: Record, day: int) -> np.void:
    """Return an empty block that begins on a day."""
    block: np.void = layout.new(1)[0]
    block["first_day"] = block["last_day"] = day
    return block


def add_to_block(watch: Watch, block: np.void, watched: Watched) -> None:
    """Add what belongs to a block."""
    sums, counts = block["sums"], block["counts"]
    score_before = int(sums[SCORE])
    added = watch.add_charges(sums, counts, watched.vectors, watched.scores, watched.duplicates)
    counts[DISPUTE_RATE] += added
    if watched.is_learned:
        counts[SCORE] += added
    else:
        sums[SCORE] = score_before
    if len(watched.frauds_at):
        counts[FRAUD_SCORE] += add_frauds(sums, watched.fraud_scores)
        sums[DISPUTE_RATE] += UNITS_TO_ONE * len(watched.frauds_at)


def _learned_score(kept: Kept | None) -> float:
    """Return the score a model gave a charge, NaN where it was the prior."""
    assert kept is not None, "a charge is kept for as long as it can be disputed"
    return np.nan if kept.charge["model"] == _PRIOR else float(kept.charge["score"])
