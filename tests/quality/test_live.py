"""What comes back of a worker's answers is what comes back in the closed loop in process."""

from __future__ import annotations

from itertools import groupby
from math import inf
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agents.backtest.backtest import MODEL_INTERVAL_S
from agents.backtest.closed_loop import ClosedLoop
from agents.backtest.replay import Replay
from agents.evaluation.loop import loop_summary
from agents.evaluation.outcome_collector import Gathering
from agents.settings.costs import Costs
from agents.settings.schema import Settings
from streams.simulator import Simulation
from tests.quality.live_loop import Answers, Loop
from tests.quality.sources import write_simulation

if TYPE_CHECKING:
    from pathlib import Path

    from agents.backtest.backtest import Step

SETTINGS = Settings(
    label_horizon_days=2.0,
    snapshot_every_examples=500,
    holdout_share=0.2,
    costs=Costs(review_capacity_share=0.05),
)


def test_the_same_comes_back_and_figures_are_the_same(tmp_path: Path) -> None:
    simulation = Simulation(
        seed=3, cards=300, merchants=30, start=1.8e9, days=6, charges_per_day=500,
        fraud_rate=0.08, dispute_delay_scale=0.1, late_share=0.0, duplicate_share=0.02,
    )  # fmt: skip
    files = write_simulation(simulation, tmp_path)
    replay, gathering = Replay(*files, inf), Gathering()
    for _ in replay.survey():
        pass
    closed = ClosedLoop(SETTINGS, lambda: 0.0, replay.frauds())
    steps: list[Step] = []
    for part in replay.parts():
        gathering.add_events(part.events.batch.rows)
        steps += closed.run(part.events)
    steps += closed.end()
    scored: list[dict[str, Any]] = []
    for step in steps:
        output = step.output
        gathering.add_scored(step.charges, step.first_of_card, output.answers, output.scored)
        scored += map(orjson.loads, output.scored)
    outcomes, disputes = closed.taken()

    loop = Loop(files[1].read_bytes().splitlines(), SETTINGS.costs)
    answers = Answers(loop.frauds, SETTINGS.input_rules.rates)
    came = loop.due(0.0)
    for interval, those in groupby(scored, key=lambda event: event["created"] // MODEL_INTERVAL_S):
        ends_at, events = (interval + 1.0) * MODEL_INTERVAL_S, list(those)
        for name, labels in loop.due(ends_at)._asdict().items():
            getattr(came, name).extend(labels)
        loop.carry_out(events, ends_at)
        answers.add(events)
    for name, labels in loop.due(inf)._asdict().items():
        getattr(came, name).extend(labels)
    assert [of(line) for line in sorted(came.outcomes, key=of)] == sorted(map(of, outcomes))
    assert sorted(came.disputes) == sorted(disputes)
    assert len(outcomes) > 50

    found = gathering.outcomes()
    wanted = loop_summary(found, found, gathering.drawn(), SETTINGS.costs)["closed"]
    *_, (name, side) = answers.figures(0.0, SETTINGS.costs)
    assert name == "all"
    assert side["saved"] == pytest.approx(wanted["saved"])
    assert side["holdout"]["charges"] >= 10
    assert side["holdout"]["cost"] == pytest.approx(wanted["holdout"].pop("cost"))
    for each in ("charges", "frauds", "average_precision", "actions", "stopped"):
        assert side[each] == wanted[each]


def of(line: bytes) -> tuple[str, str, float]:
    """Return what an outcome says of which charge, and when."""
    event = orjson.loads(line)
    return event["charge"], event["outcome"], event["created"]
