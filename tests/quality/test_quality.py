"""The comparison itself on little data: it cannot cheat, and the models do what they are for."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.backtest.backtest import Backtest
from agents.backtest.replay import Replay
from agents.evaluation.outcome_collector import Gathering
from agents.models.kernels import sigmoid
from agents.models.kinds import DEFAULT
from agents.settings.schema import Settings
from streams.features.entities import FEATURES
from streams.labels.join import CONTROLS
from tests.quality.ablation import groups
from tests.quality.candidates import WEEK_S
from tests.quality.contestants import LightGBM, Prior, Registered, River
from tests.quality.drift import CHANGES, drifting, picture, recovery
from tests.quality.measures import DAY_S, Period, quality
from tests.quality.prequential import calibrated, run, stretches
from tests.quality.recording import Recording, record
from tests.quality.signal_stream import SignalStream
from tests.quality.signals import signal_gains
from tests.quality.sources import write_simulation

if TYPE_CHECKING:
    from pathlib import Path

    from river.base import Classifier

    from tests.quality.measures import Quality
    from tests.quality.prequential import Candidate, Scores

HORIZON_DAYS = 3.0
SIMULATION = replace(
    drifting(CHANGES[1], seed=1, days=28, charges_per_day=1400),
    cards=1000,
    merchants=150,
    fraud_rate=0.03,
    dispute_delay_scale=0.1,
)
BEFORE = Period("before the change", SIMULATION.start + 7 * DAY_S, SIMULATION.start + 14 * DAY_S)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_simulation(SIMULATION, tmp_path_factory.mktemp("simulation"))


@pytest.fixture(scope="module")
def recording(files: tuple[Path, Path]) -> Recording:
    return record(*files, HORIZON_DAYS)


@pytest.fixture(scope="module")
def default(recording: Recording) -> Scores:
    return run(Registered(DEFAULT), recording, -inf)


def test_the_scores_are_those_of_the_backtest(
    files: tuple[Path, Path], recording: Recording, default: Scores
) -> None:
    replay = Replay(*files, inf)
    for _ in replay.survey():
        pass
    backtest = Backtest(Settings(label_horizon_days=HORIZON_DAYS), clock=lambda: 0.0)
    gathering = Gathering()
    for part in replay.parts():
        gathering.add_events(part.events.batch.rows)
        for step in backtest.run(part.events):
            output = step.output
            gathering.add_scored(step.charges, step.first_of_card, output.answers, output.scored)
    outcomes = gathering.outcomes()
    np.testing.assert_array_equal(recording.fraud, outcomes.fraud)
    # Scored events have nine digits; log-odds are limited.
    expected = np.clip(outcomes.score, 1e-5, 1.0 - 1e-5)
    np.testing.assert_allclose(sigmoid(default.charges), expected, rtol=1e-6)


def test_what_comes_later_changes_no_score(recording: Recording, default: Scores) -> None:
    until = BEFORE.end - 3.3 * DAY_S
    before = recording.created < until
    again = run(Registered(DEFAULT), recording.taught_until(until), -inf)
    np.testing.assert_array_equal(again.charges[before], default.charges[before])
    for first, _, due in stretches(recording):
        assert (recording.scored_before[:due] <= first).all()


def measured(candidate: Candidate, recording: Recording) -> Quality:
    return quality(run(candidate, recording, BEFORE.start).charges, recording, BEFORE)


def test_the_default_is_better_than_prior_and_linear_and_calibrated(
    recording: Recording, default: Scores
) -> None:
    ours = quality(default.charges, recording, BEFORE)
    linear = measured(Registered("linear"), recording)
    prior = measured(Prior(), recording)
    assert ours.average_precision > linear.average_precision > 2 * prior.average_precision
    assert ours.auc_roc > prior.auc_roc
    assert ours.calibration_error < 0.005 < prior.calibration_error
    assert ours.top_decile == pytest.approx(1.0, abs=0.2)


def test_weekly_boosting_beats_the_prior(recording: Recording) -> None:
    boosted = calibrated(run(LightGBM(1, matured=True), recording, BEFORE.start, WEEK_S), recording)
    measures = quality(boosted.charges, recording, BEFORE)
    assert measures.average_precision > 1.5 * measured(Prior(), recording).average_precision


def test_odds_far_too_high_are_calibrated_as_labels_come(
    recording: Recording, default: Scores
) -> None:
    raised = replace(default, charges=default.charges + 2.0, examples=default.examples + 2.0)
    corrected = calibrated(raised, recording)
    before, after = (quality(one.charges, recording, BEFORE) for one in (raised, corrected))
    assert after.calibration_error < 0.5 * before.calibration_error


def test_only_the_online_model_recovers_from_a_change_of_fraud(recording: Recording) -> None:
    assert SIMULATION.drift_at is not None
    found = recovery(recording, SIMULATION.drift_at)
    assert found.lowest < 0.5 * found.earlier
    assert found.afterwards > 2.0 * found.afterwards_frozen
    assert len(found.day) == len(found.online) == len(found.frozen)
    assert b"frozen at the change" in picture({"a change": [found]})


class _Counting:
    """A classifier that takes the share of fraud so far for the probability of any charge."""

    def __init__(self) -> None:
        self.labels: list[bool] = []

    def learn_one(self, x: dict[str, float], y: bool) -> None:
        assert len(x) == len(FEATURES)
        self.labels.append(y)

    def predict_proba_one(self, _: dict[str, float]) -> dict[bool, float]:
        return {True: sum(self.labels) / len(self.labels)}


def test_a_forest_learns_from_all_frauds_and_some_controls(recording: Recording) -> None:
    examples = recording.examples
    frauds = int(examples["label"].sum())
    counting = _Counting()
    model: Classifier = counting  # type: ignore[assignment]
    taken = River(model, controls=10).learn(examples)
    assert taken == len(counting.labels)
    assert sum(counting.labels) == frauds
    assert taken - frauds == pytest.approx(10 / CONTROLS * (examples["weight"] > 0).sum(), rel=0.1)


def test_numbers_and_categories_of_a_producer_tell_fraud() -> None:
    """Through files, stages and labels, where nothing else tells it."""
    found = signal_gains([SignalStream(1, days=40, charges_per_day=1000)], lambda _: None)
    gained = {
        name.partition(", ")[2]: numbers["average_precision"]
        for name, numbers in found.figures.items()
    }
    assert gained["no signals"] < 0.02
    assert gained["categories"] > 1.5 * gained["no signals"]
    assert gained["numbers"] > 10.0 * gained["no signals"]
    assert gained["both"] > gained["numbers"] + 0.03


def test_every_feature_is_in_one_group() -> None:
    members = [feature for group in groups().values() for feature in group]
    assert all(groups().values())
    assert sorted(members, key=FEATURES.index) == list(FEATURES)
