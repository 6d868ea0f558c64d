"""Random rules over random charges: they match as the reference says, and are read as written."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from agents.rules.nodes import keys_of
from agents.rules.rule_set import parse
from agents.rules.wording import describe
from tests.agents.rules.naive import Naive
from tests.agents.rules.random_rules import RandomRules, named_lists

RULES, CHARGES = 250, 8


@pytest.mark.parametrize("seed", range(40))
def test_rules_match_as_the_reference_says(seed: int) -> None:
    """40 seeds of 250 rules: 10,000."""
    made = RandomRules(Random(seed))
    rules = [made.rule() for _ in range(RULES)]
    rule_set = parse("\n".join(map(str, rules)))
    assert list(rule_set.rules) == rules
    columns, rows = made.charges(CHARGES)
    lists = made.lists()
    members = named_lists(lists)
    matched = rule_set.match(columns, members)
    expected = np.array(
        [[Naive(row, lists).truth(rule.condition) is True for row in rows] for rule in rules]
    )
    wrong = np.argwhere(matched != expected)
    assert [(str(rules[n]), rows[i]) for n, i in wrong[:1].tolist()] == [], f"seed {seed}"
    assert 0.1 < expected.mean() < 0.9


def test_no_cut_into_batches_makes_a_difference() -> None:
    made = RandomRules(Random("batches"))
    rules = parse("\n".join(str(made.rule()) for _ in range(50)))
    members = named_lists(made.lists())
    columns, _ = made.charges(30)
    whole = rules.match(columns, members)
    for place in range(30):
        assert (
            rules.match(columns.take(np.array([place])), members)[:, 0] == whole[:, place]
        ).all()
    assert rules.match(columns.take(np.array([], np.intp)), members).shape == (50, 0)


def test_every_rule_can_be_put_into_words() -> None:
    made = RandomRules(Random("words"))
    columns, _ = made.charges(1)
    for _ in range(500):
        rule = made.rule()
        assert describe(rule, columns.row(0, sorted(keys_of(rule.condition))))
