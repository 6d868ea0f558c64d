"""Parsing as the tests of validation do it."""

from typing import Protocol

import pytest

from schemas.aside import Aside
from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.input_rules import DEFAULT_RULES, InputRules
from schemas.outcome import Outcome
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from tests.schemas.events import CHARGE, DISPUTE, MAX_CREATED, OUTCOME


class Parser(Protocol):
    """`parse_charge`, `parse_dispute` or `parse_outcome`."""

    def __call__(
        self,
        value: bytes | None,
        key: bytes | None,
        max_created: float,
        rules: InputRules = ...,
    ) -> tuple[Charge | Dispute | Outcome, Aside]: ...


PARSERS = pytest.mark.parametrize(
    ("parse", "event"),
    [(parse_charge, CHARGE), (parse_dispute, DISPUTE), (parse_outcome, OUTCOME)],
)
CURRENCY = "a currency's three letters (ISO 4217)"


def refusal(
    parse: Parser,
    value: bytes | None,
    key: bytes | None = b"tok_1",
    rules: InputRules = DEFAULT_RULES,
) -> tuple[str, str]:
    """Return the reason and the message with which a parser refuses an event."""
    with pytest.raises(InvalidEvent) as raised:
        parse(value, key, MAX_CREATED, rules)
    return raised.value.reason, str(raised.value)
