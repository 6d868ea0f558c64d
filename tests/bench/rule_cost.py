"""What rules cost a charge: fifty of four conditions each, and the same row by row in Python."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import click
import numpy as np

from agents.rules.deciding import decide
from agents.rules.rule_set import parse
from tests.agents.rules.naive import Naive
from tests.agents.rules.random_rules import NUMBERS, RandomRules, named_lists

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = (12, 1_000)
RULES, CONDITIONS = 50, 4
_KINDS = {
    "numbers, countries": (":{number}: > {n}", ":{number}: < {n}", ":{one}: != :{other}:"),
    "and lists, `in`": (":{number}: > {n}", ":{one}: in ('DE', 'US')", ":email: in @tokens"),
    "and metadata": (":{number}: > {n}", "::seats:: > {n}", ":{one}: != :{other}:"),
    "and `like`": (":{number}: > {n}", "::shop:: like 'gift%'", ":{one}: != :{other}:"),
}
_IN_ROWS = tuple(name for name in NUMBERS if name != "amount")
_COUNTRIES = ("merchant_country", "card_country", "ip_country")
_ROUNDS, _ROUND_S, _SEED = 7, 0.3, 12


def rule_costs() -> dict[tuple[str, int], tuple[float, float]]:
    """Measure in this process: microseconds of CPU a charge, of columns and of rows.

    Returns
    -------
    dict
        By the kind of conditions and the size of the batch; the least of some rounds.
    """
    return {(kind, size): _costs(kind, size) for kind in _KINDS for size in BATCHES}


def _costs(kind: str, size: int) -> tuple[float, float]:
    random = Random(_SEED)
    made = RandomRules(random)
    text = "\n".join(_rule(random, _KINDS[kind]) for _ in range(RULES))
    rules = parse(text)
    columns, rows = made.charges(size)
    lists = made.lists()
    members = named_lists(lists)

    def by_columns() -> None:
        decide(
            rules.rules, rules.match(columns.take(np.arange(size)), members)
        )  # with nothing read yet

    def by_rows() -> None:
        for row in rows:
            naive = Naive(row, lists)
            _ = [naive.truth(rule.condition) for rule in rules.rules]

    return 1e6 * _seconds(by_columns) / size, 1e6 * _seconds(by_rows) / size


def _rule(random: Random, forms: tuple[str, ...]) -> str:
    conditions = [
        random.choice(forms).format(
            number=random.choice(_IN_ROWS),
            n=random.choice((0.5, 1, 2)),
            one=random.choice(_COUNTRIES),
            other=random.choice(_COUNTRIES),
        )
        for _ in range(CONDITIONS)
    ]
    action = random.choice(("block", "review", "challenge", "allow"))
    first, second, third, fourth = conditions
    return f"{action} if {first} and ({second} or {third}) and not {fourth}"


def _seconds(run: Callable[[], None]) -> float:
    """Return the least CPU time of a run, of some rounds of many."""
    run()
    least = float("inf")
    for _ in range(_ROUNDS):
        runs, began = 0, time.process_time()
        while (took := time.process_time() - began) < _ROUND_S:
            run()
            runs += 1
        least = min(least, took / runs)
    return least


if __name__ == "__main__":
    for (kind, size), (columns_us, rows_us) in rule_costs().items():
        click.echo(f"| {kind} | {size:,} | {columns_us:.3g} | {rows_us:.3g} |")
