"""The traffic of a chaos run: what the oracle takes for granted about it."""

from __future__ import annotations

import pytest

from schemas.charge import Charge
from schemas.outcome import OUTCOMES, Outcome
from tests.chaos.traffic import DAY_S, RETENTION_DAYS, START, Traffic


@pytest.mark.parametrize("times_longer", [1, 20])
def test_no_charge_is_old_enough_to_be_forgotten(times_longer: int) -> None:
    traffic = Traffic(seed=7, size=3_000)
    sent = [*traffic.take(times_longer * 3_000), *traffic.closing()]
    newest_s = max(item.event.created for item in sent if item.event is not None)
    assert newest_s < START + RETENTION_DAYS * DAY_S
    assert any(item.topic == "disputes" and item.event is not None for item in sent[-5_000:])


def test_outcomes_are_of_every_kind_and_in_any_order() -> None:
    sent = Traffic(seed=7, size=6_000, has_outcomes=True).take(6_000)
    outcomes = [item.event for item in sent if isinstance(item.event, Outcome)]
    assert {outcome.outcome for outcome in outcomes} == set(OUTCOMES)
    assert len({outcome.id for outcome in outcomes}) < len(outcomes), "some are sent again"
    charges = {(item.event.card, item.event.id): item.number for item in sent
               if isinstance(item.event, Charge)}  # fmt: skip
    first: dict[tuple[str, str], int] = {}
    for item in sent:
        if isinstance(item.event, Outcome):
            first.setdefault((item.event.card, item.event.charge), item.number)
    came = [(charges.get(name), number) for name, number in first.items()]
    assert sum(charge is None for charge, _ in came) > 20
    assert sum(charge is not None and charge > number for charge, number in came) > 20
