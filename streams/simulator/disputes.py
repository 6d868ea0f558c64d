"""Which charges are disputed, when and why."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from streams.durations import DAY_S
from streams.simulator.fraud_patterns import FRIENDLY_FRAUD, PATTERNS
from streams.simulator.randomness import F64, I64
from streams.simulator.rows import Channel, Rows

FRAUDULENT: Final = "fraudulent"
OTHER_REASONS: Final = (
    "product_not_received",
    "product_unacceptable",
    "credit_not_processed",
    "duplicate",
    "subscription_canceled",
    "unrecognized",
    "general",
)
_REASON_SHARES = {
    Channel.ONLINE: (0.42, 0.18, 0.14, 0.08, 0.03, 0.09, 0.06),
    Channel.IN_PERSON: (0.04, 0.16, 0.22, 0.34, 0.00, 0.14, 0.10),
    Channel.RECURRING: (0.05, 0.05, 0.12, 0.08, 0.62, 0.04, 0.04),
}

WARNING_DAYS: Final = (1.0, 5.0)
"""An issuer's early fraud warning comes after this many days."""

CHARGEBACK_MEDIAN_DAYS: Final = 17.0
CHARGEBACK_SPREAD: Final = 0.7
"""Standard deviation of the log delay: one chargeback in five comes after 30 days."""

CHARGEBACK_MAX_DAYS: Final = 120.0
"""The card networks' usual time limit."""

_BOTH_SHARE = 0.3


class Dispute(NamedTuple):
    """One dispute to come: the row disputed, days after it, the reason, and which of the row's."""

    row: int
    delay_s: float
    reason: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Disputing:
    """How disputes follow charges.

    Parameters
    ----------
    undisputed_share
        Share of the fraudulent charges that nobody ever disputes (friendly fraud always is).
    warning_share
        Share of the disputed frauds first reported by an early fraud warning; of these, some
        three in ten are charged back too, later.
    other_rate
        Share of the genuine charges disputed for another reason than fraud.
    delay_scale
        Factor on all delays: 1 is life, 1/1440 makes a day a minute.
    """

    undisputed_share: float
    warning_share: float
    other_rate: float
    delay_scale: float

    def plan(self, rng: np.random.Generator, rows: Rows) -> list[Dispute]:
        """Return the disputes that the charges of `rows` will meet."""
        return [*self._frauds(rng, rows), *self._others(rng, rows)]

    def _frauds(self, rng: np.random.Generator, rows: Rows) -> list[Dispute]:
        fraud = np.flatnonzero(rows["pattern"])
        friendly = rows["pattern"][fraud] == 1 + PATTERNS.index(FRIENDLY_FRAUD)
        disputed = friendly | (rng.random(len(fraud)) >= self.undisputed_share)
        row = fraud[disputed]
        # The holder of friendly fraud complains alone; an issuer's systems do not see it.
        warned = (rng.random(len(row)) < self.warning_share) & ~friendly[disputed]
        both = warned & (rng.random(len(row)) < _BOTH_SHARE)
        warning = rng.uniform(*WARNING_DAYS, size=len(row))
        first = np.where(warned, warning, _chargeback_days(rng, len(row)))
        second = np.maximum(_chargeback_days(rng, len(row)), warning + 1.0)
        return [
            *self._disputes(row, first, [FRAUDULENT] * len(row), 0),
            *self._disputes(row[both], second[both], [FRAUDULENT] * int(both.sum()), 1),
        ]

    def _others(self, rng: np.random.Generator, rows: Rows) -> list[Dispute]:
        chosen = rng.random(len(rows)) < self.other_rate
        row = np.flatnonzero(chosen & (rows["pattern"] == 0))
        reasons = [
            OTHER_REASONS[rng.choice(len(OTHER_REASONS), p=_REASON_SHARES[Channel(code)])]
            for code in rows["channel"][row].tolist()
        ]
        return self._disputes(row, _chargeback_days(rng, len(row)), reasons, 0)

    def _disputes(self, row: I64, days: F64, reasons: list[str], ordinal: int) -> list[Dispute]:
        delays_s = (days * DAY_S * self.delay_scale).tolist()
        return [
            Dispute(at, delay_s, reason, ordinal)
            for at, delay_s, reason in zip(row.tolist(), delays_s, reasons, strict=True)
        ]


def _chargeback_days(rng: np.random.Generator, count: int) -> F64:
    days = rng.lognormal(np.log(CHARGEBACK_MEDIAN_DAYS), CHARGEBACK_SPREAD, size=count)
    return np.minimum(days, CHARGEBACK_MAX_DAYS)
