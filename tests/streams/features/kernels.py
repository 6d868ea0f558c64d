"""The kernels over records of their own, called as the stages call them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.shared_entities.columns import Columns
from agents.shared_entities.entity_stage import EntityStage
from agents.shared_entities.in_memory import SharedInMemory
from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.method_table import METHODS
from schemas.outcome import Outcome
from schemas.scored import ALLOW, BLOCK, CHALLENGE
from streams.durations import DAY_S, HOUR_S
from streams.events.batch import RowBatch
from streams.events.methods import MethodTable
from streams.events.rows import (
    BLOCK_KINDS,
    CHARGE,
    DISPUTE_WON,
    EVENT,
    FRAUD_DISPUTE,
    FRAUD_KINDS,
    STOPPED,
    Rows,
    charge_rows,
    dispute_rows,
    outcome_rows,
)
from streams.features.card import EVICTED, update_cards
from streams.features.card_record import CARD
from streams.features.charge import charge_features
from streams.features.entities import CARDS, CHARGE_FEATURES, MERCHANTS
from streams.features.merchant import update_merchants
from streams.features.merchant_fraud_history import count_stopped
from streams.features.merchant_record import MERCHANT
from streams.features.windows import AHEAD_S
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from streams.wire.frames import FRAME

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from tests.streams.features.brute_past import AnyEvent

RECORDS = 512
ENTITIES = ("device", "ip", "email")


class Result(NamedTuple):
    """What a batch gives.

    Attributes
    ----------
    vectors
        f4[N, features], zeros beyond the charge's own for what is no charge.
    duplicates
        bool[N].
    """

    vectors: npt.NDArray[np.float32]
    duplicates: npt.NDArray[np.bool_]


class Kernels:
    """Cards and merchants of one stream.

    Parameters
    ----------
    dedup_window_s, horizon_s
        As for the kernels.
    stopped
        Charges that are challenged, reviewed or blocked once they are scored.
    blocked
        Those of them that are blocked.
    """

    def __init__(
        self,
        dedup_window_s: float = DAY_S,
        horizon_s: float = 30 * DAY_S,
        stopped: Container[Charge] = frozenset(),
        blocked: Container[Charge] = frozenset(),
    ) -> None:
        self.cards = np.zeros(RECORDS, CARD)
        self.merchants = np.zeros(RECORDS, MERCHANT)
        self._slots: tuple[dict[str, int], dict[str, int]] = {}, {}
        self._dedup_window_s = dedup_window_s
        self._horizon_s = horizon_s
        self._evicted: dict[bytes, list[tuple[float, float]]] = {}
        self._disputed: set[tuple[bytes, int]] = set()
        self._found: dict[tuple[bytes, tuple[int, ...]], float] = {}
        self._stopped = stopped
        self._blocked = blocked
        self._stream_time = 0.0
        self._entities = EntityStage(TaskState(MemoryStore()), RECORDS)
        self._shared = SharedInMemory(self._entities, ENTITIES)
        self._columns = Columns(ENTITIES)
        self._keys_of: dict[bytes, npt.NDArray[np.uint64]] = {}

    def count(self, events: Sequence[AnyEvent], charged_at: Sequence[float | None]) -> Result:
        """Count a batch; `charged_at` is when the charge of each other event was made, if known."""
        rows = event_rows(events)
        of_card = np.zeros((len(rows), len(CARDS.features)), np.float32)
        evicted = np.zeros(len(rows), EVICTED)
        evictions = update_cards(
            self.cards,
            self._slots_of(0, [event.card for event in events]),
            rows,
            of_card,
            self._seen_until(rows),
            self._dedup_window_s,
            evicted,
        )
        for entry in evicted[:evictions]:
            times = (entry["created"], entry["came"])
            self._evicted.setdefault(entry["charge"].tobytes(), []).append(times)

        before = self._stream_time
        of_merchant = self._at_merchants(events, rows, charged_at)
        of_shared = self._at_shared(events, rows, before)
        own = np.zeros((len(rows), len(CHARGE_FEATURES)), np.float32)
        charge_features(rows, own, MethodTable(METHODS).lacking(rows))
        return Result(np.hstack((own, of_card, of_merchant, of_shared)), rows["duplicate"] == 1)

    def _at_merchants(
        self, events: Sequence[AnyEvent], rows: Rows, charged_at: Sequence[float | None]
    ) -> npt.NDArray[np.float32]:
        """Count a batch at its merchants, one hour of stream time after the other."""
        features = np.zeros((len(rows), len(MERCHANTS.features)), np.float32)
        slots = self._slots_of(1, [event.merchant for event in events])
        made = np.array([np.nan if time is None else time for time in charged_at], np.float64)
        created = np.where(rows["kind"] == CHARGE, rows["created"], 0.0)
        times = np.maximum.accumulate(np.maximum(created, self._stream_time))
        self._stream_time = float(times[-1])
        is_counted = rows["duplicate"] == 0
        actions = np.array([self._action(event) for event in events], np.uint8)
        actions[~is_counted] = ALLOW
        hours = [time // HOUR_S for time in times]
        ends = [i for i in range(1, len(hours)) if hours[i] != hours[i - 1]]
        for part in (slice(*ends) for ends in pairwise([0, *ends, len(hours)])):
            update_merchants(
                self.merchants,
                slots[part],
                rows[part],
                features[part],
                made[part],
                is_counted[part],
                times[part],
                self._horizon_s,
            )
            count_stopped(self.merchants, slots[part], actions[part], times[part])
        return features

    def _at_shared(
        self, events: Sequence[AnyEvent], rows: Rows, stream_time: float
    ) -> npt.NDArray[np.float32]:
        """Count a batch at what charges share, and tell it what became of them."""
        frames = np.zeros(len(rows), FRAME)
        frames["event"] = rows
        created = np.where(rows["kind"] == CHARGE, rows["created"], 0.0)
        times = np.maximum.accumulate(np.maximum(created, stream_time))
        features, start = [], 0
        for part, found in self._shared.by_hour(RowBatch(frames), times):
            shared = found or self._columns.none(len(part))
            features.append(shared.features)
            of_part = slice(start, start + len(part))
            self._tell(events[of_part], rows[of_part], shared.keys, times[of_part])
            start += len(part)
        return np.concatenate(features)

    def _tell(
        self,
        events: Sequence[AnyEvent],
        rows: Rows,
        keys: npt.NDArray[np.uint64],
        times: npt.NDArray[np.float64],
    ) -> None:
        for event, row, own, now in zip(events, rows, keys, times, strict=True):
            charge, kind = row["charge"].tobytes(), int(row["kind"])
            is_labelled = row["labelled_at"] != 0.0
            told = -1
            if row["duplicate"]:
                continue
            if kind == CHARGE:
                self._keys_of[charge] = own
                told = STOPPED if self._action(event) == BLOCK else -1
            elif kind in FRAUD_KINDS and not is_labelled:
                told = FRAUD_DISPUTE
            elif kind == DISPUTE_WON and is_labelled:
                told = DISPUTE_WON
            if told >= 0 and charge in self._keys_of:
                self._entities.process(
                    self._columns.events(
                        self._keys_of[charge][None],
                        row["charge"][None],
                        np.array([told], np.uint8),
                        np.array([now]),
                    )
                )

    def _action(self, event: AnyEvent) -> int:
        if not isinstance(event, Charge) or event not in self._stopped:
            return ALLOW
        return BLOCK if event in self._blocked else CHALLENGE

    def save_and_restore(self) -> None:
        """Put every record through its bytes."""
        self.cards = np.frombuffer(self.cards.tobytes(), CARD).copy()
        self.merchants = np.frombuffer(self.merchants.tobytes(), MERCHANT).copy()
        self._entities.flush()
        self._entities.reload()

    def _slots_of(self, which: int, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        slots = self._slots[which]
        return np.array([slots.setdefault(key, len(slots)) for key in keys], np.int64)

    def _seen_until(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Tell the duplicates that the records themselves cannot know; set `labelled_at`."""
        until = np.full(len(rows), -np.inf)
        window_s = self._dedup_window_s
        for i, row in enumerate(rows):
            charge, kind = row["charge"].tobytes(), int(row["kind"])
            if kind:
                until[i] = np.inf if (charge, kind) in self._disputed else -np.inf
                self._disputed.add((charge, kind))
                row["labelled_at"] = self._labelled_at(charge, kind, row["created"])
            else:
                for created, came in self._evicted.get(charge, []):
                    if abs(created - row["created"]) <= window_s:
                        until[i] = max(until[i], came + window_s + AHEAD_S)
        return until

    def _labelled_at(self, charge: bytes, kind: int, created: float) -> float:
        """Tell when the charge was found to be a fraud before, 0 if the event does not ask.

        Or when it was told to be blocked, if the event tells so as well.
        """
        if kind == DISPUTE_WON and (charge, FRAUD_DISPUTE) in self._disputed:
            return self._found[charge, FRAUD_KINDS]
        for kinds in (FRAUD_KINDS, BLOCK_KINDS):
            if kind in kinds:
                before = self._found.get((charge, kinds), 0.0)
                self._found.setdefault((charge, kinds), float(created))
                return before
        return 0.0


def event_rows(events: Sequence[AnyEvent]) -> Rows:
    """Encode charges, disputes and outcomes in their order."""
    rows = np.zeros(len(events), EVENT)
    charges = [(i, event) for i, event in enumerate(events) if isinstance(event, Charge)]
    disputes = [(i, event) for i, event in enumerate(events) if isinstance(event, Dispute)]
    outcomes = [(i, event) for i, event in enumerate(events) if isinstance(event, Outcome)]
    rows[[i for i, _ in charges]] = charge_rows([charge for _, charge in charges])
    rows[[i for i, _ in disputes]] = dispute_rows([dispute for _, dispute in disputes])
    rows[[i for i, _ in outcomes]] = outcome_rows([outcome for _, outcome in outcomes])
    return rows
