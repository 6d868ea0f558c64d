"""The demo's figures against the same figures taken by hand from a made-up run."""

import numpy as np
import orjson
import pytest

from agents.demo.ledger import Ledger
from agents.settings.costs import Costs
from agents.stages.decisions import expected_costs
from schemas.currency import bundled_rates
from schemas.scored import ACTIONS
from schemas.snapshot import Snapshot
from streams.simulator import SimulatedEvent
from tests.agents.demo.made_up_run import NOW, Run, is_fraud_dispute


@pytest.fixture(scope="module", params=[2, 6])
def run(request: pytest.FixtureRequest) -> Run:
    return Run(request.param)


def average_precision(run: Run, charges: list[SimulatedEvent]) -> float | None:
    """Mean over the frauds of the share of frauds among what scores at least as high."""
    ranked = sorted(charges, key=lambda e: -float(str(run.answers[str(e.value["id"])]["score"])))
    precisions: list[float] = []
    for place, event in enumerate(ranked, 1):
        if event.value["id"] in run.fraud:
            precisions.append((len(precisions) + 1) / place)
    return sum(precisions) / len(precisions) if precisions else None


def test_counts(run: Run) -> None:
    report = run.report()
    counts = report.counts
    charges = run.charges(run.events)
    assert (counts.charges, counts.scored, report.answered_once) == (len(charges),) * 3
    assert counts.duplicates == counts.duplicates_answered
    assert counts.duplicates == sum(e.duplicate for e in run.events) > 0
    faults = [e.fault for e in run.events if e.fault]
    assert counts.damaged == counts.rejected == len(faults) > 0
    assert {text.partition(":")[0]: n for text, n in report.reasons} == {
        fault: faults.count(fault) for fault in set(faults)
    }
    assert counts.disputes == sum(e.topic == "disputes" for e in run.events)
    assert counts.fraud_disputes == sum(map(is_fraud_dispute, run.events))
    assert counts.is_settled
    assert report.history_charges_per_s == pytest.approx(
        (len(charges) - len(run.charges(run.live))) / 500.0
    )


def test_latency_is_of_the_live_charges(run: Run) -> None:
    took = run.report().latency
    seconds = sorted(run.seconds[str(e.value["id"])] for e in run.charges(run.live))
    assert took.charges == len(seconds)
    assert took.max_ms == pytest.approx(seconds[-1] * 1e3, abs=1e-2)
    for measured, share in ((took.p50_ms, 0.5), (took.p99_ms, 0.99)):
        place = share * (len(seconds) - 1)
        assert seconds[int(place)] * 1e3 - 0.01 <= measured <= seconds[int(place) + 1] * 1e3 + 0.01


def test_quality_week_by_week_and_live(run: Run) -> None:
    report = run.report()
    assert len(report.weeks) == 3
    for part, end in zip(
        [*report.weeks, report.live],
        [*(w.start for w in report.weeks[1:]), run.play.live_start, NOW],
        strict=True,
    ):
        charges = [e for e in run.charges(run.events) if part.start <= e.event_time < end]
        assert part.charges == len(charges)
        assert part.average_precision == pytest.approx(average_precision(run, charges))
        prior = [e for e in charges if run.answers[str(e.value["id"])]["model"] == "prior"]
        assert part.prior_share == pytest.approx(len(prior) / len(charges))
    assert min(part.frauds for part in (report.weeks[0], report.live)) > 0


def test_actions_are_those_of_the_live_charges(run: Run) -> None:
    counts = {name: [0, 0.0, 0] for name in ACTIONS}
    for charge, usd in live_amounts(run).items():
        count = counts[str(run.answers[charge]["action"])]
        count[0] += 1
        count[1] += usd
        count[2] += charge in run.fraud
    report = run.report()
    for found in report.actions:
        charges, amount, frauds = counts[found.action]
        assert (found.charges, found.frauds) == (charges, frauds)
        assert found.amount == pytest.approx(amount)


