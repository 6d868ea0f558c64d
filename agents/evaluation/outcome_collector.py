"""What scored charges and their disputes come to: the outcomes of the charges of a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from agents.evaluation import segments
from agents.evaluation.matured_sums import MaturedCharges
from agents.evaluation.outcomes import Outcomes
from schemas.method_table import METHODS
from schemas.scored import ALLOW
from streams.durations import DAY_S
from streams.events.methods import MethodTable
from streams.events.rows import FRAUD_DISPUTE, Rows
from streams.wire.matured import MATURED_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from schemas.method_table import PaymentMethod

_COLUMNS = np.dtype(
    [
        ("created", "f8"),
        ("amount", "f8"),
        ("score", "f8"),
        ("charge", "u8", (2,)),
        ("card", "u8"),
        ("merchant", "u8"),
        ("country", "u2"),
        ("channel", "u1"),
        ("method", "u1"),
        ("action", "u1"),
        ("withheld", "u1"),
        ("propensity", "f4"),
        ("first_of_card", "?"),
    ]
)
"""What is kept of a charge until all labels are known: 67 bytes. `method` is its row in the table
of payment methods."""


_DISPUTES = np.dtype([("charge", "u8", (2,)), ("created", "f8")])


class Drawn(NamedTuple):
    """Charges that were let through for the holdout.

    Attributes
    ----------
    places
        Where they are among the outcomes, i8[M].
    withheld
        What would have been done, u1[M], indexes into `schemas.scored.ACTIONS`.
    """

    places: NDArray[np.intp]
    withheld: NDArray[np.uint8]


class _Score(msgspec.Struct, gc=False):
    """All that is read of a scored event."""

    score: float


_decode = msgspec.json.Decoder(_Score).decode


class Gathering:
    """Keeps of the scored charges what an evaluation needs.

    A charge counts once: a duplicate of it does not. It is a fraud when any dispute says so,
    however late.

    Parameters
    ----------
    start, end
        Only charges created from `start` up to, and without, `end` count, Unix seconds.
    methods
        The table of payment methods.

    Attributes
    ----------
    newest
        Newest event time seen, Unix seconds; minus infinity before any.
    charges, duplicates
        Scored charges seen, whenever they were made, and how many of them were duplicates.
    matured
        What was told at their horizon of charges that count.
    """

    def __init__(
        self,
        start: float = -np.inf,
        end: float = np.inf,
        methods: Sequence[PaymentMethod] = METHODS,
    ) -> None:
        self.newest = -np.inf
        self.charges = 0
        self.duplicates = 0
        self.matured = MaturedCharges()
        self._newest_charge = -np.inf
        self._start, self._end = start, end
        self._methods = MethodTable(methods)
        self._parts: list[Rows] = [np.empty(0, _COLUMNS)]
        self._disputes: list[Rows] = [np.empty(0, _DISPUTES)]

    def add_events(self, events: Rows) -> None:
        """Take the labels and the time of EVENT[N], disputes and charges."""
        if len(events):
            self.newest = max(self.newest, float(events["created"].max()))
            disputes = events[["charge", "created"]][events["kind"] == FRAUD_DISPUTE]
            self._disputes.append(disputes.astype(_DISPUTES))

    def add_scored(
        self,
        charges: Rows,
        first_of_card: NDArray[np.bool_],
        answers: Rows,
        scored: Sequence[bytes],
    ) -> None:
        """Take scored charges.

        Parameters
        ----------
        charges
            EVENT[N].
        first_of_card
            bool[N], whether the card was new.
        answers
            PENDING[N].
        scored
            N scored events as they are written; it is their scores that count.
        """
        is_duplicate = charges["duplicate"] != 0
        self.charges += len(charges)
        self.duplicates += int(np.count_nonzero(is_duplicate))
        created = charges["created"]
        self._newest_charge = max(self._newest_charge, float(created.max(initial=-np.inf)))
        rows = np.flatnonzero(~is_duplicate & (created >= self._start) & (created < self._end))
        part = np.empty(len(rows), _COLUMNS)
        for name in ("created", "amount", "charge", "card", "merchant", "channel"):
            part[name] = charges[name][rows]
        part["country"] = charges["card_country"][rows]
        part["method"] = self._methods.rows(charges)[rows]
        part["score"] = [_decode(scored[row]).score for row in rows.tolist()]
        part["action"] = answers["action"][rows]
        part["withheld"] = answers["withheld"][rows]
        part["propensity"] = answers["propensity"][rows]
        part["first_of_card"] = first_of_card[rows]
        self._parts.append(part)

    def add_matured(self, charges: Rows) -> None:
        """Take what is told of charges at their horizon, MATURED_CHARGE[N]."""
        created = charges["created"]
        self.matured.add(charges[(created >= self._start) & (created < self._end)])

    def still_disputable(self, horizon_s: float) -> int:
        """Return how many charges of the period are too young to count as genuine for good.

        `horizon_s` is that of cards, and of all methods that have none of their own.
        """
        return sum(
            int(np.count_nonzero(part["created"] > self.newest - self._horizons_s(part, horizon_s)))
            for part in self._parts
        )

    def drawn(self) -> Drawn:
        """Return the charges of the period that were let through for the holdout."""
        rows = np.concatenate(self._parts)
        places = np.flatnonzero(rows["withheld"] != ALLOW)
        return Drawn(places, rows["withheld"][places])

    def all_matured(self, horizon_s: float) -> tuple[Rows, NDArray[np.bool_]]:
        """Return what a sight of all labels would tell of the charges whose horizon has passed.

        `horizon_s` is as for `still_disputable`.

        Returns
        -------
        tuple
            MATURED_CHARGE[N], with nothing said of what was seen; and bool[N], whether they would
            be disputed before their horizon.
        """
        rows = np.concatenate(self._parts)
        horizons_s = self._horizons_s(rows, horizon_s)
        is_past = rows["created"] < self._newest_charge - horizons_s
        rows, until = rows[is_past], (rows["created"] + horizons_s)[is_past]
        charges = MATURED_LAYOUT.new(len(rows))
        for name in ("charge", "card", "created", "score"):
            charges[name] = rows[name]
        charges["action"] = np.where(rows["withheld"] != ALLOW, rows["withheld"], rows["action"])
        charges["propensity"] = rows["propensity"]
        charges["propensity"][charges["action"] == ALLOW] = 1.0
        disputes = np.concatenate(self._disputes)
        disputed_at: dict[tuple[int, ...], float] = {}
        for charge, at in zip(disputes["charge"].tolist(), disputes["created"], strict=True):
            disputed_at[tuple(charge)] = min(float(at), disputed_at.get(tuple(charge), np.inf))
        is_fraud = _are_in(rows["charge"], disputes["charge"])
        is_fraud[is_fraud] = [
            disputed_at[tuple(charge)] <= last
            for charge, last in zip(
                rows["charge"][is_fraud].tolist(), until[is_fraud].tolist(), strict=True
            )
        ]
        return charges, is_fraud

    def _horizons_s(self, rows: Rows, horizon_s: float) -> NDArray[np.float64]:
        return self._methods.horizons_s(rows["method"], horizon_s)

    def outcomes(self) -> Outcomes:
        """Return how all charges of the period turned out, in the order in which they came."""
        rows = np.concatenate(self._parts)
        self._parts = [rows]
        created = rows["created"]
        days = max(float(np.ptp(created)) / DAY_S, 1.0) if len(rows) else 1.0
        return Outcomes(
            created=created,
            card=rows["card"].astype(np.int64),
            amount=rows["amount"],
            score=rows["score"],
            action=rows["action"],
            fraud=_are_in(rows["charge"], np.concatenate(self._disputes)["charge"]),
            segments={
                "channel": segments.channel(rows["channel"]),
                "country": segments.country(rows["country"]),
                "amount_band": segments.amount_band(rows["amount"]),
                "merchant_size": segments.merchant_size(rows["merchant"], days),
                "card_history": segments.card_history(rows["first_of_card"]),
            },
        )


def _are_in(charges: NDArray[np.uint64], frauds: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which of u8[N, 2] hashes are among u8[M, 2]."""
    found = np.isin(charges[:, 0], frauds[:, 0])
    alike = np.flatnonzero(found)  # in half of the hash, which numpy can look up fast
    known = set(map(tuple, frauds.tolist()))
    found[alike] = [tuple(pair) in known for pair in charges[alike].tolist()]
    return found
