"""Parsing as the tests of validation do it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute
from tests.schemas.events import CHARGE, DISPUTE, MAX_CREATED

Parser = Callable[[bytes | None, bytes | None, float], tuple[Charge | Dispute, Mapping[str, Any]]]

PARSERS = pytest.mark.parametrize(
    ("parse", "event"), [(parse_charge, CHARGE), (parse_dispute, DISPUTE)]
)
CURRENCY = "a currency's three lower-case letters (ISO 4217)"


def refusal(parse: Parser, value: bytes | None, key: bytes | None = b"tok_1") -> tuple[str, str]:
    """Return the reason and the message with which a parser refuses an event."""
    with pytest.raises(InvalidEvent) as raised:
        parse(value, key, MAX_CREATED)
    return raised.value.reason, str(raised.value)