def test_what_was_stopped_and_what_it_came_to(run: Run) -> None:
    costs = Costs()
    sums = {name: [0, 0.0] for name in ("caught", "refused", "checked", "missed", "drawn")}
    allowing_all = 0.0
    for charge, usd in live_amounts(run).items():
        answer = run.answers[charge]
        truth = np.array([float(charge in run.fraud)])
        by_action = expected_costs(truth, np.array([usd]), costs)[:, 0]
        allow, block = float(by_action[0]), float(by_action[3])
        allowing_all += allow
        if charge in run.fraud:
            add(sums["caught" if charge in run.stopped else "missed"], allow)
            if "holdout" in answer:
                add(sums["drawn"], allow)
        elif charge in run.stopped:
            add(sums["refused"], block)
        if answer["action"] in {"challenge", "review"}:
            add(sums["checked"], 0.10 if answer["action"] == "challenge" else 4.0)
    found = run.report().balance
    for costing, name in (
        (found.stopped_frauds, "caught"),
        (found.stopped_genuine, "refused"),
        (found.checks, "checked"),
        (found.missed_frauds, "missed"),
        (found.holdout_frauds, "drawn"),
    ):
        assert costing.charges == sums[name][0], name
        assert costing.cost == pytest.approx(sums[name][1])
    assert min(sums[name][0] for name in ("caught", "refused", "checked", "missed")) > 0
    drawn = [c for c in live_amounts(run) if "holdout" in run.answers[c]]
    assert found.holdout == len(drawn) > found.holdout_frauds.charges
    cost = sums["missed"][1] + sums["refused"][1] + sums["checked"][1]
    assert found.money.cost == pytest.approx(cost)
    assert found.money.cost_of_nothing == pytest.approx(allowing_all)
    saved = sums["caught"][1] - sums["refused"][1] - sums["checked"][1]
    assert found.money.saved_against_nothing == pytest.approx(saved)


def add(count: list[float], cost: float) -> None:
    count[0] += 1
    count[1] += cost


def live_amounts(run: Run) -> dict[str, float]:
    """Return the worth of each live charge."""
    return {
        str(event.value["id"]): bundled_rates().usd(
            int(str(event.value["amount"])), str(event.value["currency"])
        )
        for event in run.charges(run.events)
        if event.event_time >= run.play.live_start
    }


def test_outcomes_and_what_did_not_come_are_counted(run: Run) -> None:
    asked = [
        charge
        for event in run.charges(run.live)
        if run.answers[charge := str(event.value["id"])]["action"] in {"challenge", "review"}
    ]
    report = run.report()
    assert report.counts.outcomes == report.outcomes_taken == len(asked)
    assert report.counts.withheld == 7


def test_a_missing_and_a_second_answer_are_seen(run: Run) -> None:
    events = run.charges(run.events)[:3]
    answers = [
        orjson.dumps(
            {
                "charge": event.value["id"],
                "created": event.value["created"],
                "score": 0.1,
                "action": "allow",
                "model": "prior",
            }
        )
        for event in events
    ]
    ledger = Ledger(bundled_rates())
    ledger.publishing(events, 0.0)
    assert not ledger.counts.is_settled
    ledger.scored([answers[0], answers[1], answers[1]], 1.0)
    assert ledger.answered_once() == 1
    ledger.scored([answers[2]], 1.0)
    assert not ledger.counts.is_settled
    assert ledger.answered_once() == 2


def test_a_rejected_dispute_or_outcome_is_no_damaged_charge() -> None:
    """Else the demo would wait for charges that have all been scored."""
    ledger = Ledger(bundled_rates())
    assert ledger.counts.is_settled
    ledger.labels_rejected(disputes=2, outcomes=1)
    assert ledger.counts.is_settled
    assert "0 charges, 2 disputes and 1 outcomes rejected" in str(ledger.counts)


def test_scored_events_of_another_producer_do_not_count() -> None:
    ledger = Ledger(bundled_rates())
    ledger.scored([b'{"charge":"elsewhere","score":1,"action":"block"}'], 1.0)
    assert ledger.counts.scored == 0
    assert ledger.latest_flagged() == []


def test_what_the_newest_model_has_learned_from() -> None:
    ledger = Ledger(bundled_rates())
    assert (ledger.newest_model().version, ledger.newest_model().frauds) == ("prior", 0)
    ledger.labelled([0, 1, 3, 4], [True, False, True, False])  # offset 2 is a commit marker
    ledger.labelled([6, 7], [True, False])
    ledger.learned(Snapshot("m", "linear", "m-4", 5, 4, NOW, ("f",), {}))
    learned = ledger.newest_model()
    assert (learned.version, learned.frauds, learned.others) == ("m-4", 2, 2)
    assert not ledger.has_learned(), "two more came since"
    ledger.learned(Snapshot("m", "linear", "m-6", 8, 6, NOW, ("f",), {}))
    assert ledger.has_learned()
