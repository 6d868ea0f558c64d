"""How an installation reads its inputs, where the contract leaves a choice."""

from dataclasses import dataclass, field
from typing import Literal

from schemas.currency import Rates, bundled_rates
from schemas.signals import Signal

CardNumbers = Literal["lenient", "strict"]


@dataclass(frozen=True, slots=True)
class InputRules:
    """What validation may be told.

    Attributes
    ----------
    card_numbers
        `strict` takes what looks like a card number in `id`, `charge` or `merchant` for one;
        `lenient` counts it.
    card_hash_key
        Key by which a card number in `card` is replaced by its keyed hash; it rejects the event
        where there is none.
    rates
        Of the currencies that amounts may be in.
    signals
        Fields of a producer's own that models learn from.
    """

    card_numbers: CardNumbers = "lenient"
    card_hash_key: bytes = field(default=b"", repr=False)
    rates: Rates = field(default_factory=bundled_rates)
    signals: tuple[Signal, ...] = ()


DEFAULT_RULES = InputRules()
