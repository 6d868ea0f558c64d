"""The holdout: a share of what would be stopped goes through, within its limits, and is told."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

from agents.models.prior import PriorScorer
from agents.settings.costs import Costs
from streams.features.entities import FEATURES
from streams.wire.examples import BY_DISPUTE
from tests.agents.stages.stages import DAY, HOUR, START, Message, Run, charge, dispute
from tests.agents.stages.test_merchant import SCHEMA
from tests.agents.stages.test_outcomes import COSTS, later

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = "the key of a test installation"
FREE = {"holdout_key": KEY, "holdout_amount_max_usd": 1e6, "holdout_budget_usd": 1e9,
        "costs": COSTS["block"], "label_horizon_days": 10.0, "negative_rate": 1.0}  # fmt: skip
"""Everything would be blocked, and no limit keeps anything from the holdout."""

ALMOST_FREE = Costs(margin_share=0.0, challenge_cost_usd=1e6, review_cost_usd=1e6)
"""Under it a refusal costs nothing, so everything is blocked, however unlikely a fraud."""


class Scores(PriorScorer):
    """Gives one score to all."""

    def __init__(self, score: float) -> None:
        super().__init__(FEATURES)
        self._score = score

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Scorer.predict`."""
        return np.full(len(vectors), self._score)


def new_run(score: float = 0.4, **settings: Any) -> Run:
    run = Run(**FREE | settings)
    run.scorer = Scores(score)
    return run


def charges(count: int, shops: int = 20, **fields: Any) -> list[Message]:
    return [
        charge(f"c{i}", START + i, card=f"card_{i % 300}", merchant=f"shop_{i % shops}", **fields)
        for i in range(count)
    ]


def drawn(run: Run) -> list[str]:
    return [event["charge"] for event in run.outputs.events() if "holdout" in event]


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_the_share_that_is_drawn_is_as_set(share: float) -> None:
    count = 8000
    run = new_run(holdout_share=share, costs=COSTS["challenge"])  # of these no fraud is imputed
    run.feed(*charges(count))
    deviation = np.sqrt(count * share * (1.0 - share))
    assert abs(len(drawn(run)) - count * share) < 4.0 * deviation


@pytest.mark.parametrize("action", ["challenge", "review", "block"])
def test_a_charge_that_is_drawn_tells_what_would_have_been_done(action: str) -> None:
    run = new_run(holdout_share=0.25, costs=COSTS[action])
    validator = jsonschema.Draft202012Validator(SCHEMA)
    events = run.feed(*charges(400))
    for event in events:
        validator.validate(event)
        if "holdout" in event:
            assert event["holdout"] == {"action": action, "propensity": 0.25}
            assert (event["action"], event["decided_by"]) == ("allow", "holdout")
        else:
            assert (event["action"], event["decided_by"]) == (action, "model")
    assert 50 < len(drawn(run)) < 150


def test_what_is_allowed_anyway_is_not_drawn() -> None:
    run = new_run(holdout_share=0.5, costs=COSTS["allow"])
    for event in run.feed(*charges(400)):
        assert (event["action"], event["decided_by"]) == ("allow", "model")
        assert "holdout" not in event


@pytest.mark.parametrize("settings", [{"holdout_share": 0.0}, {"actions": "advisory"}])
def test_where_nothing_is_to_be_let_through_nothing_is(settings: dict[str, Any]) -> None:
    run = new_run(**{"holdout_share": 0.5} | settings)
    assert {event["action"] for event in run.feed(*charges(400))} == {"block"}
    assert drawn(run) == []


def test_the_same_key_draws_the_same_and_another_key_others() -> None:
    """However charges are cut, whatever their scores, and in a run of its own."""
    sent = charges(2000)
    run = new_run(holdout_share=0.1)
    run.feed(*sent)
    again = new_run(0.9, holdout_share=0.1)
    for start in range(0, len(sent), 77):
        again.feed(*sent[start : start + 77])
        again.commit()
        again.restore()
        again.scorer = Scores(0.9)
    assert drawn(again) == drawn(run)
    other = new_run(holdout_share=0.1, holdout_key="the key of another installation")
    other.feed(*sent)
    # Two independent draws of 0.1 have a hundredth in common: at most twice the twenty of 2000.
    assert len(set(drawn(other)) & set(drawn(run))) < 45
    assert len(drawn(other)) > 140


def test_a_larger_share_draws_all_that_a_smaller_one_does() -> None:
    runs = [new_run(holdout_share=share) for share in (0.05, 0.2, 0.5)]
    for run in runs:
        run.feed(*charges(1000))
    for smaller, larger in pairwise(runs):
        assert set(drawn(smaller)) < set(drawn(larger))


