"""Rules beside the model: which decides, what is told of it, and what is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from agents.settings.costs import Costs
from streams.features.entities import FEATURE_NAMES, FEATURES
from streams.simulator import Simulation
from tests.agents.stages.policies import policy_of
from tests.agents.stages.stages import (
    DAY,
    START,
    Run,
    charge,
    decode,
    dispute,
    part,
    simulated,
)
from tests.agents.stages.test_outcomes import COSTS, HighScorer

ALL_KINDS = """
# c: everywhere
challenge if ::ask:: = true
# e:
allow_without_challenge if ::exempt:: = true
# a:
allow if ::friend:: = true
# b:
block if ::foe:: = true
# r:
review if ::odd:: = true
# w:
shadow block if ::watched:: = true
"""
AMOUNT = FEATURE_NAMES.index("amount")
FIELDS = {"c": "ask", "e": "exempt", "a": "friend", "b": "foe", "r": "odd", "w": "watched"}


def run_with(costs: str = "allow", *, own: str | None = None, **settings: Any) -> Run:
    run = Run(costs=COSTS[costs], holdout_share=0.0, **settings)
    texts = {"all_": ALL_KINDS} | ({"shop_1": own} if own else {})
    run.policy = policy_of(run.settings, **texts)
    return run


@pytest.mark.parametrize(
    ("matching", "action", "by"),
    [
        ("", "allow", "model"),
        ("c", "challenge", "rule:c"),
        ("a", "allow", "rule:a"),
        ("ca", "challenge", "rule:c"),
        ("cae", "allow", "rule:e"),
        ("ab", "allow", "rule:a"),
        ("cb", "block", "rule:b"),
        ("br", "block", "rule:b"),
        ("cr", "review", "rule:r"),
        ("w", "allow", "model"),
        ("wr", "review", "rule:r"),
    ],
)
def test_the_first_kind_that_matches_decides(matching: str, action: str, by: str) -> None:
    fields = {FIELDS[rule]: True for rule in matching}
    [event] = run_with().feed(charge("c1", START, **fields))
    assert (event["action"], event["decided_by"]) == (action, by)
    assert event["rule_set"] == "*:3"
    told = {rule["id"]: rule for rule in event.get("rules", [])}
    assert set(told) == set(matching)
    assert [rule for rule in told if told[rule].get("shadow")] == [r for r in matching if r == "w"]
    if by != "model":
        assert event["reasons"][0]["feature"] == by
        assert FIELDS[by[-1]] in event["reasons"][0]["text"]


def test_a_model_that_blocks_is_overruled_and_not_learned_from() -> None:
    """What a rule blocks is no fraud by its score, and is never drawn for the holdout."""
    run = run_with("block", own="block if :amount_usd: > 50\nallow if :amount_usd: < 5")
    run.scorer = HighScorer(FEATURES)
    messages = [
        charge(f"c{i}", START + 60 * i, card=f"card_{i}", amount=amount)
        for i, amount in enumerate((100, 2000, 10_000) * 40)
    ]
    events = run.feed(*messages)
    by_amount = {amount: events[place] for place, amount in enumerate((100, 2000, 10_000))}
    assert {amount: event["action"] for amount, event in by_amount.items()} == {
        100: "allow",
        2000: "block",
        10_000: "block",
    }
    assert by_amount[2000]["decided_by"] == "model"
    assert by_amount[10_000]["rule_set"] == "shop_1:3,*:3"
    imputed = run.outputs.imputed()
    assert 0 < len(imputed) <= 40
    assert set(np.unique(imputed["vector"][:, AMOUNT])) == {20.0}


def test_what_a_rule_stops_is_never_let_through_at_random() -> None:
    run = Run(costs=COSTS["allow"], holdout_share=0.5, holdout_amount_max_usd=1e6)
    run.policy = policy_of(run.settings, all_="block if :amount_usd: > 5")
    events = run.feed(*(charge(f"c{i}", START + i, card=f"card_{i}") for i in range(200)))
    assert {event["decided_by"] for event in events} == {events[0]["decided_by"]}
    assert events[0]["decided_by"].startswith("rule:unnamed-")
    assert not any("holdout" in event for event in events)


def test_rules_of_a_merchant_come_before_those_of_all() -> None:
    run = run_with(own="# mine: told first\nblock if ::foe:: = true")
    mine, others = run.feed(
        charge("c1", START, foe=True), charge("c2", START, foe=True, merchant="shop_2")
    )
    assert mine["decided_by"] == "rule:mine"
    assert [rule["id"] for rule in mine["rules"]] == ["mine", "b"]
    assert others["decided_by"] == "rule:b"
    assert others["rule_set"] == "*:3"


@pytest.mark.parametrize("apart", [False, True])
def test_a_duplicate_gets_what_its_original_got(*, apart: bool) -> None:
    run = run_with()
    first = charge("c1", START, foe=True)
    if apart:
        [event] = run.feed(first)
        run.commit()
        run.restart()
        [again] = run.feed(first)
    else:
        event, again = run.feed(first, first)
    assert again["duplicate"]
    assert (again["action"], again["decided_by"]) == (event["action"], "rule:b")
    assert again["reasons"] == event["reasons"]
    assert "rules" not in again


def test_a_duplicate_of_what_a_rule_decided_that_is_gone_still_tells_so() -> None:
    run = run_with()
    first = charge("c1", START, foe=True)
    run.feed(first)
    run.policy = policy_of(run.settings, all_="")
    [again] = run.feed(first)
    assert again["action"] == "block"
    assert again["decided_by"].startswith("rule:gone-")


def test_a_charge_that_a_rule_allows_is_learned_as_any_other() -> None:
    run = run_with("block")
    run.scorer = HighScorer(FEATURES)
    run.feed(charge("c1", START, friend=True), charge("c2", START, card="other"))
    run.feed(charge("c3", START + 60 * DAY, card="third"))
    run.feed(dispute("c1", START + 61 * DAY))
    run.pause()
    learned = run.outputs.learned()
    assert learned["label"].tolist()[-1] == 1


def test_reviews_by_rule_are_done_whether_one_is_left_or_not() -> None:
    run = run_with(own="review if :amount_usd: > 5")
    events = run.feed(*(charge(f"c{i}", START + i, card=f"card_{i}") for i in range(300)))
    assert {event["action"] for event in events} == {"review"}


def test_no_cut_into_batches_changes_a_decision() -> None:
    """Counts, scores and reviews left go on where the batch before has ended."""
    stream = simulated(
        Simulation(
            seed=11, cards=60, merchants=6, days=3, charges_per_day=400, duplicate_share=0.03
        )
    )
    merchants = sorted({orjson.loads(sent.value)["merchant"] for sent in stream})[:2]
    rules = {
        "all_": "review if :card_count_24h: > 3\nchallenge if :risk: > 60\n"
        "shadow block if :amount_usd: > 100 and :score: > 0.001",
        merchants[0]: "allow if :card_charges_before: > 10\nblock if :merchant_count_1h: > 4",
        merchants[1]: "",
    }
    told = []
    for size in (len(stream), 97, 1):
        run = Run(costs=Costs(review_capacity_share=0.05, dispute_fee_usd=400.0))
        run.policy = policy_of(run.settings, **rules)
        batch = decode(stream)
        for start in range(0, len(stream), size):
            run.process(part(batch, start, start + size))
        told.append(run.outputs.events())
    assert told[0] == told[1] == told[2]
    deciders = {event["decided_by"].partition(":")[0] for event in told[0]}
    assert deciders >= {"rule", "model"}
    assert {event["action"] for event in told[0]} >= {"allow", "review", "challenge", "block"}
