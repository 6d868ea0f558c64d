"""Settings that are changed between two runs above one state: what was kept stays what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.settings.schema import Settings
from tests.agents.stages.stages import DAY, HOUR, START, Run, charge, dispute

COUNT = 4000
LATER = START + 40 * DAY


def changed(run: Run, **settings: Any) -> None:
    """Stop the run, and start it again with other settings."""
    run.commit()
    run.settings = Settings(**{"cache_records": 1000} | settings)
    run.restart()


def feed_charges(run: Run, first: int, count: int, start: float) -> None:
    numbers = range(first, first + count)
    run.feed(*(charge(f"c{n}", start + n, card=f"card_{n % 50}") for n in numbers))


@pytest.mark.parametrize(("before", "after"), [(0.1, 1.0), (1.0, 0.1), (0.1, 0.3)])
def test_each_negative_stands_for_as_many_as_by_the_rate_at_which_it_was_drawn(
    before: float, after: float
) -> None:
    """All together stand for the charges there were, within four standard errors."""
    run = Run(negative_rate=before)
    feed_charges(run, 0, COUNT, START)
    changed(run, negative_rate=after)
    feed_charges(run, COUNT, COUNT, START)
    run.feed(charge("end", LATER, card="end"))
    learned = run.outputs.learned()
    is_before = learned["charged_at"] < START + COUNT
    for rate, own in ((before, learned[is_before]), (after, learned[~is_before])):
        assert set(own["stands_for"].tolist()) == {1.0 / rate}
        error = 4 * np.sqrt(COUNT * rate * (1 - rate)) / rate
        assert abs(own["stands_for"].sum() - COUNT) <= error


@pytest.mark.parametrize(("before", "after"), [(30.0, 3.0), (3.0, 30.0), (30.0, 15.0), (30.0, 0.0)])
def test_every_charge_matures_once_whatever_becomes_of_the_horizon(
    before: float, after: float
) -> None:
    """The longer ones as late as the longer horizon says, and late charges as well."""
    run = Run(negative_rate=1.0, label_horizon_days=before)
    names = 400
    run.feed(*(charge(f"c{n}", START + n * HOUR, card=f"card_{n % 7}") for n in range(names)))
    changed(run, negative_rate=1.0, label_horizon_days=after)
    now = START + names * HOUR
    run.feed(
        charge("late", START + 2 * DAY, card="late"),
        dispute("c100", now, card="card_2"),
        charge("next", now + 1.0, card="next"),
    )
    run.feed(charge("end", START + 100 * DAY, card="end"))
    run.feed(charge("last", START + 101 * DAY, card="end"))
    learned = run.outputs.learned()
    negatives = learned[learned["label"] == 0]
    times = [START + n * HOUR for n in range(names)]
    is_learned = times[100] + before * DAY < now - HOUR
    is_cancelled = not is_learned and now <= times[100] + after * DAY
    undisputed = [time for time in times if time != times[100] or not is_cancelled]
    expected = sorted([*undisputed, START + 2 * DAY, now + 1.0])
    if after < 1.0:
        expected.append(START + 100 * DAY)
    found = sorted(negatives["charged_at"].tolist())
    assert found == sorted(expected)
    assert (learned["label"] == 1).sum() == 1
