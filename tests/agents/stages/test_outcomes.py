"""What is learned of a charge from its outcomes, by the table of outcomes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from agents.models.prior import PriorScorer
from agents.settings.costs import Costs
from schemas.outcome import OUTCOMES
from streams.features.entities import FEATURES
from streams.wire.examples import BY_DISPUTE, BY_SILENCE, BY_VERDICT
from tests.agents.stages.stages import DAY, HOUR, START, Message, Run, charge, dispute, outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 1e6
"""What an action costs that is never to be chosen."""

COSTS = {
    "allow": Costs(
        margin_share=1.0, fraud_loss_share=0.0, dispute_fee_usd=0.0,
        challenge_cost_usd=NEVER, review_cost_usd=NEVER,
    ),
    "challenge": Costs(
        fraud_loss_share=1.0, margin_share=1.0, challenge_cost_usd=0.0,
        challenge_abandonment_share=0.0, challenge_success_share=0.85, review_cost_usd=NEVER,
    ),
    "review": Costs(
        fraud_loss_share=1.0, margin_share=1.0, challenge_cost_usd=NEVER,
        review_cost_usd=0.0, review_success_share=1.0, review_capacity_share=1.0,
    ),
    "block": Costs(
        fraud_loss_share=1.0, margin_share=0.0, challenge_cost_usd=NEVER, review_cost_usd=NEVER
    ),
}  # fmt: skip
"""Under each, one action is always the cheapest."""

RULES = {"label_horizon_days": 10.0, "negative_rate": 1.0, "orphan_wait_hours": 24.0,
         "holdout_share": 0.0, "dispute_retention_days": 100.0}  # fmt: skip

SAYS = {
    "authorized": "went through",
    "declined": "stopped",
    "blocked": "stopped",
    "canceled": "stopped",
    "challenge_passed": "went through",
    "challenge_failed": "stopped",
    "challenge_abandoned": "stopped",
    "review_fraud": "fraud",
    "review_genuine": "went through",
    "refunded": "refunded",
    "dispute_won": "nothing",
    "answered allow": "went through",
    "answered challenge": "stopped",
    "answered review": "stopped",
    "answered block": "stopped",
}
"""What the table says of each outcome, as to the label of a charge that is never disputed."""


class Learned(NamedTuple):
    """An example of the charge in question."""

    label: int
    source: int
    weight: float
    stands_for: float
    days: float


NEGATIVE = Learned(0, BY_SILENCE, 0.0, 1.0, 10.0)


class LowScorer(PriorScorer):
    """Takes nothing for a fraud, so that nothing is imputed."""

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Scorer.predict`."""
        return np.full(len(vectors), 1e-9)


def said(name: str, words: str, days: float, **fields: object) -> Message:
    """Make an outcome by its name, and of `answered` the action."""
    what, _, action = words.partition(" ")
    fields |= {"id": f"{words} {name}"} | ({"action": action} if action else {})
    return outcome(name, START + days * DAY, what, **fields)


def later(days: float) -> Message:
    """Make a charge of others that moves stream time."""
    return charge(f"clock_{days}", START + days * DAY, card="card_clock", merchant="clock")


def new_run(action: str = "allow", actions: str = "enforced", **settings: object) -> Run:
    run = Run(**RULES | {"costs": COSTS[action], "actions": actions} | settings)
    run.scorer = LowScorer(FEATURES)
    return run


def learned_of(run: Run, days: float = 0.0) -> list[Learned]:
    """Return what was learned of the charge made on a day, but not as a control."""
    rows = np.concatenate([run.outputs.learned(), run.outputs.imputed()])
    rows = rows[rows["charged_at"] == START + days * DAY]
    return [
        Learned(
            int(row["label"]),
            int(row["source"]),
            round(float(row["weight"]), 6),
            round(float(row["stands_for"]), 6),
            round((float(row["labelled_at"]) - START) / DAY, 6),
        )
        for row in rows
    ]


