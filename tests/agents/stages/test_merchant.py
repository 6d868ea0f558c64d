"""The merchant stage: one scored event a charge, the answer of a duplicate, the review budget."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest

import schemas
from agents.models.kinds import scorer
from agents.models.linear import LinearLearner
from agents.models.prior import PriorScorer
from agents.settings.costs import Costs
from agents.stages.decisions import ReviewBudget
from schemas.currency import bundled_rates
from schemas.scored import ACTIONS, Scored
from streams.events.headers import put_behind
from streams.events.origin import decode_label_tail, encode_label_tail
from streams.features.entities import FEATURE_NAMES, FEATURES
from streams.simulator import Simulation
from streams.state.tables import META
from tests.agents.stages.choosing import chosen
from tests.agents.stages.stages import (
    DAY,
    HOUR,
    SCORED_AT,
    START,
    Message,
    Run,
    charge,
    decode,
    dispute,
    run_all,
    simulated,
)

SCHEMA = json.loads((Path(schemas.__file__).parent / "json/scored.schema.json").read_text())
AS_IN_THE_CHARGE = ("card", "merchant", "amount", "currency", "created")


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    simulation = Simulation(
        seed=4, cards=150, merchants=20, days=2, charges_per_day=1500, fraud_rate=0.05,
        dispute_delay_scale=0.02, late_share=0.05, duplicate_share=0.03,
    )  # fmt: skip
    return simulated(simulation)


@pytest.fixture(scope="module")
def run(stream: list[Message]) -> Run:
    return run_all(stream)


def charges_of(stream: list[Message]) -> list[dict[str, Any]]:
    return [json.loads(sent.value) for sent in stream if sent.topic == "charges"]


def same_answer(one: dict[str, Any], other: dict[str, Any]) -> bool:
    names = ("score", "action", "reasons", "model")
    return all(one[name] == other[name] for name in names)


def test_every_charge_gets_one_scored_event_in_order(stream: list[Message], run: Run) -> None:
    charges, scored = charges_of(stream), run.outputs.events()
    assert len(charges) > 2500
    assert [event["charge"] for event in scored] == [sent["id"] for sent in charges]
    assert [key.decode() for key in run.outputs.keys] == [sent["card"] for sent in charges]
    for sent, event in zip(charges, scored, strict=True):
        assert all(event[name] == sent[name] for name in AS_IN_THE_CHARGE)
        assert event["scored_at"] == SCORED_AT


def test_scored_events_are_as_the_schema_says(run: Run) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for value, event in zip(run.outputs.scored, run.outputs.events(), strict=True):
        validator.validate(event)
        msgspec.json.decode(value, type=Scored)


def test_unknown_fields_are_carried_along_and_do_not_win() -> None:
    (event,) = Run().feed(charge("a", START, order={"id": [1]}, score="mine", duplicate=True))
    assert event["order"] == {"id": [1]}
    assert 0.0 <= event["score"] <= 1.0
    assert "duplicate" not in event


def test_the_score_is_the_models_and_the_action_the_cheapest(
    stream: list[Message], run: Run
) -> None:
    vectors = np.frombuffer(b"".join(run.outputs.vectors), np.float32).reshape(-1, len(FEATURES))
    expected = PriorScorer(FEATURES).predict(vectors)
    charges, scored = charges_of(stream), run.outputs.events()
    first = [i for i, event in enumerate(scored) if "duplicate" not in event]
    np.testing.assert_allclose(
        [scored[i]["score"] for i in first], expected[first], rtol=1e-8, atol=0.0
    )
    amounts = [bundled_rates().usd(charges[i]["amount"], charges[i]["currency"]) for i in first]
    actions = chosen(expected[first], np.array(amounts), Costs(), ReviewBudget())
    taken = [scored[i].get("holdout", scored[i])["action"] for i in first]
    assert taken == [ACTIONS[code] for code in actions]
    assert {event["action"] for event in scored} == set(ACTIONS)
    assert {event["model"] for event in scored} == {"prior"}


def test_reasons_are_features_of_the_charge_that_raised_its_score(run: Run) -> None:
    vectors = np.frombuffer(b"".join(run.outputs.vectors), np.float32).reshape(-1, len(FEATURES))
    contributions = PriorScorer(FEATURES).contributions(vectors)
    reasons = 0
    for i, event in enumerate(run.outputs.events()):
        if "duplicate" in event:
            continue
        columns = [FEATURE_NAMES.index(reason["feature"]) for reason in event["reasons"]]
        added = contributions[i, columns].tolist()
        assert len(added) <= 5
        assert added == sorted(added, reverse=True)
        assert all(value > 0.0 for value in added)
        values = [reason["value"] for reason in event["reasons"]]
        assert values == pytest.approx(vectors[i, columns].tolist(), rel=1e-5)
        reasons += len(added)
    assert reasons > 1000


def test_a_duplicate_gets_the_first_answer_whatever_happened_since() -> None:
    run = Run()
    again = charge("a", START, amount=4000)
    (first,) = run.feed(again)
    run.commit()
    learner = LinearLearner(FEATURES)
    vectors = np.random.default_rng(1).normal(size=(1200, len(FEATURES))).astype(np.float32)
    learned = np.ones(1200)
    learner.learn(vectors, np.arange(1200) < 100, learned, np.zeros(1200), learned)
    run.scorer = scorer(learner.snapshot(0), FEATURES)
    run.feed(*(charge(f"other_{i}", START + i, amount=100_000) for i in range(20)))
    run.feed(dispute("a", START + HOUR))
    run.commit()
    run.restore()
    run.scorer = scorer(learner.snapshot(0), FEATURES)
    later, new = run.feed(again, charge("b", START + 2 * HOUR))
    assert later["duplicate"] is True
    assert same_answer(later, first)
    assert first["model"] == "prior"
    assert new["model"] == "linear-0000001200"
    assert "duplicate" not in new


def test_a_duplicate_in_the_same_batch_gets_the_first_answer() -> None:
    run = Run()
    first, again, other = run.feed(
        charge("a", START), charge("a", START, amount=99), charge("b", START + 1)
    )
    assert [event.get("duplicate") for event in (first, again, other)] == [None, True, None]
    assert same_answer(first, again)
    assert again["amount"] == 99
    assert not same_answer(first, other)


def test_duplicates_change_nothing_at_all(stream: list[Message]) -> None:
    """A stream with duplicates leaves every table as the same stream without them."""
    sent = set[bytes]()
    once = []
    for event in stream:
        if event.topic == "disputes" or event.value not in sent:
            once.append(event)
        sent.add(event.value)
    assert len(once) < len(stream) - 50
    with_duplicates, without = run_all(stream), run_all(once)
    for run in (with_duplicates, without):
        run.pause()  # what waits knows the offset that it came from
    assert with_duplicates.state() == without.state()
    first = [e for e in with_duplicates.outputs.events() if "duplicate" not in e]
    assert first == without.outputs.events()
    assert with_duplicates.outputs.examples == without.outputs.examples


def test_every_duplicate_gets_what_its_first_got(run: Run) -> None:
    first: dict[str, dict[str, Any]] = {}
    duplicates = 0
    for event in run.outputs.events():
        if "duplicate" in event:
            duplicates += 1
            assert same_answer(event, first[event["charge"]])
        else:
            assert event["charge"] not in first
            first[event["charge"]] = event
    assert duplicates > 50


def test_beyond_the_window_a_duplicate_is_a_new_charge() -> None:
    run = Run(dedup_window_hours=1.0, label_horizon_days=1.0, negative_rate=1.0)
    events = run.feed(
        charge("a", START), charge("a", START + HOUR), charge("a", START + HOUR + 1.0)
    )
    assert [event.get("duplicate") for event in events] == [None, True, None]
    vectors = np.frombuffer(b"".join(run.outputs.vectors), np.float32).reshape(3, -1)
    before = FEATURE_NAMES.index("merchant_charges_before")
    assert vectors[:, before].tolist() == [0.0, 1.0, 1.0]


def test_a_duplicate_at_another_merchant_is_answered_anew_and_counts_nowhere() -> None:
    """Its original went to the task of another merchant; no review is spent on it."""
    costs = Costs(review_capacity_share=0.5, review_cost_usd=0.0, review_success_share=1.0)
    one, other = Run(), Run(costs=costs)
    one.feed(charge("a", START))
    other.feed(charge("b", START, merchant="shop_2"), charge("c", START, merchant="shop_2"))
    assert other.outputs.events()[1]["action"] == "review"
    before = other.state()
    for _ in range(10):
        duplicate = decode([charge("a", START, merchant="shop_2")])
        other.answer(one.count(duplicate))
    assert other.state() == before
    for event in other.outputs.events()[2:]:
        assert event["duplicate"] is True
        assert event["merchant"] == "shop_2"
        assert event["action"] not in {"review", None}


@pytest.mark.parametrize("cut", [1, 7, 100, 1000])
def test_the_review_budget_goes_on_through_restarts(cut: int) -> None:
    """One charge in a hundred may be reviewed, and all of these would be best reviewed."""
    costs = Costs(review_capacity_share=0.01, review_cost_usd=0.0, review_success_share=1.0)
    run = Run(costs=costs)
    messages = [charge(f"c{i}", START + i, card=f"card_{i}") for i in range(500)]
    for start in range(0, len(messages), cut):
        run.feed(*messages[start : start + cut])
        run.commit()
        if start % 3 == 0:
            run.restart()
        elif start % 3 == 1:
            run.feed(charge("undone", START + 501.0, card="card_x"))
            run.roll_back()
    actions = [event["action"] for event in run.outputs.events()]
    reviewed = [i for i, action in enumerate(actions) if action == "review"]
    assert reviewed == list(range(99, 500, 100))


def test_a_duplicate_takes_no_review() -> None:
    costs = Costs(review_capacity_share=0.25, review_cost_usd=0.0, review_success_share=1.0)
    run = Run(costs=costs, holdout_share=0.0)
    actions = []
    for i in range(40):
        for _ in range(3):
            (event,) = run.feed(charge(f"c{i}", START + i, card=f"card_{i}"))
            actions.append((event["action"], "duplicate" in event))
    first = [action for action, is_duplicate in actions if not is_duplicate]
    assert [i for i, action in enumerate(first) if action == "review"] == list(range(3, 40, 4))
    duplicated = [action for action, is_duplicate in actions if is_duplicate]
    assert duplicated == [action for action in first for _ in range(2)]


def test_stream_time_is_the_newest_event_time_and_survives() -> None:
    run = Run()
    run.feed(charge("a", START + 50.0), charge("b", START))
    run.commit()
    run.feed(charge("c", START + DAY))
    run.roll_back()
    assert run.stream_time == START + 50.0
    run.restore()
    assert run.stream_time == START + 50.0
    run.feed(dispute("a", START + 70.0))
    run.pause()
    assert len(run.outputs.learned()) == 1
    assert run.stream_time == START + 50.0  # disputes do not move it
    assert list(run.state(META))


def test_merchants_do_not_see_each_other_and_a_card_sees_all() -> None:
    run = Run()
    run.feed(*(charge(f"c{i}", START + i, merchant=f"shop_{i % 2}") for i in range(6)))
    vectors = np.frombuffer(b"".join(run.outputs.vectors), np.float32).reshape(6, -1)
    at_merchant = vectors[:, FEATURE_NAMES.index("merchant_charges_before")]
    at_card = vectors[:, FEATURE_NAMES.index("card_charges_before")]
    assert at_merchant.tolist() == [0, 0, 1, 1, 2, 2]
    assert at_card.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_charge_from_the_earliest_times_is_scored() -> None:
    run = Run(label_horizon_days=1.0, negative_rate=1.0)
    created = [0.0, 0.5, DAY, 40 * DAY, 200 * DAY, START]
    for time in created:
        (event,) = run.feed(charge(f"c{time}", time))
        assert event["created"] == time
        run.commit()
    assert [time for time, _ in pairwise(created)] == run.outputs.learned()["charged_at"].tolist()


def test_a_batch_may_have_more_cards_and_merchants_than_the_cache_holds() -> None:
    at_once, one_by_one = Run(cache_records=1000), Run(cache_records=1000)
    messages = [
        charge(f"c{i}", START + i, card=f"card_{i % 1300}", merchant=f"shop_{i % 1100}")
        for i in range(2600)
    ]
    at_once.feed(*messages)
    for start in range(0, len(messages), 100):
        one_by_one.feed(*messages[start : start + 100])
    assert at_once.outputs == one_by_one.outputs
    assert at_once.state() == one_by_one.state()


def test_headers_go_along_to_the_scored_event_and_to_a_rejected_copy() -> None:
    """As `traceparent` does, through both stages; those that say why a copy is one stay its own."""
    sent = (("traceparent", b"00-4bf9-00f0-01"), ("bytes", bytes(range(256))), ("none", None))
    given = (*sent, ("error", b"mine"))
    stage = Run()
    batch = decode([charge("a", START), charge("b", START), dispute("nowhere", START)])
    batch.tails[0] = put_behind(batch.tails[0], given)
    origin, key, value = decode_label_tail(batch.tails[2])
    batch.tails[2] = encode_label_tail(msgspec.structs.replace(origin, headers=given), key, value)
    stage.process(batch)
    assert stage.outputs.headers == [given, ()]
    assert [event["charge"] for event in stage.outputs.events()] == ["a", "b"]
    stage.feed(charge("c", START + 3 * DAY))
    (rejected,) = stage.outputs.rejected
    assert rejected.carried == sent
    assert stage.outputs.headers == [given, (), ()]
