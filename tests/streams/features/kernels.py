"""The kernels over records of their own, called as the stages call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.charge import Charge
from schemas.dispute import Dispute
from streams.events.rows import EVENT, Rows, charge_rows, dispute_rows
from streams.features.card import EVICTED, update_cards
from streams.features.card_record import CARD
from streams.features.charge import charge_features
from streams.features.entities import CARDS, CHARGE_FEATURES, MERCHANTS
from streams.features.merchant import update_merchants
from streams.features.merchant_record import MERCHANT
from streams.features.windows import AHEAD_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.streams.features.brute_past import Event

RECORDS = 512


class Result(NamedTuple):
    """What a batch gives.

    Attributes
    ----------
    vectors
        f4[N, features], zeros beyond the charge's own for a dispute.
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
    """

    def __init__(self, dedup_window_s: float = 86400.0, horizon_s: float = 30 * 86400.0) -> None:
        self.cards = np.zeros(RECORDS, CARD)
        self.merchants = np.zeros(RECORDS, MERCHANT)
        self._slots: tuple[dict[str, int], dict[str, int]] = {}, {}
        self._dedup_window_s = dedup_window_s
        self._horizon_s = horizon_s
        self._evicted: dict[bytes, list[tuple[float, float]]] = {}
        self._disputed: set[tuple[bytes, int]] = set()

    def count(self, events: Sequence[Event], charged_at: Sequence[float | None]) -> Result:
        """Count a batch; `charged_at` is when the charge of each dispute was made, if known."""
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

        of_merchant = np.zeros((len(rows), len(MERCHANTS.features)), np.float32)
        update_merchants(
            self.merchants,
            self._slots_of(1, [event.merchant for event in events]),
            rows,
            of_merchant,
            np.array([np.nan if time is None else time for time in charged_at], np.float64),
            rows["duplicate"] == 0,
            self._horizon_s,
        )
        own = np.zeros((len(rows), len(CHARGE_FEATURES)), np.float32)
        charge_features(rows, own)
        return Result(np.hstack((own, of_card, of_merchant)), rows["duplicate"] == 1)

    def save_and_restore(self) -> None:
        """Put every record through its bytes."""
        self.cards = np.frombuffer(self.cards.tobytes(), CARD).copy()
        self.merchants = np.frombuffer(self.merchants.tobytes(), MERCHANT).copy()

    def _slots_of(self, which: int, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        slots = self._slots[which]
        return np.array([slots.setdefault(key, len(slots)) for key in keys], np.int64)

    def _seen_until(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Tell the duplicates that the records themselves cannot know."""
        until = np.full(len(rows), -np.inf)
        window_s = self._dedup_window_s
        for i, row in enumerate(rows):
            charge, kind = row["charge"].tobytes(), int(row["kind"])
            if kind:
                until[i] = np.inf if (charge, kind) in self._disputed else -np.inf
                self._disputed.add((charge, kind))
            else:
                for created, came in self._evicted.get(charge, []):
                    if abs(created - row["created"]) <= window_s:
                        until[i] = max(until[i], came + window_s + AHEAD_S)
        return until


def event_rows(events: Sequence[Event]) -> Rows:
    """Encode charges and disputes in their order."""
    rows = np.zeros(len(events), EVENT)
    charges = [(i, event) for i, event in enumerate(events) if isinstance(event, Charge)]
    disputes = [(i, event) for i, event in enumerate(events) if isinstance(event, Dispute)]
    rows[[i for i, _ in charges]] = charge_rows([charge for _, charge in charges])
    rows[[i for i, _ in disputes]] = dispute_rows([dispute for _, dispute in disputes])
    return rows