def run_of(run: Run, events: list[Message], *, is_cut: bool) -> list[Learned]:
    """Feed events, at once or each by itself with a restart between; let time pass to day 30."""
    batches = [[each] for each in events] if is_cut else [events]
    for batch in batches:
        run.feed(*batch)
        run.commit()
        run.restart()
    run.pause()
    run.feed(later(30.0))
    run.feed(later(30.1))
    return learned_of(run)


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("actions", ["enforced", "advisory"])
@pytest.mark.parametrize("action", COSTS)
def test_without_an_outcome_the_action_tells_whether_silence_is_a_negative(
    action: str, actions: str, is_cut: bool
) -> None:
    run = new_run(action, actions)
    learned = run_of(run, [charge("a", START), later(1.0)], is_cut=is_cut)
    assert run.outputs.events()[0]["action"] == action
    went_through = action == "allow" or actions == "advisory"
    assert learned == ([NEGATIVE] if went_through else [])


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("words", SAYS)
@pytest.mark.parametrize(
    ("action", "actions"), [("allow", "enforced"), ("challenge", "enforced"), ("block", "advisory")]
)
def test_before_the_horizon_an_outcome_tells_what_silence_means(
    action: str, actions: str, words: str, is_cut: bool
) -> None:
    went_through = action == "allow" or actions == "advisory"
    expected = {
        "went through": [NEGATIVE],
        "stopped": [],
        "refunded": [],
        "fraud": [Learned(1, BY_VERDICT, 1.0, 1.0, 1.0)],
        "nothing": [NEGATIVE] if went_through else [],
    }[SAYS[words]]
    events = [charge("a", START), later(1.0), said("a", words, 1.0), later(2.0)]
    run = new_run(action, actions)
    assert run_of(run, events, is_cut=is_cut) == expected
    assert run.outputs.rejected == []


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("words", SAYS)
@pytest.mark.parametrize("action", ["allow", "block"])
def test_past_the_horizon_only_what_went_through_after_all_is_learned(
    action: str, words: str, is_cut: bool
) -> None:
    events = [charge("a", START), later(12.0), said("a", words, 12.0), later(13.0)]
    expected = [NEGATIVE] if action == "allow" else []
    if SAYS[words] == "went through" and action == "block":
        expected = [NEGATIVE._replace(days=12.0)]
    if SAYS[words] == "fraud":
        expected.append(Learned(1, BY_VERDICT, 1.0, 1.0, 12.0))
    assert run_of(new_run(action), events, is_cut=is_cut) == expected


@pytest.mark.parametrize("is_cut", [False, True])
def test_a_fraud_that_is_found_past_the_horizon_is_no_negative_afterwards(is_cut: bool) -> None:
    events = [
        charge("a", START),
        later(12.0),
        said("a", "review_fraud", 12.0),
        later(13.0),
        said("a", "authorized", 13.0),
        later(14.0),
    ]
    expected = [Learned(1, BY_VERDICT, 1.0, 1.0, 12.0)]
    assert run_of(new_run("block"), events, is_cut=is_cut) == expected


@pytest.mark.parametrize("words", SAYS)
@pytest.mark.parametrize("restores", [False, True])
def test_an_outcome_that_is_read_before_its_charge_waits_for_it(words: str, restores: bool) -> None:
    run = new_run("block")
    run.feed(later(0.0), said("a", words, 0.1))
    run.commit()
    if restores:
        run.restore()
    run.feed(charge("a", START))
    learned = run_of(run, [later(1.0)], is_cut=False)
    positive = Learned(1, BY_VERDICT, 1.0, 1.0, 0.0)
    expected = {"went through": [NEGATIVE], "fraud": [positive]}
    assert [each._replace(days=0.0) for each in learned] == [
        each._replace(days=0.0) for each in expected.get(SAYS[words], [])
    ]
    assert run.outputs.rejected == []


@pytest.mark.parametrize("words", SAYS)
def test_an_outcome_of_an_unknown_charge_is_given_up_after_its_wait(words: str) -> None:
    run = new_run()
    sent = said("nowhere", words, 1.0)
    run.feed(later(1.0), sent)
    run.feed(later(2.0))
    assert run.outputs.rejected == []
    run.feed(later(2.0 + 1.0 / 86_400.0))
    (rejected,) = run.outputs.rejected
    assert (rejected.key, rejected.value) == (sent.key, sent.value)
    assert rejected.reason == "unknown_charge"
    assert dict(rejected.headers)["topic"] == b"outcomes"


