"""Where each dispute counts: behind its charge, and not before charges have reached its own time.

Charges and disputes come from two topics, and either may be read ahead of the other by any time.
Both are in the partition of their card, so the charges of that partition are what a dispute is put
in order with. Its clock is the newest time of these charges; disputes do not move it::

    charges     10:00 a    10:05 b              10:20 c           10:40 d
    disputes                         10:15 (a)          10:30 (x)
    they count  10:00 a    10:05 b   10:15 (a)  10:20 c           10:40 d
                                                        waits: x has not come

A dispute whose charge has not come is given up when charges have passed it by the wait. One whose
charge is known counts just before the first charge that is newer than it, or, where the charges of
the partition have paused, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.events.batch import Batch
from streams.events.rows import CHARGE, EVENT, charge_hashes, hash_of
from streams.labels.charge_index import KnownCharge, is_found_instead
from streams.labels.waiting import Waiting, WaitingDisputes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streams.events.rows import Rows
    from streams.labels.charge_indexes import ChargeIndexes


_FEW = 1000
"""Charges waited for that numpy looks for in a batch; of more, each event is looked up in all."""


class Ordered(NamedTuple):
    """A batch with its disputes in their places.

    Attributes
    ----------
    batch
        M events: the charges as they came, and the disputes that count, at the merchant of their
        charge.
    times
        f8[M], the clock of the partition at each of them, Unix seconds, never decreasing.
    given_up
        The disputes that have waited in vain.
    """

    batch: Batch
    times: npt.NDArray[np.float64]
    given_up: list[Waiting]


class DisputeOrder:
    """Puts the disputes of one task in order with its charges.

    Parameters
    ----------
    index
        The charges that came before.
    waiting
        The disputes that wait.
    dedup_window_s
        How far apart two charges of one id are made at the least, seconds: else it is a duplicate.
    """

    def __init__(
        self, index: ChargeIndexes, waiting: WaitingDisputes, dedup_window_s: float
    ) -> None:
        self._index = index
        self._waiting = waiting
        self._dedup_window_s = dedup_window_s

    def arrange(
        self,
        batch: Batch,
        clocks: npt.NDArray[np.float64],
        dispute_clocks: npt.NDArray[np.float64],
        *,
        is_paused: bool,
    ) -> Ordered:
        """Put a batch in order, with what has waited until now.

        Parameters
        ----------
        batch
            N events as they came.
        clocks
            f8[N + 1], the clock of the partition before the batch, and with each event of it, Unix
            seconds.
        dispute_clocks
            f8[N + 1], the newest time of a dispute likewise.
        is_paused
            Whether no charge has come for a while: then nothing waits for its time.
        """
        disputes = np.flatnonzero(batch.rows["kind"] != CHARGE)
        if not len(disputes) and not self._waiting:
            return Ordered(batch, clocks[1:], [])
        turn = _Turn(batch, clocks, is_paused=is_paused)
        for dispute in self._waiting.due(np.inf if is_paused else float(clocks[-1])):
            turn.place(dispute, -0.5)
        known = self._known(charge_hashes(batch.rows[disputes]), clocks)
        given_up: list[Waiting] = []
        places = self._concerned(batch.rows, disputes)
        for place, charge in zip(places.tolist(), charge_hashes(batch.rows[places]), strict=True):
            if batch.rows["kind"][place] == CHARGE:
                given_up += self._waiting.expired(clocks[place + 1], dispute_clocks[place + 1])
                self._take_charge(turn, known, place, charge)
            else:
                self._take_dispute(turn, known.get(charge), place, charge)
        given_up += self._waiting.expired(clocks[-1], dispute_clocks[-1])
        return turn.ordered(given_up)

    def _take_charge(
        self, turn: _Turn, known: dict[bytes, KnownCharge], place: int, charge: bytes
    ) -> None:
        """Note a charge, unless it is a duplicate, for the disputes that waited for it."""
        created, before = float(turn.batch.rows["created"][place]), known.get(charge)
        if before is None or (
            abs(created - before.created) > self._dedup_window_s
            and is_found_instead(created, before.created)
        ):
            method = self._index.method_of(turn.batch.rows[place : place + 1])
            known[charge] = KnownCharge(created, turn.batch.merchants[place], method)
        for dispute in self._waiting.claim(charge):
            self._place_or_wait(turn, dispute._replace(known=known[charge]), place + 0.5)

    def _take_dispute(
        self, turn: _Turn, known: KnownCharge | None, place: int, charge: bytes
    ) -> None:
        """Place a dispute of the batch, or let it wait."""
        event, now = turn.batch.rows[place], float(turn.clocks[place])
        if known is not None and not self._index.is_remembered(known, now):
            known = None
        created, kind = float(event["created"]), int(event["kind"])
        card, tail = turn.take_out(place)
        dispute = Waiting(charge, card, kind, created, max(created, now), known, tail)
        self._place_or_wait(turn, dispute, place)

    def _known(
        self, charges: Sequence[bytes], clocks: npt.NDArray[np.float64]
    ) -> dict[bytes, KnownCharge]:
        """Return the charges that came before the batch."""
        sought = list(dict.fromkeys(charges))
        found = self._index.find(sought, clocks[0], clocks[-1]) if sought else []
        return {c: known for c, known in zip(sought, found, strict=True) if known is not None}

    def _concerned(self, events: Rows, disputes: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the places of disputes, and of charges that are disputed or waited for."""
        half = events["charge"][:, 0]  # half of the hash, which numpy can look up fast
        waited_for = self._waiting.charges
        if len(waited_for) <= _FEW:
            halves = np.frombuffer(b"".join(waited_for), np.uint64)[::2]
            return np.flatnonzero(np.isin(half, np.concatenate([half[disputes], halves])))
        is_waited_for = [charge in waited_for for charge in charge_hashes(events)]
        return np.flatnonzero(np.isin(half, half[disputes]) | np.array(is_waited_for, np.bool_))

    def _place_or_wait(self, turn: _Turn, dispute: Waiting, earliest: float) -> None:
        if dispute.known is None or not turn.place(dispute, earliest):
            self._waiting.add(dispute)


