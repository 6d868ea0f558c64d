"""How good rules are, by what became of the charges they match, in words.

A rule in shadow stops nothing, so what it matches is seen as far as nobody else stops it. What is
stopped is seen in the holdout alone, and by inverse propensity that stands for the rest
(`agents.evaluation.estimates`). What a rule itself stops is never let through: of that the scores
are all there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.evaluation.estimates import estimate_all
from agents.evaluation.formatting import aligned, estimate, percent
from streams.durations import DAY_S
from streams.wire.matured import FRAUD, MATURED_CHARGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.policy.active_rules import ActiveRule
    from streams.events.rows import Rows

RULE_HEADS = (
    *("rule", "matched", "labels", "frauds seen"),
    *("precision by inverse propensity", "doubly robust", "by scores"),
)


class MatchedCharges:
    """Collects of matured charges those of the latest days that any rule matched.

    Parameters
    ----------
    days
        How many: those before are forgotten.
    """

    def __init__(self, days: int) -> None:
        self._days = days
        self._rows: list[Rows] = [np.empty(0, MATURED_CHARGE)]

    def add(self, charges: Rows) -> None:
        """Take MATURED_CHARGE[N]."""
        self._rows.append(charges[charges["rules"].any(axis=1)])

    def latest(self) -> Rows:
        """Return those that it has, by the newest of them."""
        rows = np.concatenate(self._rows)
        end = rows["created"].max(initial=0.0) // DAY_S + 1
        latest: Rows = rows[rows["created"] >= (end - self._days) * DAY_S]
        self._rows = [latest]
        return latest


def rule_lines(charges: Rows, rules: Sequence[ActiveRule]) -> Iterator[str]:
    """Yield a table of rules and what became of the charges they matched.

    Parameters
    ----------
    charges
        MATURED_CHARGE[N].
    rules
        Those to tell of.
    """
    yield from aligned([RULE_HEADS, *(rule_row(charges, rule) for rule in rules)])


def rule_row(charges: Rows, rule: ActiveRule) -> tuple[str, ...]:
    """Return what became of the charges that a rule matched, in words, as `RULE_HEADS` has it."""
    matched = charges[(charges["rules"] == rule.hash).any(axis=1)]
    name = f"{rule.rule.label}, shadow" if rule.rule.is_shadow else rule.rule.label
    if not len(matched):
        return (name, "0", "0", "0", "", "", "")
    told = estimate_all(matched)
    frauds = int(np.count_nonzero(matched["seen"] == FRAUD))
    precision = told["precision"]
    return (
        name,
        f"{told['charges']:,.0f}",
        f"{told['labels']:,}",
        f"{frauds:,}",
        estimate(precision["ipw"]),
        estimate(precision["doubly_robust"]),
        percent(precision["scores"]["value"]),
    )
