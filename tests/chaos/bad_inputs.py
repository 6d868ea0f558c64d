"""Inputs that are no event, each for a reason of its own."""

from __future__ import annotations

import orjson

_FUTURE_S = 4e9


def bad_values(good: dict[str, object], number: int) -> dict[str, bytes | None]:
    """Return values by what is wrong with them, made of a good one; of "key" it is the key alone.

    The number of the input is in each, so that they differ.
    """
    without_merchant = {name: field for name, field in good.items() if name != "merchant"}
    return {
        "cut off": orjson.dumps(good)[:-7],
        "no object": b"[%d]" % number,
        "type": orjson.dumps(good | {"amount": "19.99"}),
        "missing": orjson.dumps(without_merchant),
        "range": orjson.dumps(good | {"amount": -1}),
        "key": orjson.dumps(good),
        "card number": orjson.dumps(good | {"card": "card 4242 4242 4242 4242"}),
        "future": orjson.dumps(good | {"created": _FUTURE_S}),
        "too large": orjson.dumps(good | {"note": "x" * 66_000}),
        "nesting": b'{"number":%d,"deep":%b1%b}' % (number, b"[" * 300, b"]" * 300),
        "no bytes": b"\xff\xfe%d" % number,
        "no value": None,
    }
