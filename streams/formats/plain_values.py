"""JSON of values that other formats have and JSON has not.

Times become Unix seconds, decimals numbers, and bytes text of one character a byte, in which a card
number is seen as in any other text.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

import orjson

_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATETIME


def plain_json(content: object) -> bytes:
    """Return the JSON of what a decoder gave.

    Raises
    ------
    TypeError
        Where JSON has nothing for it.

    Examples
    --------
    >>> plain_json({"created": datetime(2026, 9, 21, tzinfo=UTC), "amount": Decimal("19.90")})
    b'{"created":1789948800.0,"amount":19.9}'
    """
    return orjson.dumps(content, _plain, _OPTIONS)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        case date() | time():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes():
            return value.decode("latin-1")
    raise TypeError(f"no JSON for {type(value).__name__}")
