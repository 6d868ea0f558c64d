"""Where disputes and outcomes meet the vectors of their charges, in order, however cut.

Either comes behind its charge, from the card stage. Stream time at an event is the newest time
of the charges up to it. What time brings about comes before what the event does: silence makes
negatives, and only then does the event count::

    charge ........ dispute                a positive at once, after its controls
    charge .... outcome                    whether silence will say anything; a verdict of fraud
                                           is a positive as a dispute is
    charge ........................ dispute    rejected: the charge is older than is kept

A blocked charge that is taken for a fraud (`imputed`) is learned where it stands itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.rejected import InvalidEvent
from streams.durations import DAY_S
from streams.events.origin import decode_label_tail
from streams.events.rejected import Input, Rejected, reject
from streams.events.rows import (
    ANSWERED_ALLOW,
    ANSWERED_BLOCK,
    ANSWERED_CHALLENGE,
    ANSWERED_REVIEW,
    AUTHORIZED,
    CHALLENGE_FAILED,
    CHALLENGE_PASSED,
    CHARGE,
    DECLINED,
    DISPUTE_WON,
    FRAUD_DISPUTE,
    FRAUD_KINDS,
    REFUNDED,
    REVIEW_FRAUD,
    REVIEW_GENUINE,
    STOPPED,
    Rows,
)
from streams.labels.join import IsLater, LabelJoin
from streams.labels.lookup import Times
from streams.labels.pending import KEY_BYTES, kept_keys
from streams.wire.examples import BY_DISPUTE, BY_VERDICT

_FRAUD_BY = {FRAUD_DISPUTE: BY_DISPUTE, REVIEW_FRAUD: BY_VERDICT}
_WENT_THROUGH = frozenset({AUTHORIZED, CHALLENGE_PASSED, REVIEW_GENUINE, ANSWERED_ALLOW})
_STOPPED = frozenset({
    DECLINED, STOPPED, CHALLENGE_FAILED, ANSWERED_CHALLENGE, ANSWERED_REVIEW, ANSWERED_BLOCK,
})  # fmt: skip
_ANSWERED = frozenset({ANSWERED_ALLOW, ANSWERED_CHALLENGE, ANSWERED_REVIEW, ANSWERED_BLOCK})
"""Kinds of events by what they say; the others say nothing of their charge's label."""


class Judged(NamedTuple):
    """The key of a charge, what it was found to be, as a kind of event, and at which stream time.

    A charge is found to be a fraud once; its dispute is won where it was.
    """

    key: bytes
    kind: int
    at: float


class Joined(NamedTuple):
    """What came of a batch.

    Attributes
    ----------
    examples
        EXAMPLE[N].
    rejected
        Disputes and outcomes of charges that are kept no more.
    disputed_blocks
        How many charges were disputed as fraud that were blocked, as far as is known.
    disputed
        The keys of the charges that were disputed as fraud, each for the first time.
    disputed_at
        The stream times at which they were, Unix seconds.
    judged
        Charges that were found to be frauds, or whose dispute was won.
    """

    examples: Rows
    rejected: list[Rejected]
    disputed_blocks: int
    disputed: list[bytes]
    disputed_at: list[float]
    judged: list[Judged]


def join_labels(
    labels: LabelJoin,
    events: Rows,
    times: Times,
    tails: Sequence[bytes],
    imputed: npt.NDArray[np.bool_],
) -> Joined:
    """Join the disputes and outcomes of a batch with their charges, which are kept by now.

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
    imputed
        bool[N], which of the charges are blocked ones that are taken for frauds.
    """
    is_charge = events["kind"] == CHARGE
    places = np.flatnonzero(~is_charge | imputed)
    if not len(places):
        return Joined(labels.no_examples, [], 0, [], [], [])
    labelled: list[Rows] = [labels.no_examples]
    rejected: list[Rejected] = []
    disputed, disputed_at = list[bytes](), list[float]()
    judged = list[Judged]()
    disputed_blocks = 0
    positions = cache(lambda: _positions(events))
    for position, named in zip(places.tolist(), _charge_keys(events[places]), strict=True):

        def is_later(key: bytes, position: int = position) -> bool:
            return positions().get(key[:KEY_BYTES], -1) > position

        event, now = events[position], float(times[position])
        key = labels.kept.key_of(named, now)
        kind = int(event["kind"])
        if key is None:
            if not imputed[position]:  # a charge that comes years late is scored, and no more
                rejected.append(_rejected(tails[position], now - float(event["charged_at"])))
        elif imputed[position]:
            labelled.extend(_compared(labels, key, labels.impute(key, now), is_later))
        elif event["duplicate"]:
            continue  # what it says may have been contradicted since
        else:
            judged += _judged(event, key, now)
            if kind == FRAUD_DISPUTE:
                disputed_blocks += labels.was_blocked(key)
                disputed.append(key)
                disputed_at.append(now)
            if kind in _FRAUD_BY:
                positive = labels.fraud(key, now, _FRAUD_BY[kind])
                labelled.extend(_compared(labels, key, positive, is_later))
            else:
                labelled.extend(_settled(labels, kind, key, now))
    examples = np.concatenate(labelled)
    return Joined(examples, rejected, disputed_blocks, disputed, disputed_at, judged)


def _judged(event: np.void, key: bytes, now: float) -> list[Judged]:
    """Return what an event says that its charge is, if it says so first; see `labelled_at`."""
    kind, is_labelled = int(event["kind"]), event["labelled_at"] != 0.0
    if kind in FRAUD_KINDS and not is_labelled:
        return [Judged(key, FRAUD_DISPUTE, now)]
    return [Judged(key, DISPUTE_WON, now)] if kind == DISPUTE_WON and is_labelled else []


def _settled(labels: LabelJoin, kind: int, key: bytes, now: float) -> Iterator[Rows]:
    """Take an outcome's word on whether its charge went through; give what is to be learned."""
    if kind in _WENT_THROUGH or kind in _STOPPED:
        went_through, is_answered = kind in _WENT_THROUGH, kind in _ANSWERED
        yield labels.settle(key, now, went_through=went_through, is_answered=is_answered)
    elif kind == REFUNDED:
        labels.refund(key, now)


def _compared(labels: LabelJoin, key: bytes, positive: Rows, is_later: IsLater) -> Iterator[Rows]:
    """Give a positive behind its controls; those of an imputed fraud count no more than it."""
    if len(positive):
        controls = labels.controls(key, float(positive["labelled_at"][0]), is_later)
        controls["weight"] *= min(float(positive["weight"][0]), 1.0)
        yield controls
        yield positive


def _charge_keys(events: Rows) -> list[bytes]:
    """Return the keys of charges without methods: of disputes and outcomes the ones they name."""
    charges = events.copy()
    is_label = events["kind"] != CHARGE
    charges["created"][is_label] = events["charged_at"][is_label]
    return kept_keys(charges)


def _positions(events: Rows) -> Mapping[bytes, int]:
    """Return the last position of each key that the batch's charges are kept under."""
    charges = np.flatnonzero((events["kind"] == CHARGE) & (events["duplicate"] == 0))
    return dict(zip(kept_keys(events[charges]), charges.tolist(), strict=True))


def _rejected(tail: bytes, age_s: float) -> Rejected:
    origin, key, value = decode_label_tail(tail)
    error = InvalidEvent(
        "unknown_charge",
        f"charge: it is {age_s / DAY_S:.0f} days old, and no longer kept (dispute_retention_days)",
    )
    return reject(Input(key, value, origin), error)