class _Turn:
    """The order of one batch, as it comes to be.

    An event of the batch is at its number; what is put in between is at half numbers.
    """

    def __init__(self, batch: Batch, clocks: npt.NDArray[np.float64], *, is_paused: bool) -> None:
        self.batch = batch
        self.clocks = clocks
        self._is_paused = is_paused
        self._stays = np.ones(len(batch), np.bool_)
        self._put: list[tuple[float, Waiting]] = []

    def take_out(self, place: int) -> tuple[bytes, bytes]:
        """Take a dispute of the batch out of its place, and return its card and its tail."""
        self._stays[place] = False
        return self.batch.cards[place], self.batch.tails[place]

    def place(self, dispute: Waiting, earliest: float) -> bool:
        """Put a dispute where it counts, and tell whether its time has come."""
        reached = self.clocks[1:]
        first = int(np.searchsorted(reached, dispute.created))  # of the events from when it is due
        if first == len(reached) and dispute.created > self.clocks[-1] and not self._is_paused:
            return False
        is_at_once = first < len(reached) and reached[first] == dispute.created
        at = first + 0.5 if is_at_once else first - 0.5
        self._put.append((max(at, earliest), dispute))
        return True

    def ordered(self, given_up: list[Waiting]) -> Ordered:
        """Return the batch in its order."""
        if not self._put and self._stays.all():
            return Ordered(self.batch, self.clocks[1:], given_up)
        put = sorted(self._put, key=lambda each: (each[0], each[1].created))
        at = np.array([place for place, _ in put])
        stays = np.flatnonzero(self._stays)
        order = np.argsort(np.concatenate([stays, at]), kind="stable")
        own = self.batch.at(stays)
        batch = Batch.joined([own, _as_batch([dispute for _, dispute in put])]).at(order)
        of_put = self.clocks[np.ceil(at).astype(np.intp)]
        clocks = np.concatenate([self.clocks[1 + stays], of_put])
        return Ordered(batch, clocks[order], given_up)


def _as_batch(disputes: Sequence[Waiting]) -> Batch:
    """Return disputes whose charges are known as events at the merchants of these."""
    rows = np.zeros(len(disputes), EVENT)
    batch = Batch(rows)
    for row, dispute in zip(rows, disputes, strict=True):
        assert dispute.known is not None
        row["kind"] = dispute.kind
        row["created"] = dispute.created
        row["charge"] = np.frombuffer(dispute.charge, np.uint64)
        row["card"] = hash_of(dispute.card.decode())
        row["merchant"] = hash_of(dispute.known.merchant.decode())
        row["charged_at"] = dispute.known.created
        batch.cards.append(dispute.card)
        batch.merchants.append(dispute.known.merchant)
        batch.tails.append(dispute.tail)
    return batch
