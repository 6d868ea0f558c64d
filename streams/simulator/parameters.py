"""What can be set in a simulation, and the check of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.simulator.fraud_patterns import DEFAULT_MIX, DRIFTED_MIX, PATTERNS


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of a simulation.

    Parameters
    ----------
    seed
        Seed of everything, an integer >= 0.
    cards, merchants
        Sizes of the population.
    start
        Unix time of the beginning.
    days
        Length, rounded up to whole hours; charges are created in [start, start + days). May be
        `math.inf`.
    charges_per_day
        Mean number of charges a day, fraud included, duplicates and damaged copies not.
    fraud_rate
        Share of the charges that are fraudulent.
    mix
        Share of each pattern among the frauds; sums to 1.
    drift_at
        Unix time from which new fraud follows `drifted_mix`; None for never. Campaigns under way
        then still run to their end.
    drifted_mix
        The mix after the drift.
    undisputed_share
        Share of the fraudulent charges never disputed (friendly fraud always is).
    warning_share
        Share of the disputed frauds reported by an early fraud warning, after 1 to 5 days; the
        others (and three in ten of the warned ones once more) are charged back, after a
        log-normal delay of median 17 days and at most 120.
    other_dispute_rate
        Share of the genuine charges disputed for another reason than fraud.
    dispute_delay_scale
        Factor on all delays of disputes; 1/1440 makes a day a minute.
    late_share
        Share of the charges published late, after newer ones.
    late_max_s
        The longest any charge is published after its `created`, duplicates included.
    duplicate_share
        Share of the charges published twice, the same id and body.
    malformed_share
        Number of damaged events over the number of charges. Each is a copy of a good
        charge, under an id of its own, sent beside it.

    Raises
    ------
    ValueError
        Names the parameter that is out of its range.
    """

    seed: int
    cards: int = 10_000
    merchants: int = 1_000
    start: float = 1_767_225_600.0  # 2026-01-01
    days: float = 60.0
    charges_per_day: float = 20_000.0
    fraud_rate: float = 0.005
    mix: Mapping[str, float] = field(default_factory=lambda: DEFAULT_MIX)
    drift_at: float | None = None
    drifted_mix: Mapping[str, float] = field(default_factory=lambda: DRIFTED_MIX)
    undisputed_share: float = 0.12
    warning_share: float = 0.4
    other_dispute_rate: float = 0.001
    dispute_delay_scale: float = 1.0
    late_share: float = 0.01
    late_max_s: float = 600.0
    duplicate_share: float = 0.002
    malformed_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("cards", "merchants", "days", "charges_per_day", "dispute_delay_scale"):
            _require(getattr(self, name) > 0, name, "above 0")
        for name in ("seed", "start", "late_max_s"):
            _require(getattr(self, name) >= 0, name, "at least 0")
        for name in ("undisputed_share", "warning_share", "late_share", "duplicate_share"):
            _require(0 <= getattr(self, name) <= 1, name, "between 0 and 1")
        for name in ("other_dispute_rate", "malformed_share"):
            _require(0 <= getattr(self, name) <= 1, name, "between 0 and 1")
        _require(0 <= self.fraud_rate <= 0.5, "fraud_rate", "between 0 and 0.5")
        for name in ("mix", "drifted_mix"):
            mix: Mapping[str, float] = getattr(self, name)
            _require(set(mix) <= set(PATTERNS), name, f"made of {', '.join(PATTERNS)}")
            fair = min(mix.values(), default=0) >= 0 and math.isclose(sum(mix.values()), 1)
            _require(fair, name, "shares that sum to 1")


def _require(condition: bool, name: str, rule: str) -> None:
    if not condition:
        raise ValueError(f"{name}: expected {rule}")
