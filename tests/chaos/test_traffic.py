"""The traffic of a chaos run: what the oracle takes for granted about it."""

from __future__ import annotations

import pytest

from tests.chaos.traffic import DAY_S, RETENTION_DAYS, START, Traffic


@pytest.mark.parametrize("times_longer", [1, 20])
def test_no_charge_is_old_enough_to_be_forgotten(times_longer: int) -> None:
    traffic = Traffic(seed=7, size=3_000)
    sent = [*traffic.take(times_longer * 3_000), *traffic.closing()]
    newest_s = max(item.event.created for item in sent if item.event is not None)
    assert newest_s < START + RETENTION_DAYS * DAY_S
    assert any(item.topic == "disputes" and item.event is not None for item in sent[-5_000:])
