"""Named lists in rules: which are asked for, and which of them have no entries."""

from __future__ import annotations

from random import Random

import pytest

from agents.rules.list_names import without_entries
from agents.rules.literals import number_in
from agents.rules.mistakes import RuleErrors
from agents.rules.nodes import Among, Number
from agents.rules.rule_set import parse
from tests.agents.rules.random_rules import RandomRules

RULES = parse(
    "block if :card: in @b and not (:ip: in @a or ::x:: in @b)\n"
    "\n"
    "allow if :card: in @blockd_cards or :mcc: in @a\n"
)


def test_lists_are_told_once_and_in_order() -> None:
    assert RULES.lists == ("b", "a", "blockd_cards")
    assert parse("block if true").lists == ()


def test_those_without_entries_are_told_with_what_was_meant() -> None:
    assert without_entries(RULES, ["a", "b", "blocked_cards", "zzz"]) == [
        "line 3: @blockd_cards has no entries: did you mean @blocked_cards?"
    ]
    assert without_entries(RULES, {"a", "b", "zzz"}) == [
        "line 3: @blockd_cards has no entries: nothing is on it"
    ]
    assert without_entries(RULES, {"a", "b", "blockd_cards"}) == []
    told = without_entries(RULES, [])
    assert [line.partition(" has")[0] for line in told] == [
        "line 1: @b", "line 1: @a", "line 3: @blockd_cards",
    ]  # fmt: skip


def test_on_a_list_that_is_not_there_is_nothing() -> None:
    columns, rows = RandomRules(Random("absent")).charges(20)
    rules = parse("block if :card: in @absent\nblock if not :card: in @absent\n"
                  "block if not ::shop:: in @absent")  # fmt: skip
    is_known = [type(row.get("::shop::")) in {str, int, float} and row["::shop::"] != ""
                for row in rows]  # fmt: skip
    assert rules.match(columns).tolist() == [[False] * 20, [True] * 20, is_known]


@pytest.mark.parametrize(
    "text",
    [
        "5732", "-1", "- 1", "+1", "1.", ".5", ".", "-.5", "1e5", "1E+5", "1e-5", "1e", "1e5.5",
        "1e999", "-1e999", "1e-999", "0e-999", "0", "-0", "00", "007", "0x10", "1_0", "", " 1",
        "1 ", "1\n", "nan", "inf", "٣", "½", "²", "--1", "1.2.3", "true", "1" * 400,
        "0." + "0" * 400,
        "0." + "0" * 400 + "1",
    ],
)  # fmt: skip
def test_an_entry_is_a_number_if_a_rule_could_hold_it(text: str) -> None:
    try:
        [rule] = parse(f"block if :mcc: in ({text})").rules
        assert isinstance(rule.condition, Among)
        [item] = rule.condition.items
        read = item.value if isinstance(item, Number) else None
    except RuleErrors:
        read = None
    has_space = any(c.isspace() for c in text)
    assert number_in(text) == (None if has_space else read)
