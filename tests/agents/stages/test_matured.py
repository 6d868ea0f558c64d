"""What is told of a charge at its horizon, once, for the estimates: by the table of `maturing`."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from agents.evaluation.estimates import METHODS, estimates
from agents.evaluation.matured_sums import MaturedCharges
from schemas.scored import ACTIONS
from streams.events.rows import charge_hashes
from streams.wire.matured import FRAUD, GENUINE, UNSEEN
from tests.agents.stages.stages import DAY, START, Message, Run, charge, decode, dispute, part
from tests.agents.stages.test_holdout import Scores
from tests.agents.stages.test_outcomes import COSTS, SAYS, later, said

if TYPE_CHECKING:
    from streams.events.rows import Rows

SHARE = 0.5
RULES = {"holdout_key": "the key of a test installation", "holdout_amount_max_usd": 50.0,
         "holdout_budget_usd": 1e9, "holdout_share": SHARE, "label_horizon_days": 10.0,
         "orphan_wait_hours": 24.0, "negative_rate": 1.0}  # fmt: skip


def new_run(action: str = "block", **settings: Any) -> Run:
    run = Run(**RULES | {"costs": COSTS[action]} | settings)
    run.scorer = Scores(0.4)
    return run


def told(run: Run, messages: list[Message]) -> dict[str, tuple[int, str, float, float]]:
    """Return of each charge what was seen, its action, propensity and for how many it counts."""
    batch = decode([each for each in messages if each.topic == "charges"])
    names = dict(zip(charge_hashes(batch.rows), names_of(messages), strict=True))
    rows = run.outputs.matured_charges()
    hashes = charge_hashes(rows)
    assert len(set(hashes)) == len(hashes), "a charge is told of twice"
    return {
        names[digest]: (
            int(row["seen"]),
            ACTIONS[row["action"]],
            float(row["propensity"]),
            float(row["counts"]),
        )
        for digest, row in zip(hashes, rows, strict=True)
    }


def names_of(messages: list[Message]) -> list[str]:
    return [orjson.loads(each.value)["id"] for each in messages if each.topic == "charges"]


def sent(count: int, **fields: Any) -> list[Message]:
    return [charge(f"c{i}", START + i, card=f"card_{i % 50}", **fields) for i in range(count)]


def drawn(run: Run) -> set[str]:
    return {event["charge"] for event in run.outputs.events() if "holdout" in event}


def let_time_pass(run: Run, cuts: int = 1) -> list[Message]:
    clock = [later(30.0 + cut / 100.0) for cut in range(cuts + 1)]
    for each in clock:
        run.feed(each)
    return clock


@pytest.mark.parametrize("action", ["challenge", "review", "block"])
def test_what_was_to_be_stopped_is_told_once_whether_drawn_or_not(action: str) -> None:
    run = new_run(action)
    messages = sent(300)
    run.feed(*messages)
    found = told(run, messages + let_time_pass(run))
    chosen = drawn(run)
    assert 100 < len(chosen) < 200
    for name in names_of(messages):
        seen = GENUINE if name in chosen else UNSEEN
        assert found[name] == (seen, action, SHARE, 1.0)


def test_it_is_told_of_what_could_not_be_drawn() -> None:
    """By its amount, at 50 dollars; and whether it is drawn makes no difference."""
    run = new_run()
    amounts = [4_999, 5_000, 5_001, 90_000]
    messages = [charge(f"c{i}", START + i, amount=amounts[i % 4]) for i in range(200)]
    run.feed(*messages)
    found = told(run, messages + let_time_pass(run))
    shares = {name: found[name][2] for name in names_of(messages)}
    assert all(shares[f"c{i}"] == (SHARE if i % 4 < 2 else 0.0) for i in range(200))


@pytest.mark.parametrize("seed", range(3))
def test_room_in_the_budget_does_not_depend_on_the_draw_of_the_charge_itself(seed: int) -> None:
    """By going through all that was scored: a charge has room by what was drawn before it."""
    random = Random(seed)
    rules: dict[str, Any] = {"holdout_budget_usd": 60.0, "holdout_amount_max_usd": 1e6}
    messages = [
        charge(f"c{i}", START + i * 500.0, merchant=f"shop_{random.randrange(2)}",
               amount=random.randrange(100, 3000))
        for i in range(600)
    ]  # fmt: skip
    run, start = new_run(**rules), 0
    while start < len(messages):
        stop = start + random.choice([1, 10, 200])
        run.feed(*messages[start:stop])
        run.commit()
        random.choice([run.restart, run.restore])()
        start = stop
    events = run.outputs.events()
    found = told(run, messages + let_time_pass(run))
    spent: Counter[tuple[str, float]] = Counter()
    costs = run.settings.costs
    for event in events:
        day = (event["merchant"], event["created"] // DAY)
        loss = 0.4 * (event["amount"] / 100.0 * costs.fraud_loss_share + costs.dispute_fee_usd)
        has_room = spent[day] + loss <= 60.0
        assert found[event["charge"]][2] == (SHARE if has_room else 0.0)
        if "holdout" in event:
            spent[day] += loss
    shares = Counter(share for _, _, share, _ in found.values())
    assert min(shares[0.0], shares[SHARE]) > 50


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("words", [*SAYS, "dispute", ""])
def test_labels_of_what_was_stopped_and_not_drawn_do_not_count(words: str, is_cut: bool) -> None:
    """It is unseen, whoever let it through: those that fail a challenge are never seen either."""
    run = new_run("challenge", holdout_share=0.0)
    events = [charge("a", START), later(1.0)]
    if words:
        at = START + DAY
        events.append(dispute("a", at) if words == "dispute" else said("a", words, 1.0))
    for batch in [[each] for each in events] if is_cut else [events]:
        run.feed(*batch)
        run.commit()
        run.restart()
    run.pause()
    found = told(run, events + let_time_pass(run))
    assert found["a"] == (UNSEEN, "challenge", 0.0, 1.0)


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("words", [*SAYS, "dispute", ""])
@pytest.mark.parametrize("action", ["allow", "block"])
def test_what_goes_through_is_seen_unless_others_stopped_it(
    action: str, words: str, is_cut: bool
) -> None:
    """By its action, or because it was drawn."""
    run = new_run(action)
    messages = sent(40)
    for batch in [[each] for each in messages] if is_cut else [messages]:
        run.feed(*batch)
        run.commit()
        run.restart()
    run.feed(later(1.0))
    ours = set(names_of(messages))
    if action == "block":
        ours &= drawn(run)
    labels = []
    for i in range(40):
        if f"c{i}" in ours and words:
            card = f"card_{i % 50}"
            at = START + DAY
            labels.append(
                dispute(f"c{i}", at, card=card)
                if words == "dispute"
                else said(f"c{i}", words, 1.0, card=card)
            )
    run.feed(*labels, later(2.0))
    run.pause()
    found = told(run, [*messages, later(1.0), later(2.0), *let_time_pass(run)])
    says = "fraud" if words == "dispute" else SAYS.get(words, "nothing")
    seen = {"fraud": FRAUD, "stopped": None, "refunded": None}.get(says, GENUINE)
    share = 1.0 if action == "allow" else SHARE
    for name in ours:
        assert found.get(name) == (None if seen is None else (seen, action, share, 1.0))


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_of_the_holdout_all_labels_are_learned_and_of_silence_else_a_sample(rate: float) -> None:
    run = new_run(negative_rate=rate)
    messages = sent(400)
    run.feed(*messages)
    found = told(run, messages + let_time_pass(run))
    assert {name for name, (seen, *_) in found.items() if seen == GENUINE} >= drawn(run)
    assert {found[name][3] for name in drawn(run)} == {1.0}
    learned = run.outputs.learned()
    weights = learned["stands_for"][learned["charged_at"] < START + DAY]
    assert len(weights) == len(drawn(run))
    assert set(weights.tolist()) == {1.0 / SHARE}
    allowed = new_run("allow", negative_rate=rate)
    allowed.feed(*messages)
    rows = told(allowed, messages + let_time_pass(allowed))
    assert {row[3] for row in rows.values()} == {np.float32(1.0 / rate)}
    assert abs(len(rows) - 400 * rate) < 4.0 * np.sqrt(400 * rate * (1.0 - rate))


def test_a_fraud_is_told_of_whether_its_silence_was_sampled_or_not() -> None:
    run = new_run("allow", negative_rate=0.1)
    messages = sent(200)
    run.feed(*messages)
    run.feed(*(dispute(f"c{i}", START + DAY, card=f"card_{i % 50}") for i in range(200)))
    run.pause()
    found = told(run, messages + let_time_pass(run))
    assert [found[f"c{i}"] for i in range(200)] == [(FRAUD, "allow", 1.0, 1.0)] * 200


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_fraud_found_past_the_horizon_counts_as_genuine_here(is_cut: bool) -> None:
    """It is learned all the same; and however batches are cut."""
    run = new_run("allow")
    events = [charge("a", START), later(12.0), dispute("a", START + 11.0 * DAY), later(13.0)]
    for batch in [[each] for each in events] if is_cut else [events]:
        run.feed(*batch)
    run.pause()
    found = told(run, events + let_time_pass(run))
    assert found["a"] == (GENUINE, "allow", 1.0, 1.0)
    assert run.outputs.learned()["label"].sum() == 1


@pytest.mark.parametrize("action", ["allow", "block"])
def test_where_nobody_acts_every_charge_is_seen(action: str) -> None:
    run = new_run(action, actions="advisory")
    messages = sent(60)
    run.feed(*messages)
    run.feed(*(dispute(f"c{i}", START + DAY, card=f"card_{i % 50}") for i in range(10)))
    run.pause()
    found = told(run, messages + let_time_pass(run))
    for i in range(60):
        assert found[f"c{i}"] == (FRAUD if i < 10 else GENUINE, action, 1.0, 1.0)


@pytest.mark.parametrize("action", ["allow", "block"])
def test_duplicates_are_not_told_of(action: str) -> None:
    run = new_run(action)
    messages = sent(50)
    run.feed(*messages, *messages)
    found = told(run, messages + let_time_pass(run))
    assert found.keys() >= set(names_of(messages))


def test_a_charge_that_an_earlier_version_kept_is_not_told_of() -> None:
    """It has no card; what it is learned as stays."""
    run = new_run("allow")
    run.feed(charge("a", START))
    run.commit()
    labels = run._stages.merchant._labels
    [(key, _)] = labels.kept.between(b"", b"\xff" * 20, START)
    before = labels.kept.charge(key)
    before["card"], before["stands_for"] = 0, 0.0
    labels.kept.put([key], before)
    let_time_pass(run)
    assert START not in run.outputs.matured_charges()["created"].tolist()
    assert START in run.outputs.learned()["charged_at"].tolist()


@pytest.mark.parametrize("seed", range(2))
def test_the_same_is_told_however_batches_are_cut(seed: int) -> None:
    """With outcomes and disputes before the horizon and past it, restarts, and restores."""
    random = Random(seed)
    messages: list[tuple[float, Message]] = []
    for i in range(250):
        day = random.uniform(0.0, 15.0)
        card = f"card_{i % 30}"
        created = START + day * DAY
        amount = random.choice([900, 4000, 6000])
        messages.append((created, charge(f"c{i}", created, card=card, amount=amount)))
        for word in random.choices([*SAYS, "dispute", ""], k=2):
            at = day + random.choice([0.1, 1.0, 9.9, 10.1, 12.0])
            if word == "dispute":
                event = dispute(f"c{i}", START + at * DAY, card=card)
            elif word:
                event = said(f"c{i}", word, at, card=card)
            else:
                continue
            messages.append((START + at * DAY, event))
    stream = [message for _, message in sorted(messages, key=lambda item: item[0])]
    costs = COSTS["challenge"]
    whole, cut = new_run(costs=costs, negative_rate=0.5), new_run(costs=costs, negative_rate=0.5)
    whole.feed(*stream)
    let_time_pass(whole)
    batch, start = decode(stream), 0
    while start < len(stream):
        stop = start + random.choice([1, 2, 30])
        cut.process(part(batch, start, stop))
        start = stop
        cut.commit()
        random.choice([cut.restart, cut.restore])()
    let_time_pass(cut)

    def in_order(rows: Rows) -> list[bytes]:
        return sorted(row.tobytes() for row in rows)

    assert in_order(cut.outputs.matured_charges()) == in_order(whole.outputs.matured_charges())
    assert Counter(whole.outputs.matured_charges()["seen"].tolist()).keys() == {
        UNSEEN, GENUINE, FRAUD,
    }  # fmt: skip


def test_what_is_told_gives_estimates() -> None:
    """Of 2,000 blocked charges a third are frauds; half of them are seen."""
    run = new_run()
    messages = sent(2000)
    run.feed(*messages)
    through = drawn(run)
    run.feed(
        *(
            dispute(f"c{i}", START + DAY, card=f"card_{i % 50}")
            for i in range(0, 2000, 3)
            if f"c{i}" in through
        )
    )
    run.pause()
    let_time_pass(run)
    matured = MaturedCharges()
    rows = run.outputs.matured_charges()
    matured.add(rows[rows["created"] < START + DAY / 2])
    found = estimates(*matured.kept(*matured.days))["actions"]["block"]
    assert (found["charges"], found["covered"], found["labels"]) == (2000.0, 1.0, len(through))
    for method in METHODS[:3]:
        assert found["precision"][method]["value"] == pytest.approx(1 / 3, abs=0.06)
    assert found["precision"]["scores"]["value"] == pytest.approx(0.4)
