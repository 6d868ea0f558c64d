"""Signals: what settings may tell of them, and what of a charge is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.input_rules import InputRules
from schemas.signals import SIGNALS_MAX, Signal, SignalError, signals_of
from schemas.validation import parse_charge
from tests.schemas.events import CHARGE, MAX_CREATED, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.aside import Aside

RISK, SHOP = Signal("ip_risk", "number"), Signal("shop", "category")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a:b": "number"}, "'a:b': expected 1 to 64 characters without a colon or a brace"),
        ({"": "number"}, "'': expected 1 to 64 characters"),
        ({"x" * 65: "number"}, "expected 1 to 64 characters"),
        ({"amount": "number"}, "amount: is a field that a charge or its scored event has itself"),
        ({"score": "number"}, "score: is a field that a charge or its scored event has itself"),
        ({"a": "integer"}, "a: expected number or category, got 'integer'"),
        ({"a": ["number"]}, "a: expected number or category, got ['number']"),
        ({"a": {"text": "a"}}, "a: expected number or category, got None"),
        ({"a": {"kind": "number", "unit": "s"}}, "a: expected kind and text, got unit"),
        ({"a": {"kind": "number", "text": 5}}, "a: expected a text, got 5"),
        ({"a": {"kind": "number", "text": "{value} {value}"}}, "expected a text with one {value}"),
        ({"a": {"kind": "number", "text": "{x}"}}, "expected a text with one {value} or none"),
        ({"a": {"kind": "number", "text": "{value!r}"}}, "expected a text with one {value}"),
        ({"a": {"kind": "number", "text": "{value:>99999f}"}}, "expected a text with one {value}"),
        ({"a": {"kind": "category", "text": "{value:.2f}"}}, "a category is written as {value}"),
        ({f"s{n}": "number" for n in range(SIGNALS_MAX + 1)}, "65 signals: expected at most 64"),
    ],
)
def test_what_is_refused(table: Mapping[str, object], message: str) -> None:
    with pytest.raises(SignalError) as refused:
        signals_of(table)
    assert message in str(refused.value)


def test_as_many_as_there_may_be() -> None:
    names = [f"{n} of mine, in words" for n in range(SIGNALS_MAX)]
    assert [signal.name for signal in signals_of(dict.fromkeys(names, "number"))] == names


def aside_of(fields: Mapping[str, object]) -> Aside:
    value = encoded({**CHARGE, **fields})
    rules = InputRules(signals=(RISK, SHOP))
    charge, aside = parse_charge(value, CHARGE["card"].encode(), MAX_CREATED, rules)
    assert charge.id == CHARGE["id"]
    return aside


@pytest.mark.parametrize(
    "fields",
    [
        {"ip_risk": 0.5, "shop": "toys"},
        {"ip_risk": "12.5", "shop": 5},
        {"ip_risk": -3, "shop": False},
        {"ip_risk": True, "shop": 1.5},
        {"ip_risk": None, "shop": ""},
        {"ip_risk": ""},
        {},
    ],
)
def test_values_that_it_can_have(fields: Mapping[str, object]) -> None:
    assert aside_of(fields).ignored == ()


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"ip_risk": "high"}, ("ip_risk",)),
        ({"ip_risk": "NaN"}, ("ip_risk",)),
        ({"ip_risk": 1e300}, ("ip_risk",)),
        ({"ip_risk": [1]}, ("ip_risk",)),
        ({"shop": {"name": "toys"}}, ("shop",)),
        ({"shop": "x" * 129}, ("shop",)),
        ({"shop": [], "ip_risk": {}, "mcc": -1, "card_country": "Q"},
         ("mcc", "card_country", "ip_risk", "shop")),
    ],
)  # fmt: skip
def test_any_other_costs_no_charge_and_is_named(
    fields: Mapping[str, object], ignored: tuple[str, ...]
) -> None:
    """It is carried along all the same."""
    aside = aside_of(fields)
    assert aside.ignored == ignored
    unknown = {name: value for name, value in fields.items() if name in {"ip_risk", "shop"}}
    assert orjson.loads(orjson.dumps(aside.unknown)) == unknown


def test_a_card_number_in_one_is_masked_and_no_more_told() -> None:
    aside = aside_of({"ip_risk": 4242424242424242, "shop": "4242424242424242"})
    assert aside.ignored == ()
    assert set(aside.masked) == {"ip_risk", "shop"}


def test_without_signals_nothing_is_looked_at() -> None:
    value = encoded({**CHARGE, "ip_risk": "high"})
    _, aside = parse_charge(value, CHARGE["card"].encode(), MAX_CREATED)
    assert aside.ignored == ()
