"""The card stage: events by card become frames with card features, to go on by merchant.

Here disputes are put in order with the charges, see `streams.labels.dispute_order`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import orjson

from agents.stages.cards_for_tests import are_tests
from schemas.method_table import METHODS
from schemas.rejected import InvalidEvent
from streams.durations import DAY_S, HOUR_S, MINUTE_S
from streams.events.batch import Batch
from streams.events.methods import MethodTable, own_times
from streams.events.origin import decode_label_tail
from streams.events.rejected import Input, Rejected, reject
from streams.events.rows import (
    BLOCK_KINDS,
    CHARGE,
    DISPUTE_WON,
    FRAUD_DISPUTE,
    FRAUD_KINDS,
    Rows,
    row_bytes,
)
from streams.features.deduplication import EVICTED
from streams.features.entities import CARDS
from streams.features.windows import AHEAD_S
from streams.labels.charge_indexes import ChargeIndexes
from streams.labels.dispute_order import DisputeOrder
from streams.labels.waiting import WaitingDisputes
from streams.layouts.raw_rows import put_rows, rows_at
from streams.state.entity_records import EntityRecords
from streams.state.seen_ids import SeenIds
from streams.wire.frames import FRAME, features_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.settings.schema import Settings
    from schemas.method_table import PaymentMethod
    from streams.labels.waiting import Waiting
    from streams.state.record_cache import Lookups, Slots
    from streams.state.tables import TaskState

SEEN = np.dtype([("created", "f8"), ("came", "f8")])
"""When a charge was made, and what its card's clock was when it came; Unix seconds."""

CLOCKS = b"clocks"
"""Under it the table META has the newest time of a charge and of a dispute, Unix seconds."""


class CardOutput(NamedTuple):
    """What a batch gives.

    Attributes
    ----------
    frames
        M frames, each dispute behind its charge.
    times
        f8[M], the clock of the partition at each of them, Unix seconds, never decreasing.
    rejected
        Disputes whose charge did not come.
    """

    frames: Batch
    times: npt.NDArray[np.float64]
    rejected: list[Rejected]

    def part(self, start: int, stop: int) -> Self:
        """Return the frames from `start` up to `stop`."""
        return type(self)(self.frames.part(start, stop), self.times[start:stop], [])


