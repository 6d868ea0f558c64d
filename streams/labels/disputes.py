"""Where disputes meet the vectors of their charges, in the order of events, however cut.

A dispute comes behind its charge, from the card stage. Stream time at an event is the newest time
of the charges up to it. What time brings about comes before what the event does: silence makes
negatives, and only then does the event count::

    charge ........ dispute                a positive at once, after its controls
    charge ........................ dispute    rejected: the charge is older than is kept
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from schemas.rejected import InvalidEvent
from streams.durations import DAY_S
from streams.events.origin import decode_dispute_tail
from streams.events.rejected import Input, Rejected, reject
from streams.events.rows import CHARGE, FRAUD_DISPUTE, Rows
from streams.labels.join import NO_EXAMPLES, IsLater, LabelJoin, kept_keys
from streams.labels.lookup import Times


class Joined(NamedTuple):
    """What came of a batch: EXAMPLE[N], and disputes of charges that are kept no more."""

    examples: Rows
    rejected: list[Rejected]


def join_disputes(labels: LabelJoin, events: Rows, times: Times, tails: Sequence[bytes]) -> Joined:
    """Join the disputes of a batch with their charges, which are kept by now.

    Parameters
    ----------
    labels
        The charges that are kept.
    events
        EVENT[N].
    times
        f8[N], stream time at each event, Unix seconds.
    tails
        N tails of the frames.
    """
    disputes = np.flatnonzero(events["kind"] != CHARGE)
    labelled: list[Rows] = [NO_EXAMPLES]
    rejected: list[Rejected] = []
    positions = cache(lambda: _positions(events))
    for position, key in zip(disputes.tolist(), _charge_keys(events[disputes]), strict=True):

        def is_later(key: bytes, position: int = position) -> bool:
            return positions().get(key, -1) > position

        dispute, now = events[position], float(times[position])
        if not labels.is_kept(key, now):
            rejected.append(_rejected(tails[position], now - float(dispute["charged_at"])))
        elif dispute["kind"] == FRAUD_DISPUTE:
            labelled.extend(_label(labels, key, now, is_later))
    return Joined(np.concatenate(labelled), rejected)


def _label(labels: LabelJoin, key: bytes, now: float, is_later: IsLater) -> Iterator[Rows]:
    """Make a positive and its controls, unless the charge has been one before."""
    positive = labels.label(key, now)
    if len(positive):
        yield labels.controls(key, now, is_later)
        yield positive


def _charge_keys(disputes: Rows) -> list[bytes]:
    """Return the keys under which the charges of disputes are kept."""
    charges = disputes.copy()
    charges["created"] = charges["charged_at"]
    return kept_keys(charges)


def _positions(events: Rows) -> Mapping[bytes, int]:
    """Return the last position of each key that the batch's charges are kept under."""
    charges = np.flatnonzero((events["kind"] == CHARGE) & (events["duplicate"] == 0))
    return dict(zip(kept_keys(events[charges]), charges.tolist(), strict=True))


def _rejected(tail: bytes, age_s: float) -> Rejected:
    origin, key, value = decode_dispute_tail(tail)
    error = InvalidEvent(
        "unknown_charge",
        f"charge: it is {age_s / DAY_S:.0f} days old, and no longer kept (dispute_retention_days)",
    )
    return reject(Input(key, value, origin), error)
