"""Thresholds found in rules: where there are any, and what is beyond another constant."""

from __future__ import annotations

import numpy as np
import pytest

from agents.rules.rule_set import parse
from agents.rules.thresholds import thresholds_in


def found_in(condition: str) -> list[str]:
    [rule] = parse(f"block if {condition}").rules
    return [f"{t.comparison(t.constant)} | {t.rest}" for t in thresholds_in(rule.condition)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (":amount_usd: > 220", [":amount_usd: > 220 | true"]),
        ("-0.5 >= :hour_sin:", [":hour_sin: <= -0.5 | true"]),
        ("::seats:: < 3", ["::seats:: < 3 | true"]),
        (":amount_usd: = 220", []),
        (":amount_usd: != 220", []),
        (":amount_usd: > :card_sum_24h:", []),
        (":amount_usd: * 2 > 220", []),
        ("not :amount_usd: > 220", []),
        (":amount_usd: > 220 or :score: > 0.5", []),
        (":amount_usd: in (1, 2)", []),
        (":weekend: and (:score: > 0.5 or :risk: > 90)", []),
        (
            ":weekend: and (:score: > 0.5 and :risk: > 90)",
            [
                ":score: > 0.5 | :weekend: and :risk: > 90",
                ":risk: > 90 | :weekend: and :score: > 0.5",
            ],
        ),
        ("1 < 2 and :score: > 0.5", [":score: > 0.5 | 1 < 2"]),
    ],
)
def test_thresholds_at_the_top(condition: str, expected: list[str]) -> None:
    assert found_in(condition) == expected


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_they_hold_as_they_say(operator: str) -> None:
    [rule] = parse(f"block if :amount_usd: {operator} 5").rules
    [threshold] = thresholds_in(rule.condition)
    values = np.array([1.0, 2.0, 3.0, np.nan])
    expected = [eval(f"{value} {operator} 2") for value in (1.0, 2.0, 3.0)]
    assert threshold.holds(values, 2.0).tolist() == [*expected, False]
    assert threshold.is_lower_limit == (operator in {">", ">="})
