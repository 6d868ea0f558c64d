"""What is told of rules, against the same counted in plain Python."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from agents.evaluation.rule_estimates import MatchedCharges, rule_lines
from agents.policy.active_rules import ActiveRule
from agents.rules.rule_set import parse
from schemas.scored import ALLOW, BLOCK
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE, UNSEEN
from tests.agents.stages.policies import policy_of
from tests.agents.stages.stages import DAY, START, Run, charge, dispute

TEXT = "# one: first\nshadow block if :score: > 0.5\n# two: second\nreview if :score: > 0.9"


def rules() -> list[ActiveRule]:
    return [ActiveRule.of(rule, "*") for rule in parse(TEXT).rules]


@pytest.mark.parametrize("seed", range(5))
def test_precision_by_inverse_propensity(seed: int) -> None:
    random = Random(seed)
    one, two = rules()
    rows = np.zeros(400, MATURED_CHARGE)
    for number in range(len(rows)):
        is_drawable = random.random() < 0.3
        propensity = random.choice((0.1, 0.5)) if is_drawable else 1.0
        row = rows[number]
        row["card"], row["created"] = number, START
        row["propensity"], row["counts"] = propensity, 1.0
        row["action"] = BLOCK if is_drawable else ALLOW
        is_seen = random.random() < propensity
        row["seen"] = random.choice((FRAUD, GENUINE)) if is_seen else UNSEEN
        row["score"] = random.random()
        matching = [rule.hash for rule in (one, two) if random.random() < 0.5]
        row["rules"][: len(matching)] = matching
    matched = MatchedCharges(30)
    matched.add(rows[:150])
    matched.add(rows[150:])
    lines = list(rule_lines(matched.latest(), [one, two]))
    for line, rule in zip(lines[1:], (one, two), strict=True):
        of_rule = [row for row in rows if rule.hash in row["rules"]]
        frauds = sum(1.0 / float(row["propensity"]) for row in of_rule if row["seen"] == FRAUD)
        cells = line.replace(", shadow", "").split()
        assert cells[:2] == [rule.rule.label, str(len(of_rule))]
        assert cells[2] == str(sum(row["seen"] != UNSEEN for row in of_rule))
        assert cells[3] == str(sum(row["seen"] == FRAUD for row in of_rule))
        assert float(cells[4].strip("%")) == pytest.approx(100 * frauds / len(of_rule), abs=0.06)


def test_only_the_latest_days_are_told_of() -> None:
    [rule, _] = rules()
    rows = np.zeros(3, MATURED_CHARGE)
    rows["rules"][:, 0] = rule.hash
    rows["created"] = START, START + 20 * DAY, START + 40 * DAY
    for days, expected in ((1, 1), (25, 2), (100, 3)):
        matched = MatchedCharges(days)
        for number in range(3):  # as they come
            matched.add(rows[number : number + 1])
            matched.latest()
        assert len(matched.latest()) == expected


def test_a_rule_in_shadow_is_told_by_what_became_of_its_charges() -> None:
    """Half of the large charges are disputed: half of what the rule matches are frauds."""
    run = Run(negative_rate=1.0, label_horizon_days=10.0)
    run.policy = policy_of(
        run.settings, all_="# large: watched\nshadow block if :amount_usd: > 100"
    )
    for number in range(40):
        amount = 20_000 if number < 20 else 1000
        run.feed(charge(f"c{number}", START + number, card=f"card_{number}", amount=amount))
    run.feed(*(dispute(f"c{n}", START + DAY, card=f"card_{n}") for n in range(10)))
    run.feed(charge("late", START + 30 * DAY, card="other"))
    matched = MatchedCharges(60)
    matched.add(run.outputs.matured_charges())
    [large] = list(run.policy.rules.by_hash.values())
    [_, line] = rule_lines(matched.latest(), [large])
    assert line.split()[:5] == ["large,", "shadow", "20", "20", "10"]
    assert "50.0%" in line
