"""Which rule decides: the table of the README, said again, over every subset of rules."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from agents.rules.deciding import NO_ACTION, NO_RULE, decide
from agents.rules.nodes import Boolean
from agents.rules.rule import ACTIONS, Rule
from schemas import scored

Decision = tuple[int, int]


def by_the_table(
    rules: list[Rule], matches: tuple[bool, ...], impossible: frozenset[str] = frozenset()
) -> Decision:
    """Decide one charge, with which some things cannot be done."""
    matching = [(n, rule.action) for n, rule in enumerate(rules) if matches[n]]
    live = [
        (n, action) for n, action in matching if not rules[n].is_shadow and action not in impossible
    ]

    def first(kind: str) -> int | None:
        return next((n for n, action in live if action == kind), None)

    without, allow, block, review, challenge = map(
        first, ("allow_without_challenge", "allow", "block", "review", "challenge")
    )
    if without is not None:
        return scored.ALLOW, without
    if allow is not None and challenge is not None:
        return scored.CHALLENGE, challenge
    if allow is not None:
        return scored.ALLOW, allow
    if block is not None:
        return scored.BLOCK, block
    if review is not None:
        return scored.REVIEW, review
    return (NO_ACTION, NO_RULE) if challenge is None else (scored.CHALLENGE, challenge)


def decisions(
    rules: list[Rule], impossible: frozenset[str] = frozenset()
) -> list[tuple[Decision, Decision]]:
    """Return what is decided of every subset of some rules, and what is to be."""
    subsets = list(product((False, True), repeat=len(rules)))
    matched = np.array(subsets, np.bool_).reshape(len(subsets), len(rules)).T
    mask = sum(1 << n for n, name in enumerate(scored.ACTIONS) if name not in impossible)
    actions, deciding = decide(rules, matched, np.full(len(subsets), mask, np.uint8))
    found = zip(actions.tolist(), deciding.tolist(), strict=True)
    return [
        (one, by_the_table(rules, each, impossible))
        for one, each in zip(found, subsets, strict=True)
    ]


@pytest.mark.parametrize(
    "impossible", [{"challenge"}, {"review"}, {"challenge", "review"}], ids=", ".join
)
def test_what_cannot_be_done_is_as_if_no_rule_asked_for_it(impossible: set[str]) -> None:
    for order in permutations(ACTIONS):
        rules = [Rule(kind, Boolean(value=True)) for kind in order]  # type: ignore[arg-type]
        found = decisions(rules, frozenset(impossible))
        assert [pair for pair in found if pair[0] != pair[1]] == []


@pytest.mark.parametrize("order", permutations(ACTIONS), ids="-".join)
def test_every_subset_of_all_kinds_in_every_order(order: tuple[str, ...]) -> None:
    rules = [Rule(kind, Boolean(value=True)) for kind in order]  # type: ignore[arg-type]
    assert [pair for pair in decisions(rules) if pair[0] != pair[1]] == []


def test_every_subset_of_several_rules_of_each_kind() -> None:
    rules = [
        Rule(kind, Boolean(value=True), is_shadow)  # type: ignore[arg-type]
        for kind in ACTIONS
        for is_shadow in (True, False, False)
    ][:13]
    assert [pair for pair in decisions(rules) if pair[0] != pair[1]] == []


def test_rules_in_shadow_decide_nothing() -> None:
    rules = [Rule(kind, Boolean(value=True), is_shadow=True) for kind in ACTIONS]  # type: ignore[arg-type]
    assert {found for found, _ in decisions(rules)} == {(NO_ACTION, NO_RULE)}


def test_without_rules_the_model_decides() -> None:
    actions, deciding = decide([], np.empty((0, 3), np.bool_))
    assert actions.tolist() == [NO_ACTION] * 3
    assert deciding.tolist() == [NO_RULE] * 3