@pytest.mark.parametrize("words", SAYS)
def test_an_outcome_years_late_is_rejected(words: str) -> None:
    run = new_run()
    run.feed(charge("a", START))
    run.feed(later(800.0))
    run.feed(later(800.1))
    before = list(run.outputs.examples)
    sent = said("a", words, 800.2)
    run.feed(sent)
    run.feed(later(802.0))
    (rejected,) = run.outputs.rejected
    assert rejected.value == sent.value
    assert rejected.reason == "unknown_charge"
    assert run.outputs.examples == before


@pytest.mark.parametrize("words", SAYS)
@pytest.mark.parametrize("action", ["allow", "block"])
def test_a_charge_that_is_kept_no_more_by_hours_changes_nothing(action: str, words: str) -> None:
    """The index of charges keeps it for up to 16 days more: the merchant stage rejects it."""
    run = new_run(action)
    run.feed(charge("a", START))
    run.feed(later(102.0))
    before = list(run.outputs.examples)
    run.feed(said("a", words, 102.0), later(102.5))
    assert [copy.reason for copy in run.outputs.rejected] == ["unknown_charge"]
    assert run.outputs.examples[len(before) :] == []


@pytest.mark.parametrize("words", SAYS)
@pytest.mark.parametrize("action", ["allow", "block"])
def test_an_outcome_said_twice_is_learned_once(action: str, words: str) -> None:
    once = [charge("a", START), said("a", words, 1.0), later(2.0)]
    again = said("a", words, 3.0, id="again")
    expected = run_of(new_run(action), once, is_cut=False)
    run = new_run(action)
    assert run_of(run, [*once, again, again, later(4.0)], is_cut=True) == expected
    assert run.outputs.rejected == []


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["challenge_failed", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["challenge_abandoned", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["declined", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["blocked", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["review_genuine", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["refunded", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["answered block", "dispute"], [(1, BY_DISPUTE, 2.0)]),
        (["dispute", "dispute_won"], [(1, BY_DISPUTE, 1.0)]),
        (["dispute", "dispute_won", "authorized"], [(1, BY_DISPUTE, 1.0)]),
        (["dispute", "review_genuine"], [(1, BY_DISPUTE, 1.0)]),
        (["review_fraud", "dispute"], [(1, BY_VERDICT, 1.0)]),
        (["dispute", "review_fraud"], [(1, BY_DISPUTE, 1.0)]),
        (["review_fraud", "review_genuine"], [(1, BY_VERDICT, 1.0)]),
        (["review_genuine", "review_fraud"], [(1, BY_VERDICT, 2.0)]),
        (["refunded", "authorized"], []),
        (["authorized", "refunded"], []),
        (["authorized", "declined"], []),
        (["declined", "authorized"], [(0, BY_SILENCE, 10.0)]),
        (["challenge_failed", "challenge_passed"], [(0, BY_SILENCE, 10.0)]),
        (["challenge_passed", "canceled"], []),
        (["answered allow", "declined"], []),
        (["answered block", "authorized"], [(0, BY_SILENCE, 10.0)]),
        (["authorized", "declined", "authorized"], []),
        (["declined", "authorized", "declined"], [(0, BY_SILENCE, 10.0)]),
        (["blocked", "authorized", "canceled"], [(0, BY_SILENCE, 10.0)]),
    ],
)
@pytest.mark.parametrize("action", ["allow", "review"])
def test_of_contradictory_words_a_dispute_wins_and_else_the_last(
    action: str, words: list[str], expected: list[tuple[int, int, float]], is_cut: bool
) -> None:
    events = [charge("a", START)]
    for day, word in enumerate(words, 1):
        at = START + day * DAY
        events += [later(day), dispute("a", at) if word == "dispute" else said("a", word, day)]
    learned = run_of(new_run(action), [*events, later(9.0)], is_cut=is_cut)
    assert [(each.label, each.source, each.days) for each in learned] == expected


@pytest.mark.parametrize("is_cut", [False, True])
def test_what_is_refunded_past_the_horizon_and_only_then_told_to_have_gone_through(
    is_cut: bool,
) -> None:
    events = [
        charge("a", START), later(12.0), said("a", "refunded", 12.0), later(13.0),
        said("a", "authorized", 13.0), later(14.0),
    ]  # fmt: skip
    assert run_of(new_run("block"), events, is_cut=is_cut) == []


@pytest.mark.parametrize(
    ("action", "actions", "words", "weight"),
    [
        ("challenge", "enforced", [], 1.0),
        ("challenge", "enforced", ["challenge_passed"], 3.0),
        ("challenge", "enforced", ["authorized"], 3.0),
        ("challenge", "enforced", ["answered allow"], 1.0),
        ("challenge", "enforced", ["answered allow", "authorized"], 1.0),
        ("challenge", "enforced", ["challenge_failed"], 1.0),
        ("challenge", "advisory", [], 1.0),
        ("review", "enforced", ["review_genuine"], 1.0),
        ("allow", "enforced", ["authorized"], 1.0),
    ],
)
def test_a_fraud_that_passed_its_challenge_stands_for_those_that_did_not(
    action: str, actions: str, words: list[str], weight: float
) -> None:
    """Of 100 frauds that are challenged 15 pass, which would be a weight of 6.7: at most 3."""
    run = new_run(action, actions)
    events = [charge("a", START), *(said("a", word, 0.5) for word in words), later(1.0)]
    learned = run_of(run, [*events, dispute("a", START + DAY)], is_cut=True)
    assert learned == [Learned(1, BY_DISPUTE, weight, weight, 1.0)]


def test_below_the_limit_the_weight_is_the_inverse_of_the_share_that_passes() -> None:
    costs = Costs(
        fraud_loss_share=1.0, margin_share=1.0, challenge_cost_usd=0.0,
        challenge_abandonment_share=0.0, challenge_success_share=0.5, review_cost_usd=NEVER,
    )  # fmt: skip
    run = new_run(costs=costs)
    events = [charge("a", START), said("a", "challenge_passed", 0.5), later(1.0)]
    learned = run_of(run, [*events, dispute("a", START + DAY)], is_cut=False)
    assert run.outputs.events()[0]["action"] == "challenge"
    assert [each.stands_for for each in learned] == [2.0]


@pytest.mark.parametrize("size", [1, 9, 1000])
@pytest.mark.parametrize("actions", ["enforced", "advisory"])
@pytest.mark.parametrize("action", ["allow", "block"])
def test_controls_are_charges_that_went_through(action: str, actions: str, size: int) -> None:
    """Of 15 charges of each outcome, and as many of none, on the day of a fraud and before it."""
    words = [*SAYS, ""] * 2
    messages = [
        charge(f"c{i} {word}", START + i * 60.0, card=f"card_{i}") for i, word in enumerate(words)
    ]
    messages += [
        said(f"c{i} {word}", word, 0.2, card=f"card_{i}") for i, word in enumerate(words) if word
    ]
    messages += [charge("fraud", START + DAY, card="victim"), later(1.5)]
    messages += [dispute("fraud", START + 1.5 * DAY, card="victim"), later(2.0)]
    run = new_run(action, actions)
    for start in range(0, len(messages), size):
        run.feed(*messages[start : start + size])
    vectors = dict(zip(run.outputs.vectors, run.outputs.events(), strict=True))
    controls = run.outputs.controls()
    of_fraud = controls[controls["labelled_at"] == START + 1.5 * DAY]
    names = [vectors[row["vector"].tobytes()]["charge"] for row in of_fraud]
    found = Counter(name.partition(" ")[2] for name in names)
    silent = ["", "dispute_won"] if action == "allow" or actions == "advisory" else []
    through = [word for word, says in SAYS.items() if says == "went through"]
    # By hashes, the controls are a part of those that can be: here nearly all of them.
    assert found.keys() <= {*through, *silent}
    assert len(found) > 1
    assert set(of_fraud["weight"].tolist()) == {1.0}
    assert set(of_fraud["label"].tolist()) == {0}


class HighScorer(PriorScorer):
    """Takes each charge for a fraud with a probability of 0.7."""

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Scorer.predict`."""
        return np.full(len(vectors), 0.7)


@pytest.mark.parametrize("size", [1, 30, 5000])
def test_as_many_of_the_blocked_are_taken_for_frauds_as_their_scores_say(size: int) -> None:
    """They are no labels, count half, and so do the charges that they are compared with."""
    count = 2000
    run = new_run("allow")
    run.feed(*(charge(f"good_{i}", START + i, card=f"card_{i}") for i in range(200)))
    run.settings = replace(run.settings, costs=COSTS["block"])
    run.commit()
    run.restart()
    run.scorer = HighScorer(FEATURES)
    messages = [
        charge(f"c{i}", START + DAY / 2 + i, card=f"card_{i}", merchant=f"shop_{i % 9}")
        for i in range(count)
    ]
    for start in range(0, min(count, 60 if size == 1 else count), size):
        run.feed(*messages[start : start + size])
    blocked = [event for event in run.outputs.events() if event["action"] == "block"]
    imputed = run.outputs.imputed()
    deviation = np.sqrt(len(blocked) * 0.7 * 0.3)
    assert abs(len(imputed) - 0.7 * len(blocked)) < 4.0 * deviation
    assert set(zip(imputed["label"], imputed["weight"], imputed["stands_for"], strict=True)) == {
        (1, 0.5, 0.0)
    }
    controls = run.outputs.controls()
    assert len(controls) > len(imputed)
    assert set(zip(controls["weight"], controls["stands_for"], strict=True)) == {(0.5, 0.0)}
    charged = set(controls["charged_at"].tolist())
    assert max(charged) < START + HOUR  # none of the blocked
    assert len(run.outputs.learned()) == 0


@pytest.mark.parametrize("action", ["allow", "challenge", "review", "block"])
@pytest.mark.parametrize("actions", ["enforced", "advisory"])
def test_only_what_is_blocked_for_good_is_taken_for_a_fraud(action: str, actions: str) -> None:
    run = new_run(action, actions)
    run.scorer = HighScorer(FEATURES)
    run.feed(*(charge(f"c{i}", START + i, card=f"card_{i}") for i in range(50)))
    assert {event["action"] for event in run.outputs.events()} == {action}
    assert (len(run.outputs.imputed()) > 0) == (action == "block" and actions == "enforced")


def test_a_blocked_charge_that_went_through_after_all_is_labelled_as_any() -> None:
    run = new_run("block")
    run.scorer = HighScorer(FEATURES)
    for i in range(20):
        run.feed(charge(f"c{i}", START + i, card=f"card_{i}"))
        run.feed(said(f"c{i}", "authorized", 0.5, card=f"card_{i}"))
    run.feed(later(0.6))
    assert len(run.outputs.imputed()) > 5
    run.feed(dispute("c3", START + DAY, card="card_3"))
    run.pause()
    run.feed(later(20.0), later(20.1))
    labels = run.outputs.learned()
    of_shop = labels[labels["charged_at"] < START + HOUR]
    assert Counter(of_shop["label"].tolist()) == {1: 1, 0: 19}


@pytest.mark.parametrize(
    ("action", "actions", "words", "is_told"),
    [
        ("block", "enforced", "", True),
        ("block", "enforced", "blocked", True),
        ("block", "enforced", "authorized", False),
        ("block", "advisory", "", False),
        ("challenge", "enforced", "", False),
        ("allow", "enforced", "", False),
    ],
)
def test_a_dispute_of_what_was_blocked_is_told(
    action: str, actions: str, words: str, *, is_told: bool
) -> None:
    run = new_run(action, actions)
    run.feed(charge("c1", START))
    if words:
        run.feed(said("c1", words, 0.5))
    run.feed(later(0.6))
    # The same twice, and another: still one charge.
    run.feed(*(dispute("c1", START + DAY, id=dispute_id) for dispute_id in ("d1", "d1", "d2")))
    run.pause()
    run.feed(later(2.0))
    assert run.disputed_blocks == is_told


def test_the_table_of_this_test_has_every_outcome() -> None:
    assert {words.partition(" ")[0] for words in SAYS} == set(OUTCOMES)
