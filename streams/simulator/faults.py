"""Damage to charges: what a careless producer might send, one fault at a time."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from streams.durations import DAY_S
from streams.simulator.wire import Value

YEAR_S = 365 * DAY_S
_TEST_CARD_NUMBER = "4242 4242 4242 4242"  # the number that payment sandboxes publish for tests

Fault = Callable[[Value], tuple[Value, str]]
"""Makes a damaged value and its key out of a good value."""


def _replacing(name: str, value: object) -> Fault:
    return lambda good: ({**good, name: value}, str(good["card"]))


def _card_number(good: Value) -> tuple[Value, str]:
    card = f"card {_TEST_CARD_NUMBER}"
    return {**good, "card": card}, card


def _without_amount(good: Value) -> tuple[Value, str]:
    return {name: value for name, value in good.items() if name != "amount"}, str(good["card"])


def _foreign_key(good: Value) -> tuple[Value, str]:
    return good, str(good["merchant"])


def _far_future(good: Value) -> tuple[Value, str]:
    created = good["created"]
    assert isinstance(created, float)
    return {**good, "created": created + 10 * YEAR_S}, str(good["card"])


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "missing": _without_amount,
        "type": _replacing("amount", "19.99"),
        "range": _replacing("amount", -5),
        "key": _foreign_key,
        "future": _far_future,
        "card_number": _card_number,
    }
)
"""Each fault by the reason for which its charges are to be rejected."""