def test_a_charge_above_the_largest_amount_is_never_drawn() -> None:
    run = new_run(holdout_share=0.5, holdout_amount_max_usd=100.0)
    amounts = [9_999, 10_000, 10_001, 50_000]
    messages = [
        charge(f"c{i}", START + i, card=f"card_{i}", amount=amounts[i % 4]) for i in range(800)
    ]
    run.feed(*messages)
    found = {event["amount"] for event in run.outputs.events() if "holdout" in event}
    assert found == {9_999, 10_000}


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_expected_of_a_day_and_merchant_stays_within_the_budget(seed: int) -> None:
    """By a list of what was let through: the loss of a fraud is its amount and 15 dollars.

    What would be drawn if there were no budget is taken from a run without one.
    """
    random = Random(seed)
    costs = Costs(margin_share=0.0, fraud_loss_share=1.0, dispute_fee_usd=15.0,
                  challenge_cost_usd=1e6, review_cost_usd=1e6)  # fmt: skip
    created = sorted(START + random.uniform(0.0, 5 * DAY) for _ in range(900))
    late = [time - random.choice([0.0, 0.0, 0.0, 9 * HOUR, 2 * DAY]) for time in created]
    sent = [
        charge(f"c{i}", time, card=f"card_{i % 40}", merchant=f"shop_{random.randrange(3)}",
               amount=random.randrange(0, 9_000))
        for i, time in enumerate(late)
    ]  # fmt: skip
    rules = {"holdout_share": 0.5, "costs": costs, "holdout_amount_max_usd": 80.0}
    free = new_run(0.25, **rules)
    free.feed(*sent)
    spent: dict[tuple[str, float], float] = defaultdict(float)
    expected, now = list[str](), 0.0
    for event in free.outputs.events():
        now = max(now, event["created"])
        if "holdout" not in event:
            continue
        amount = event["amount"] / 100.0 or costs.verification_amount_usd
        day, loss = (event["merchant"], now // DAY), 0.25 * (amount + 15.0)
        if spent[day] + loss <= 200.0:
            spent[day] += loss
            expected.append(event["charge"])
    run, start = new_run(0.25, **rules, holdout_budget_usd=200.0), 0
    while start < len(sent):
        stop = start + random.choice([1, 10, 200])
        run.feed(*sent[start:stop])
        start = stop
        run.commit()
        random.choice([run.restart, run.restore])()
        run.scorer = Scores(0.25)
    assert drawn(run) == expected
    assert 50 < len(expected) < 0.8 * len(drawn(free))


@pytest.mark.parametrize("cuts", [1, 2, 3])
def test_a_duplicate_is_answered_as_its_original_and_draws_on_nothing(cuts: int) -> None:
    once = charges(300, shops=2)
    run, plain = new_run(holdout_share=0.5), new_run(holdout_share=0.5)
    plain.feed(*once)
    thrice = [again for sent in once for again in (sent, sent, sent)]
    for start in range(0, len(thrice), cuts):
        run.feed(*thrice[start : start + cuts])
    events = run.outputs.events()
    for place in range(0, len(events), 3):
        original, *duplicates = events[place : place + 3]
        for duplicate in duplicates:
            assert duplicate.pop("duplicate") is True
            assert duplicate == original
    assert [events[place] for place in range(0, len(events), 3)] == plain.outputs.events()
    assert run.state() == plain.state()


def test_duplicates_spend_no_budget() -> None:
    """Two dollars of loss each: ten are let through, whether they are sent once or again."""
    rules = {"holdout_share": 0.5, "holdout_budget_usd": 87.51}
    once = charges(200, shops=1, amount=2000)
    runs = [new_run(0.25, **rules), new_run(0.25, **rules)]
    runs[0].feed(*once)
    runs[1].feed(*(again for sent in once for again in (sent, sent)))
    firsts = [event["charge"] for event in runs[1].outputs.events()
              if "holdout" in event and "duplicate" not in event]  # fmt: skip
    assert firsts == drawn(runs[0])
    assert len(firsts) == 10  # of 0.25 * (20 + 15) = 8.75 each


@pytest.mark.parametrize(
    ("share", "weight", "size"), [(0.5, 2.0, 1), (0.5, 2.0, 99), (0.02, 3.0, 999)]
)
def test_what_was_drawn_stands_for_what_was_not_within_the_limit(
    share: float, weight: float, size: int
) -> None:
    """Drawn with a half it counts twice; with a fiftieth it would count fifty times: thrice."""
    run = new_run(1e-6, holdout_share=share, costs=ALMOST_FREE)
    sent = charges(400 if share == 0.5 else 3000, shops=5)
    for start in range(0, len(sent), size):
        run.feed(*sent[start : start + size])
    events = {event["charge"]: event for event in run.outputs.events()}
    through = drawn(run)
    fraud = through[len(through) // 2]
    run.feed(dispute(fraud, START + DAY, card=events[fraud]["card"]), later(1.1))
    (positive,) = run.outputs.learned()
    assert positive["source"] == BY_DISPUTE
    assert (positive["weight"], positive["stands_for"]) == (1.0, weight)
    controls = run.outputs.controls()
    assert set(zip(controls["weight"], controls["stands_for"], strict=True)) == {(1.0, 0.0)}
    others = {events[name]["created"] for name in through if name != fraud}
    assert set(controls["charged_at"].tolist()) <= others
    run.feed(later(12.0), later(12.1))
    learned = run.outputs.learned()
    negatives = learned[(learned["label"] == 0) & (learned["charged_at"] < START + DAY)]
    assert set(negatives["stands_for"].tolist()) == {weight}
    # All that went through, and nothing that was stopped.
    assert set(negatives["charged_at"].tolist()) == others
