"""When charges get their labels, and how many charges a label stands for at the most."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Times(NamedTuple):
    """Seconds after which an undisputed charge is a negative, and for which it can be disputed."""

    horizon_s: float
    retention_s: float


@dataclass(frozen=True, slots=True)
class LabelRules:
    """When a charge gets its label.

    Attributes
    ----------
    horizon_s
        Seconds of stream time after which an undisputed charge is a negative.
    retention_s
        Seconds for which a dispute still finds its charge.
    negative_rate
        Share of the charges to come that is made examples if they are negatives, above 0 and at
        most 1.
    is_advisory
        Whether every charge went through, whatever its action was.
    weight_max
        How many charges one stands for at the most, by the inverse of its propensity.
    challenge_success_share
        Share of the frauds that a challenge stops.
    methods
        The same times of the methods of payment that have their own, by the code of the method
        (`streams.events.methods`).
    """

    horizon_s: float
    retention_s: float
    negative_rate: float
    is_advisory: bool = False
    weight_max: float = 3.0
    challenge_success_share: float = 0.0
    methods: Mapping[int, Times] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert 0 < self.negative_rate <= 1
        for times in (self.times(0), *self.methods.values()):
            assert 0 <= times.horizon_s <= times.retention_s

    def times(self, method: int) -> Times:
        """Return those of a method, by its code; of one that has none those of all others."""
        return self.methods.get(method) or Times(self.horizon_s, self.retention_s)
