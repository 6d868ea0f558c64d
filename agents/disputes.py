"""Where disputes meet their charges: in the order of events, however these are cut into batches.

Stream time at an event is the newest event time up to it. What time brings about comes before what
the event does: silence makes negatives, waits end, and only then does the event count::

    charge ........ dispute                a positive at once
    dispute ... charge                     waits; a positive when the charge comes
    dispute ................ time is over  rejected
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.rejected import InvalidEvent
from streams.decoding import Input, Rejected, reject
from streams.events import CHARGE, FRAUD_DISPUTE, Rows
from streams.frames import EXAMPLE, decode_dispute_tail
from streams.labels import LabelJoin, kept_key
from streams.orphans import Orphan, Orphans
from streams.windows import DAY_S

Times = npt.NDArray[np.float64]


class Charged(NamedTuple):
    """A disputed charge: the key it is kept under, and when it was made (Unix seconds)."""

    key: bytes
    created: float


class Joined(NamedTuple):
    """What came of a batch: EXAMPLE[N] of the positives, and disputes that waited in vain."""

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
        if not len(disputes):
            return {}
        hashes, now = events["charge"][disputes], times[disputes]
        kept = self._labels.find(hashes, now, self._retention_s, 0.0)
        found = {
            position: Charged(match.key, float(match.charge["created"]))
            for position, match in zip(disputes.tolist(), kept, strict=True)
            if match is not None
        }
        for position, charged in _charged_before(events, disputes):
            lapsed = charged.created // DAY_S < (times[position] - self._retention_s) // DAY_S
            if not lapsed and charged.key >= found.get(position, charged).key:
                found[position] = charged
        return found

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
        labelled: list[Rows] = [np.empty(0, EXAMPLE)]
        given_up: list[Orphan] = []
        kinds, repeats = events["kind"].tolist(), events["duplicate"].tolist()
        for position, charge in enumerate(_hashes(events)):
            kind, now = kinds[position], times[position]
            if kind == CHARGE:
                if charge in self._orphans and not repeats[position]:
                    given_up.extend(self._orphans.expired(now))
                    labelled.extend(self._claim(charge, events[position], now))
            elif position not in found:
                self._orphans.add(Orphan(charge, kind, now, tails[position]))
            elif kind == FRAUD_DISPUTE:
                labelled.append(self._labels.label(found[position].key, now))
        given_up.extend(self._orphans.expired(times[-1]))
        return Joined(np.concatenate(labelled), [_rejected(orphan) for orphan in given_up])

    def _claim(self, charge: bytes, event: np.void, now: float) -> Iterator[Rows]:
        """Label a charge whose disputes were here before it."""
        for orphan in self._orphans.claim(charge):
            if orphan.kind == FRAUD_DISPUTE:
                yield self._labels.label(kept_key(event), now)


def _charged_before(events: Rows, disputes: npt.NDArray[np.intp]) -> Iterator[tuple[int, Charged]]:
    """Yield disputes by position, each with the last charge of its id before it in the batch."""
    hashes = _hashes(events)
    disputed = {hashes[position] for position in disputes.tolist()}
    latest: dict[bytes, Charged] = {}
    for position in [i for i, charge in enumerate(hashes) if charge in disputed]:
        event, charge = events[position], hashes[position]
        if event["kind"] == CHARGE and not event["duplicate"]:
            latest[charge] = Charged(kept_key(event), float(event["created"]))
        elif event["kind"] != CHARGE and charge in latest:
            yield position, latest[charge]


def _hashes(events: Rows) -> list[bytes]:
    raw = events["charge"].tobytes()
    return [raw[i : i + 16] for i in range(0, len(raw), 16)]


def _rejected(orphan: Orphan) -> Rejected:
    origin, key, value = decode_dispute_tail(orphan.tail)
    error = InvalidEvent("unknown_charge", "charge: no such charge was seen")
    return reject(Input(key, value, origin), error)
