"""The loops that are compared, on little data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.settings.costs import Costs
from agents.settings.schema import Settings
from schemas.scored import ALLOW, BLOCK
from streams.wire.examples import BY_DISPUTE, BY_VERDICT, IMPUTED
from tests.quality.closed_loop import (
    CLEAN_DAYS,
    Blind,
    Events,
    Played,
    Weekly,
    days_until_let_go,
    open_loop,
    read_events,
)
from tests.quality.sources import write_simulation
from tests.quality.test_quality import HORIZON_DAYS, SIMULATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

DAY_S = 86_400.0

EAGER = Costs(dispute_fee_usd=2_000.0)
"""By which much is stopped, though little is learned yet."""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    simulation = replace(SIMULATION, days=10)
    return read_events(*write_simulation(simulation, tmp_path_factory.mktemp("simulation")), None)


def played(days: Iterable[float], merchant: int, *, fraud: bool, action: int) -> NDArray[np.void]:
    created = np.array(list(days)) * DAY_S
    rows = np.zeros(len(created), Played.dtype)
    rows["created"], rows["merchant"], rows["fraud"] = created, merchant, fraud
    rows["action"] = action
    return rows


def in_order(*parts: NDArray[np.void]) -> Played:
    rows = np.concatenate(parts)
    return Played(rows[np.argsort(rows["created"], kind="stable")])


def test_a_merchant_is_let_go_on_the_first_day_on_which_little_is_stopped() -> None:
    found = in_order(
        played(np.arange(10, 15, 0.5), 1, fraud=True, action=BLOCK),
        played(np.arange(15.1, 18, 0.25), 1, fraud=False, action=BLOCK),  # three days of it
        played(np.arange(18.1, 60, 0.25), 1, fraud=False, action=ALLOW),
        played(np.arange(0, 60, 0.1), 2, fraud=False, action=BLOCK),  # was never compromised
        played(np.arange(50, 55, 0.5), 3, fraud=True, action=BLOCK),  # is not clean by the end
    )
    days, shares = days_until_let_go(found, lambda share: share < 0.05)
    # The last fraud is at 14.5: what was stopped up to 17.9 is on the days 0 to 3 after it.
    assert days == 5
    assert [share > 0.05 for share in shares] == [True] * 4 + [False] * (CLEAN_DAYS - 4)


def test_few_frauds_are_no_burst() -> None:
    found = in_order(
        played([10.0, 11.0, 12.0, 13.0], 1, fraud=True, action=BLOCK),
        played(np.arange(13.5, 60, 0.25), 1, fraud=False, action=BLOCK),
    )
    _, shares = days_until_let_go(found, lambda share: share < 0.05)
    assert shares == [0.0] * CLEAN_DAYS


def test_a_month_that_is_not_over_does_not_count() -> None:
    found = in_order(
        played(np.arange(0, 75, 0.5), 1, fraud=True, action=ALLOW),
        played(np.arange(0, 75, 0.25), 2, fraud=False, action=ALLOW),
    )
    assert len(found.by_month()) == 2


def test_a_blind_loop_sees_no_verdict_and_no_dispute_of_what_it_stopped(events: Events) -> None:
    settings = Settings(label_horizon_days=HORIZON_DAYS, costs=EAGER)
    loop = Blind(settings, events.frauds)
    sources: set[int] = set()
    stopped: set[bytes] = set()
    disputed: list[bytes] = []
    steps = [*loop.run(events.events), *loop.end()]
    for step in steps:
        assert not step.output.answers["withheld"].any()
        sources |= set(step.output.examples["source"].tolist())
        blocked = step.charges[step.output.actions == BLOCK]
        stopped |= {charge.tobytes() for charge in blocked["charge"]}
        by_dispute = step.output.examples[step.output.examples["source"] == BY_DISPUTE]
        disputed += [charge.tobytes() for charge in by_dispute["charge"]]
    assert stopped
    assert disputed
    assert not stopped & set(disputed)
    assert not sources & {BY_VERDICT, IMPUTED}


def test_a_weekly_model_knows_nothing_in_its_first_week(events: Events) -> None:
    whole = Events(events.events, events.frauds, 0.0)
    found = open_loop(Weekly(Settings(label_horizon_days=HORIZON_DAYS), 1), whole)
    first_week = found.rows["created"] < 7 * DAY_S * (1 + found.rows["created"][0] // (7 * DAY_S))
    assert np.ptp(found.rows["score"][first_week]) == 0.0
    assert np.ptp(found.rows["score"][~first_week]) > 0.0