class CardStage:
    """Updates the cards of one task.

    Parameters
    ----------
    state
        Tables of the task.
    dedup_window_s
        For how long a charge id is remembered, seconds of event time.
    dispute_retention_s
        How far apart disputes of one charge may be made for the second to be a duplicate, seconds.
    orphan_wait_s
        By how long charges have to pass a dispute whose charge has not come, seconds.
    future_allowance_s
        How far ahead of the others' time an event may be dated, seconds.
    capacity
        Card records held in memory at most, and distinct cards in a batch.
    has_test_cards
        Whether cards for tests count in nothing.
    methods
        The table of payment methods.

    Attributes
    ----------
    waiting
        The disputes that wait.
    """

    def __init__(
        self,
        state: TaskState,
        dedup_window_s: float,
        dispute_retention_s: float,
        orphan_wait_s: float,
        future_allowance_s: float,
        capacity: int,
        *,
        has_test_cards: bool = False,
        methods: Sequence[PaymentMethod] = METHODS,
    ) -> None:
        self._cards = EntityRecords(state, CARDS, capacity)
        self._charged = SeenIds(state.seen, dedup_window_s)
        self._disputed = SeenIds(state.disputed, dispute_retention_s)
        self._dedup_window_s = dedup_window_s
        self._dispute_retention_s = dispute_retention_s
        self._orphan_wait_s = orphan_wait_s
        self._future_allowance_s = future_allowance_s
        self._has_test_cards = has_test_cards
        self._index = ChargeIndexes(
            state, dispute_retention_s, MethodTable(methods), _retentions_s(methods)
        )
        self.waiting = WaitingDisputes(state.waiting, orphan_wait_s, dispute_retention_s)
        self._order = DisputeOrder(self._index, self.waiting, dedup_window_s)
        self._meta = state.meta
        self._clock_s = self._dispute_clock_s = 0.0
        self._clocks_kept: bytes | None = None
        self._load_clocks()

    def process(self, batch: Batch, *, is_paused: bool = False) -> CardOutput:
        """Count a batch.

        Parameters
        ----------
        batch
            Events as they came; none where charges have paused and nothing else has come.
        is_paused
            Whether no charge has come for a while, so that no dispute waits for its time.
        """
        of_tests = list[Rejected]()
        if self._has_test_cards:
            batch, of_tests = _without_labels_of_tests(batch)
        is_charge = batch.rows["kind"] == CHARGE
        clocks = _clocks(self._clock_s, batch.rows, is_charge)
        dispute_clocks = _clocks(self._dispute_clock_s, batch.rows, ~is_charge)
        ordered = self._order.arrange(batch, clocks, dispute_clocks, is_paused=is_paused)
        self._clock_s, self._dispute_clock_s = float(clocks[-1]), float(dispute_clocks[-1])
        self._index.renew(float(clocks[0]), self._clock_s)
        rejected = of_tests + [self._rejected(dispute) for dispute in ordered.given_up]
        return CardOutput(self._count(ordered.batch), ordered.times, rejected)

    def _count(self, batch: Batch) -> Batch:
        """Count events that are in order; return their frames."""
        slots = self._cards.slots(batch)
        seen_until = self._seen_until(batch.rows, slots)
        evicted = np.zeros(len(batch.rows), EVICTED)
        features, count = self._cards.count(
            slots, batch.rows, seen_until, self._dedup_window_s, evicted
        )
        if count:
            self._remember(evicted[:count])
        self._index_new(batch)
        self._forget()
        rows = np.zeros(len(batch.rows), FRAME)
        put_rows(rows["event"], slice(None), batch.rows)
        rows[features_of(CARDS)] = features
        return Batch(rows, batch.cards, batch.merchants, batch.tails)

    def take_lookups(self) -> Lookups:
        """See `RecordCache.take_lookups`."""
        return self._cards.take_lookups()

    def flush(self) -> None:
        """Put everything changed into the tables."""
        self._cards.flush()
        clocks = orjson.dumps([self._clock_s, self._dispute_clock_s])
        if clocks != self._clocks_kept:
            self._meta.put(CLOCKS, clocks)
            self._clocks_kept = clocks

    def reload(self) -> None:
        """Forget everything changed since the last commit."""
        self._cards.reload()
        self._charged.reload()
        self._disputed.reload()
        self._index.reload()
        self.waiting.reload()
        self._load_clocks()

    def _load_clocks(self) -> None:
        self._clocks_kept = stored = self._meta.get(CLOCKS)
        self._clock_s, self._dispute_clock_s = (
            (0.0, 0.0) if stored is None else orjson.loads(stored)
        )

    def _index_new(self, batch: Batch) -> None:
        """Keep which charges have come, for their disputes."""
        rows = batch.rows
        new = np.flatnonzero((rows["kind"] == CHARGE) & (rows["duplicate"] == 0))
        self._index.add(rows_at(rows, new), [batch.merchants[place] for place in new.tolist()])

    def _rejected(self, dispute: Waiting) -> Rejected:
        """Reject a dispute that has waited in vain."""
        origin, key, value = decode_label_tail(dispute.tail)
        error = InvalidEvent(
            "unknown_charge",
            "charge: no such charge of this card has come in "
            f"{self._dispute_retention_s / DAY_S:g} days (dispute_retention_days), nor up to "
            f"{self._orphan_wait_s / HOUR_S:g} hours after it was made (orphan_wait_hours)",
        )
        return reject(Input(key, value, origin), error)

    def _seen_until(self, events: Rows, slots: Slots) -> npt.NDArray[np.float64]:
        """Tell up to which clock of its card each event is a duplicate, by what the tables know.

        These are duplicate disputes and outcomes, and charges that their card's own short memory
        has lost.
        """
        until = np.full(len(events), -np.inf)
        window_s = self._dedup_window_s
        clocks = self._cards.rows["clock_s"][slots]
        overflow_until = self._cards.rows["overflow_until"][slots]
        overflowed = overflow_until >= np.maximum(clocks, events["created"])
        if self._has_test_cards:
            until[(events["kind"] == CHARGE) & are_tests(events)] = np.inf
        asked = np.flatnonzero((events["kind"] == CHARGE) & overflowed)
        if len(asked):
            stored = self._charged.find(
                row_bytes(events["charge"][asked]),
                (clocks[asked] - window_s - AHEAD_S).tolist(),
                clocks[asked].tolist(),
            )
            for place, values in zip(asked.tolist(), stored, strict=True):
                seen = np.frombuffer(b"".join(values), SEEN)
                same = np.abs(seen["created"] - events["created"][place]) <= window_s
                until[place] = seen["came"][same].max(initial=-np.inf) + window_s + AHEAD_S
        for i in np.flatnonzero(events["kind"] != CHARGE):
            event = events[i]
            if len(self._told(event, event["kind"])):
                until[i] = np.inf
                continue
            event["labelled_at"] = self._labelled_at(event)
            said = bytes([event["kind"]]) + event["charge"].tobytes()
            # Not when it says so itself: what came first counted, and is what may be taken back.
            found = event["created"] if event["labelled_at"] == 0.0 else event["labelled_at"]
            self._disputed.put(said, float(event["created"]), found.tobytes())
        return until

    def _labelled_at(self, event: np.void) -> float:
        """Return when the charge of an event was first found to be a fraud, 0 if it was not.

        A dispute that is won takes back only what a dispute had said. Of an event that says that
        its charge was blocked it is when that was said first.
        """
        if event["kind"] in BLOCK_KINDS:
            times = np.concatenate([self._told(event, kind) for kind in BLOCK_KINDS])
            return float(times.min()) if len(times) else 0.0
        is_won = event["kind"] == DISPUTE_WON
        if event["kind"] not in FRAUD_KINDS and not is_won:
            return 0.0
        times = np.concatenate([self._told(event, kind) for kind in FRAUD_KINDS])
        is_asked = len(times) and not (is_won and not len(self._told(event, FRAUD_DISPUTE)))
        return float(times.min()) if is_asked else 0.0

    def _told(self, event: np.void, kind: int) -> npt.NDArray[np.float64]:
        """Return when the charge of an event has had others of a kind, f8[N], Unix seconds.

        Of a kind that finds a fraud, or a block, it is when the first of all these kinds did.
        """
        created, retention_s = float(event["created"]), self._dispute_retention_s
        said = bytes([kind]) + event["charge"].tobytes()
        (values,) = self._disputed.find([said], [created - retention_s], [created + retention_s])
        times = np.frombuffer(b"".join(values), np.float64)
        return times[np.abs(times - created) <= retention_s]

    def _remember(self, evicted: Rows) -> None:
        seen = np.empty(len(evicted), SEEN)
        for name in ("created", "came"):
            seen[name] = evicted[name]
        came = evicted["came"].tolist()
        for charge, time, value in zip(
            row_bytes(evicted["charge"]), came, row_bytes(seen), strict=True
        ):
            self._charged.put(charge, time, value)

    def _forget(self) -> None:
        """Forget the ids that no card's clock and no dispute can ask for any more."""
        now = self._clock_s - self._future_allowance_s
        self._charged.forget_before(now)
        self._disputed.forget_before(now)
        self._index.forget_before(now)


