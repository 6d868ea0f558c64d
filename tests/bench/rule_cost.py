"""What rules cost a charge: fifty of four conditions each, and the same row by row in Python."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import click
import numpy as np

from agents.models.prior import PriorScorer
from agents.rules.deciding import decide
from agents.rules.event_columns import EventColumns
from agents.rules.rule_set import parse
from agents.settings.schema import Settings
from agents.stages.tasks import TaskStages
from streams.features.entities import FEATURES
from streams.simulator import Simulation
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from tests.agents.rules.naive import Naive
from tests.agents.rules.random_rules import NUMBERS, RandomRules, named_lists
from tests.agents.stages.policies import policy_of
from tests.agents.stages.stages import decode, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.policy.policy import Policy
    from tests.agents.stages.stages import Message

BATCHES = (12, 1_000)
STAGE_BATCHES = (12, 4_000)
_RARE = (
    "review if :amount_usd: > 2{n:03} and :card_count_24h: > 3 and "
    ":ip_country: != :card_country: and :risk: > 90"
)
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


def costs_beside_the_model() -> dict[int, tuple[float, float]]:
    """Measure what rules cost a merchant stage: fifty that few of its charges match.

    Returns
    -------
    dict
        By the size of the batch: microseconds of CPU a batch, of the whole stage and of the rules.
    """
    stream = simulated(
        Simulation(seed=_SEED, cards=3000, merchants=200, days=2, charges_per_day=6000)
    )
    text = "\n".join(_RARE.format(n=number) for number in range(RULES))
    settings = Settings()
    return {
        size: _beside_the_model(
            [m for m in stream if m.topic == "charges"], size, policy_of(settings, all_=text)
        )
        for size in STAGE_BATCHES
    }


def _beside_the_model(charges: list[Message], size: int, policy: Policy) -> tuple[float, float]:
    """Run a stage, and the rules alone on what it has scored."""
    stages = TaskStages(TaskState(MemoryStore()), Settings())
    whole, alone = list[float](), list[float]()
    for start in range(0, len(charges) - size, size):
        frames = stages.card.process(decode(charges[start : start + size])).frames
        began = time.process_time()
        output = stages.merchant.process(frames, PriorScorer(FEATURES), policy, lambda: 0.0)
        whole.append(time.process_time() - began)
        rows, answers = np.ascontiguousarray(frames.rows["event"]), output.answers
        began = time.process_time()
        columns = EventColumns(
            rows, answers["vector"], answers["score"], answers["risk"], frames.tails
        )
        policy.rules.match(rows["merchant"], columns, policy.lists)
        alone.append(time.process_time() - began)
    return 1e6 * float(np.median(whole)), 1e6 * float(np.median(alone))


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
    for size, (stage_us, rules_us) in costs_beside_the_model().items():
        click.echo(f"| batch of {size:,} | {stage_us:,.0f} | {rules_us:,.0f} |")
