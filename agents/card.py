"""The card stage: events by card become frames with card features, keyed by merchant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.card_features import EVICTED, update_cards
from streams.card_record import CARD
from streams.events import CHARGE, Rows
from streams.features import CARD_FEATURES
from streams.frames import encode_frames
from streams.records import RecordCache, Slots
from streams.state import TaskState


@dataclass(slots=True)
class CardBatch:
    """Events of one task in the order they are to count: EVENT[N] and N keys and tails each."""

    rows: Rows
    cards: Sequence[bytes]
    merchants: Sequence[bytes]
    tails: Sequence[bytes]


class CardStage:
    """Updates the cards of one task.

    Parameters
    ----------
    state
        Tables of the task.
    dedup_window_s
        For how long a charge id is remembered, seconds of event time.
    capacity
        Card records held in memory at most, and distinct cards in a batch.
    """

    def __init__(self, state: TaskState, dedup_window_s: float, capacity: int) -> None:
        self.cache = RecordCache(state.cards, CARD, capacity)
        self._seen = state.seen
        self._dedup_window_s = dedup_window_s

    def process(self, batch: CardBatch) -> list[bytes]:
        """Count a batch and return its frames, one an event, in the same order."""
        slots = self.cache.slots(batch.cards)
        seen = self._seen_before(batch.rows, slots)
        features = np.zeros((len(batch.rows), len(CARD_FEATURES)), np.float32)
        evicted = np.zeros(len(batch.rows), EVICTED)
        count = update_cards(
            self.cache.records,
            slots,
            batch.rows,
            seen,
            self._dedup_window_s,
            features,
            evicted,
        )
        self._remember(evicted[:count])
        return encode_frames(batch.rows, features, batch.cards, batch.tails)

    def flush(self) -> None:
        """Put everything changed into the tables."""
        self.cache.flush()

    def reload(self) -> None:
        """Forget everything changed since the last commit."""
        self.cache.clear()

    def _seen_before(self, events: Rows, slots: Slots) -> npt.NDArray[np.bool_]:
        """Tell which events the exact store knows.

        These are repeated disputes, and charges that their card's own short memory has lost.
        """
        seen = np.zeros(len(events), np.bool_)
        overflowed = self.cache.records["overflow_until"][slots] >= events["created"]
        asked = np.flatnonzero((events["kind"] == CHARGE) & overflowed)
        stored = self._seen.get_many([_seen_key(events[i]) for i in asked])
        for i, times in zip(asked, stored, strict=True):
            if times is not None:
                apart_s = np.abs(np.frombuffer(times, np.float64) - events["created"][i])
                seen[i] = apart_s.min() <= self._dedup_window_s
        for i in np.flatnonzero(events["kind"] != CHARGE):
            key = _seen_key(events[i])
            seen[i] = self._seen.get(key) is not None
            self._seen.put(key, b"")
        return seen

    def _remember(self, evicted: Rows) -> None:
        for row in evicted:
            key = bytes([CHARGE]) + row["charge"].tobytes()
            self._seen.put(key, (self._seen.get(key) or b"") + row["created"].tobytes())


def _seen_key(event: np.void) -> bytes:
    """Give the key of the times of a charge id, or of a charge's dispute of one kind."""
    return bytes([event["kind"]]) + bytes(event["charge"])