def _without_labels_of_tests(batch: Batch) -> tuple[Batch, list[Rejected]]:
    """Return a batch without disputes and outcomes of cards for tests, and these as rejected."""
    are_labels = (batch.rows["kind"] != CHARGE) & are_tests(batch.rows)
    if not are_labels.any():
        return batch, []
    error = InvalidEvent("test_card", "card: is one for tests, and nothing is learned of it")
    rejected = []
    for place in np.flatnonzero(are_labels).tolist():
        origin, key, value = decode_label_tail(batch.tails[place])
        rejected.append(reject(Input(key, value, origin), error))
    return batch.at(np.flatnonzero(~are_labels)), rejected


def card_stage(state: TaskState, settings: Settings) -> CardStage:
    """Make the stage of a task as it is set."""
    return CardStage(
        state,
        settings.dedup_window_hours * HOUR_S,
        settings.dispute_retention_days * DAY_S,
        settings.orphan_wait_hours * HOUR_S,
        settings.future_allowance_minutes * MINUTE_S,
        settings.cache_records,
        has_test_cards=settings.test_cards,
        methods=settings.payment_methods,
    )


def _retentions_s(methods: Sequence[PaymentMethod]) -> dict[int, float]:
    """Return for how long the charges of methods are kept, by their codes, where that is told."""
    return {
        own_times(method): method.dispute_retention_days * DAY_S
        for method in methods
        if method.dispute_retention_days is not None
    }


def _clocks(start: float, events: Rows, moving: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return f8[N + 1], a clock before N events and with each of them, which some of them move."""
    clocks = np.empty(len(events) + 1)
    clocks[0], clocks[1:] = start, np.where(moving, events["created"], start)
    return np.maximum.accumulate(clocks)
