"""The table of attributes that analysts see is that of the code, and has all that there is."""

from __future__ import annotations

from typing import get_args

from agents.rules.attributes import ATTRIBUTES, DERIVED, OF_AMOUNT
from agents.rules.building import DEPTH_MAX, ITEMS_MAX
from agents.rules.document import README, with_table
from agents.rules.rule import ACTIONS, Action
from agents.rules.rule_set import CHARACTERS_MAX, LINES_MAX, RULES_MAX
from agents.rules.syntax import PARENTHESES_MAX
from schemas.charge import Charge
from streams.features.entities import FEATURE_NAMES


def test_the_table_is_current() -> None:
    document = README.read_text(encoding="utf-8")
    assert document == with_table(document), "run: python -m agents.rules.document"
    assert [name for name in ATTRIBUTES if f"\n| `:{name}:` |" not in document] == []


def test_every_field_and_feature_is_an_attribute() -> None:
    expected = {*Charge.__struct_fields__, *FEATURE_NAMES, "score", "risk", "amount_usd"}
    expected |= {"amount_eur", *(f"fraud_rate_to_{band}_eur" for band in (100, 250, 500))}
    assert set(ATTRIBUTES) == expected | set(DERIVED)
    assert not expected & set(DERIVED)
    assert {derived.feature for derived in DERIVED.values()} <= set(FEATURE_NAMES)
    assert OF_AMOUNT in Charge.__struct_fields__


def test_the_page_has_the_actions_and_limits() -> None:
    document = README.read_text(encoding="utf-8")
    assert get_args(Action) == ACTIONS
    assert [action for action in ACTIONS if f"`{action}`" not in document] == []
    limits = " ".join(document.partition("## Limits")[2].partition("##")[0].split())
    assert (
        f"{RULES_MAX} rules; {CHARACTERS_MAX:,} characters a line; {LINES_MAX:,} lines with "
        f"comments; {ITEMS_MAX} values in a list"
    ) in limits
    assert DEPTH_MAX == PARENTHESES_MAX
    assert f"{DEPTH_MAX} levels deep" in limits
