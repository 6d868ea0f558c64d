"""The rules on trial one by one: what each matches and decides, and which decide nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agents.evaluation.card_bootstrap import share_interval
from agents.evaluation.trial.counts import counts_of
from agents.evaluation.trial.labels import FRAUD, GENUINE
from agents.evaluation.trial.tried import BY_ANOTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.evaluation.trial.tried import Tried
    from agents.rules.rule import Rule

PAIRS_MAX: Final = 50
"""Overlaps that are told, the largest."""

_AT_A_TIME = 20_000


def figures_of_rules(rules: Sequence[Rule], tried: Tried) -> list[dict[str, Any]]:
    """Return the figures of each rule.

    Returns
    -------
    Of each ``id``, ``title``, ``line``, ``rule`` (its text), ``action``, ``shadow``; ``matched``
    and ``decided`` (see `Counts`), ``changes`` (how many of those that it decides get another
    action than before), ``precision`` (the frauds among those matched of which it is known, with
    ``low`` and ``high``) and ``recall`` (the share of all frauds that it matches).
    """
    frauds = int(np.count_nonzero(tried.labels == FRAUD))
    changed = tried.charges["before"] != tried.charges["after"]
    rows = []
    for number, rule in enumerate(rules):
        matched, decided = tried.matched.row(number), tried.charges["decided_by"] == number
        found = counts_of(tried, matched)
        rows.append(
            {
                **named(rule),
                "matched": found,
                "decided": counts_of(tried, decided),
                "changes": int(np.count_nonzero(decided & changed)),
                "precision": _precision(tried, matched),
                "recall": found["frauds"] / frauds if frauds else None,
            }
        )
    return rows


def never_decide(rules: Sequence[Rule], tried: Tried) -> list[dict[str, Any]]:
    """Return the rules that decide no charge of the history, and why.

    Returns
    -------
    Of each its names, and ``charges``, how many it matches: none, or all of them are ``taken_by``
    other rules (``id`` and ``charges`` of each, `None` for rules that are not on trial).

    A rule in shadow is told only if it matches nothing. An `allow` rule that has a challenge asked
    in place of a block or a review decides, although the charge names the `challenge` rule.
    """
    strict = _matched_by(rules, tried, {"block", "review"})
    found = []
    for number, rule in enumerate(rules):
        matched = tried.matched.row(number)
        by = tried.charges["decided_by"]
        decides = rule.is_shadow or bool((by == number).any())
        softens = rule.action == "allow" and bool(
            (matched & strict & _decided_by(rules, by, "challenge")).any()
        )
        if not matched.any() or not (decides or softens):
            taken = Counter(by[matched].tolist()).most_common()
            found.append(
                {
                    **named(rule),
                    "charges": int(np.count_nonzero(matched)),
                    "taken_by": [
                        {"id": None if other == BY_ANOTHER else rules[other].label, "charges": n}
                        for other, n in taken
                    ],
                }
            )
    return found


def overlaps(rules: Sequence[Rule], tried: Tried) -> list[dict[str, Any]]:
    """Return the pairs of rules that match the same charges, most of them first.

    Returns
    -------
    Of each pair ``rules`` (their ids), ``charges``, ``frauds``, and ``share`` of the charges of the
    one that matches fewer.
    """
    both, sizes = np.zeros((2, len(rules), len(rules))), np.zeros(len(rules))
    for start in range(0, len(tried), _AT_A_TIME):
        matched = tried.matched.block(start, start + _AT_A_TIME)
        sizes += matched.sum(axis=1)
        by_several = matched.sum(axis=0) > 1
        block = matched[:, by_several].astype(np.float32)
        is_fraud = tried.labels[start : start + _AT_A_TIME][by_several] == FRAUD
        both[0] += block @ block.T
        both[1] += block[:, is_fraud] @ block[:, is_fraud].T
    pairs = np.argwhere(np.triu(both[0], 1) > 0.0).tolist()
    pairs.sort(key=lambda pair: (-both[0, pair[0], pair[1]], pair))
    return [
        {
            "rules": [rules[one].label, rules[other].label],
            "charges": int(both[0, one, other]),
            "frauds": int(both[1, one, other]),
            "share": float(both[0, one, other] / min(sizes[one], sizes[other])),
        }
        for one, other in pairs[:PAIRS_MAX]
    ]


def named(rule: Rule) -> dict[str, Any]:
    """Return what a rule is called, and what it says."""
    return {
        "id": rule.label,
        "title": rule.title,
        "line": rule.line,
        "rule": str(rule),
        "action": rule.action,
        "shadow": rule.is_shadow,
    }


def _precision(tried: Tried, matched: NDArray[np.bool_]) -> dict[str, float | None]:
    known = matched & np.isin(tried.labels, (FRAUD, GENUINE))
    if not known.any():
        return {"value": None, "low": None, "high": None}
    hits = tried.labels[known] == FRAUD
    low, high = share_interval(tried.charges["card"][known], hits)
    return {"value": float(hits.mean()), "low": low, "high": high}


def _matched_by(rules: Sequence[Rule], tried: Tried, actions: set[str]) -> NDArray[np.bool_]:
    """Tell which charges any rule of some actions matches that may decide."""
    matched = np.zeros(len(tried), np.bool_)
    for number, rule in enumerate(rules):
        if rule.action in actions and not rule.is_shadow:
            matched |= tried.matched.row(number)
    return matched


def _decided_by(rules: Sequence[Rule], by: NDArray[np.int16], action: str) -> NDArray[np.bool_]:
    """Tell which charges a rule of an action decides."""
    return np.isin(by, [number for number, rule in enumerate(rules) if rule.action == action])
