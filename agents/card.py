"""The card stage: events by card become frames with card features, to go on by merchant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streams.card_features import EVICTED, update_cards
from streams.card_record import CARD
from streams.events import CHARGE, Rows
from streams.features import CARD_FEATURES
from streams.frames import FRAME, Frames
from streams.records import RecordCache, Slots
from streams.seen import SeenIds
from streams.windows import AHEAD_S

if TYPE_CHECKING:
    from agents.settings import Settings
    from streams.state import TaskState

SEEN = np.dtype([("created", "f8"), ("came", "f8")])
"""When a charge was made, and what its card's clock was when it came; Unix seconds."""

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0


@dataclass(slots=True)
class CardBatch:
    """Events of one task in the order they are to count: EVENT[N] and N keys and tails each."""

    rows: Rows
    cards: list[bytes]
    merchants: list[bytes]
    tails: list[bytes]


class CardStage:
    """Updates the cards of one task.

    Parameters
    ----------
    state
        Tables of the task.
    dedup_window_s
        For how long a charge id is remembered, seconds of event time.
    dispute_retention_s
        How far apart disputes of one charge may be made for the second to be a repeat, seconds.
    future_allowance_s
        How far ahead of the others' time an event may be dated, seconds.
    capacity
        Card records held in memory at most, and distinct cards in a batch.
    """

    def __init__(
        self,
        state: TaskState,
        dedup_window_s: float,
        dispute_retention_s: float,
        future_allowance_s: float,
        capacity: int,
    ) -> None:
        self.cache = RecordCache(state.cards, CARD, capacity)
        self._charged = SeenIds(state.seen, dedup_window_s)
        self._disputed = SeenIds(state.disputed, dispute_retention_s)
        self._dedup_window_s = dedup_window_s
        self._dispute_retention_s = dispute_retention_s
        self._future_allowance_s = future_allowance_s

    def process(self, batch: CardBatch) -> Frames:
        """Count a batch and return its frames, one an event, in the same order."""
        slots = self.cache.slots(batch.cards)
        seen_until = self._seen_until(batch.rows, slots)
        features = np.zeros((len(batch.rows), len(CARD_FEATURES)), np.float32)
        evicted = np.zeros(len(batch.rows), EVICTED)
        count = update_cards(
            self.cache.records,
            slots,
            batch.rows,
            seen_until,
            self._dedup_window_s,
            features,
            evicted,
        )
        if count:
            self._remember(evicted[:count])
        self._forget(batch.rows)
        rows = np.empty(len(batch.rows), FRAME)
        rows["event"] = batch.rows
        rows["card_features"] = features
        return Frames(rows, batch.merchants, batch.cards, batch.tails)

    def flush(self) -> None:
        """Put everything changed into the tables."""
        self.cache.flush()

    def reload(self) -> None:
        """Forget everything changed since the last commit."""
        self.cache.clear()
        self._charged.reload()
        self._disputed.reload()

    def _seen_until(self, events: Rows, slots: Slots) -> npt.NDArray[np.float64]:
        """Tell up to which clock of its card each event is a repeat, by what the tables know.

        These are repeated disputes, and charges that their card's own short memory has lost.
        """
        until = np.full(len(events), -np.inf)
        window_s = self._dedup_window_s
        clocks = self.cache.records["clock_s"][slots]
        overflow_until = self.cache.records["overflow_until"][slots]
        overflowed = overflow_until >= np.maximum(clocks, events["created"])
        asked = np.flatnonzero((events["kind"] == CHARGE) & overflowed)
        if len(asked):
            stored = self._charged.find(
                _as_keys(events["charge"][asked]),
                (clocks[asked] - window_s - AHEAD_S).tolist(),
                clocks[asked].tolist(),
            )
            for place, values in zip(asked.tolist(), stored, strict=True):
                seen = np.frombuffer(b"".join(values), SEEN)
                same = np.abs(seen["created"] - events["created"][place]) <= window_s
                until[place] = seen["came"][same].max(initial=-np.inf) + window_s + AHEAD_S
        for i in np.flatnonzero(events["kind"] != CHARGE):
            if self._is_repeated_dispute(events[i]):
                until[i] = np.inf
        return until

    def _is_repeated_dispute(self, event: np.void) -> bool:
        """Tell whether a charge has had a dispute of this kind before; remember it if not."""
        created, retention_s = float(event["created"]), self._dispute_retention_s
        dispute = bytes([event["kind"]]) + event["charge"].tobytes()
        (values,) = self._disputed.find([dispute], [created - retention_s], [created + retention_s])
        times = np.frombuffer(b"".join(values), np.float64)
        if (np.abs(times - created) <= retention_s).any():
            return True
        self._disputed.put(dispute, created, event["created"].tobytes())
        return False

    def _remember(self, evicted: Rows) -> None:
        seen = np.empty(len(evicted), SEEN)
        for name in ("created", "came"):
            seen[name] = evicted[name]
        came = evicted["came"].tolist()
        for charge, time, value in zip(
            _as_keys(evicted["charge"]), came, _as_keys(seen), strict=True
        ):
            self._charged.put(charge, time, value)

    def _forget(self, events: Rows) -> None:
        """Forget the ids that no card's clock and no dispute can ask for any more."""
        now = float(events["created"].max(initial=0.0)) - self._future_allowance_s
        self._charged.forget_before(now)
        self._disputed.forget_before(now)


def card_stage(state: TaskState, settings: Settings) -> CardStage:
    """Make the stage of a task as it is set."""
    return CardStage(
        state,
        settings.dedup_window_hours * _HOUR_S,
        settings.dispute_retention_days * _DAY_S,
        settings.future_allowance_minutes * _MINUTE_S,
        settings.cache_records,
    )


def _as_keys(rows: npt.NDArray[Any]) -> list[bytes]:
    """Return the bytes of each row."""
    raw = rows.tobytes()
    size = len(raw) // max(len(rows), 1)
    return [raw[i * size : (i + 1) * size] for i in range(len(rows))]
