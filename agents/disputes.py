"""Where disputes meet their charges: in the order of events, however these are cut into batches.

Stream time at an event is the newest event time up to it. What time brings about comes before what
the event does: silence makes negatives, waits end, and only then does the event count::

    charge ........ dispute                a positive at once, after its controls
    dispute ... charge                     waits; a positive when the charge comes
    dispute ................ time is over  rejected
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from agents.references import Referred, Times, charge_hashes, find_referred
from schemas.rejected import InvalidEvent
from streams.decoding import Input, Rejected, reject
from streams.events import CHARGE, FRAUD_DISPUTE, Rows
from streams.frames import decode_dispute_tail
from streams.labels import NO_EXAMPLES, IsLater, LabelJoin, kept_key, kept_keys
from streams.orphans import Orphan, Orphans


class Charged(NamedTuple):
    """A disputed charge: the key it is kept under, and when it was made (Unix seconds)."""

    key: bytes
    created: float


class Joined(NamedTuple):
    """What came of a batch: EXAMPLE[N], and disputes that waited in vain."""

    examples: Rows
    rejected: list[Rejected]


class Disputes:
    """Joins the disputes of one task with its charges.

    Parameters
    ----------
    labels
        The charges that are kept.
    orphans
        The disputes that wait.
    retention_s
        For how long a dispute finds its charge, seconds of stream time.
    """

    def __init__(self, labels: LabelJoin, orphans: Orphans, retention_s: float) -> None:
        self._labels = labels
        self._orphans = orphans
        self._retention_s = retention_s

    def find(self, events: Rows, times: Times) -> dict[int, Charged]:
        """Find the charges of a batch's disputes, among those kept and those of the batch.

        Parameters
        ----------
        events
            EVENT[N], whose charges are not kept yet.
        times
            f8[N], stream time at each event, Unix seconds.

        Returns
        -------
        dict
            By the position of the dispute. A charge that comes after its dispute is not there.
        """
        disputes = np.flatnonzero(events["kind"] != CHARGE)
        referred = find_referred(
            self._labels, events, disputes, times[disputes], self._retention_s, 0.0
        )
        return {position: _charged(events, charge) for position, charge in referred.items()}

    def join(
        self, events: Rows, times: Times, found: Mapping[int, Charged], tails: Sequence[bytes]
    ) -> Joined:
        """Join a batch whose charges are kept by now.

        Parameters
        ----------
        events, times
            As for `find`.
        found
            What `find` returned.
        tails
            N tails of the frames.
        """
        disputes = np.flatnonzero(events["kind"] != CHARGE)
        # Labels come of charges only where a dispute waits for its charge, or is about to.
        is_any_waiting = self._orphans or len(found) < len(disputes)
        concerned = np.arange(len(events)) if is_any_waiting else disputes
        if not len(concerned):
            return Joined(NO_EXAMPLES, [])
        labelled: list[Rows] = [NO_EXAMPLES]
        given_up: list[Orphan] = []
        kinds, repeats = events["kind"].tolist(), events["duplicate"].tolist()
        positions = cache(lambda: _positions(events))
        for position, charge in zip(
            concerned.tolist(), charge_hashes(events[concerned]), strict=True
        ):
            kind, now = kinds[position], times[position]

            def is_later(key: bytes, position: int = position) -> bool:
                return positions().get(key, -1) > position

            if kind == CHARGE:
                if charge in self._orphans and not repeats[position]:
                    given_up.extend(self._orphans.expired(now))
                    labelled.extend(self._claim(charge, events[position], now, is_later))
            elif position not in found:
                self._orphans.add(Orphan(charge, kind, now, tails[position]))
            elif kind == FRAUD_DISPUTE:
                labelled.extend(self._label(found[position].key, now, is_later))
        given_up.extend(self._orphans.expired(times[-1]))
        return Joined(np.concatenate(labelled), [_rejected(orphan) for orphan in given_up])

    def _claim(
        self, charge: bytes, event: np.void, now: float, is_later: IsLater
    ) -> Iterator[Rows]:
        """Label a charge whose disputes were here before it."""
        for orphan in self._orphans.claim(charge):
            if orphan.kind == FRAUD_DISPUTE:
                yield from self._label(kept_key(event), now, is_later)

    def _label(self, key: bytes, now: float, is_later: IsLater) -> Iterator[Rows]:
        """Make a positive and its controls, unless the charge has been one before."""
        positive = self._labels.label(key, now)
        if len(positive):
            yield self._labels.controls(key, now, is_later)
            yield positive


def _positions(events: Rows) -> Mapping[bytes, int]:
    """Return the last position of each key that the batch's charges are kept under."""
    charges = np.flatnonzero((events["kind"] == CHARGE) & (events["duplicate"] == 0))
    return dict(zip(kept_keys(events[charges]), charges.tolist(), strict=True))


def _charged(events: Rows, charge: Referred) -> Charged:
    if isinstance(charge, int):
        return Charged(kept_key(events[charge]), float(events["created"][charge]))
    return Charged(charge.key, float(charge.charge["created"]))


def _rejected(orphan: Orphan) -> Rejected:
    origin, key, value = decode_dispute_tail(orphan.tail)
    error = InvalidEvent("unknown_charge", "charge: no such charge was seen")
    return reject(Input(key, value, origin), error)
