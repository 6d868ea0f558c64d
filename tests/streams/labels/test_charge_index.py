"""The index of charges against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.charge import Charge
from streams.events.rows import charge_hashes, charge_rows
from streams.labels.charge_index import ChargeIndex, KnownCharge
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

DAY = 86_400.0
START = 1_700_000_000.0
RETENTION_DAYS = 60.0


def charge(number: int, created: float) -> Charge:
    return Charge(f"ch_{number}", created, 100, "usd", f"card_{number % 3}", f"shop_{number % 7}")


@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_is_what_came_last_within_the_retention(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = TaskState(MemoryStore())
    index = ChargeIndex(state.charges, RETENTION_DAYS * DAY)
    known: dict[int, Charge] = {}
    now, found_count = START, 0
    for turn in range(300):
        now += float(rng.exponential(DAY))
        charges = [charge(int(n), now - float(rng.random())) for n in rng.integers(0, 80, 5)]
        index.add(charge_rows(charges), [each.merchant.encode() for each in charges])
        known |= {int(each.id[3:]): each for each in charges}
        index.forget_before(now)
        if turn % 7 == 0:
            state.commit(turn)
            index.reload()
        numbers = [int(n) for n in rng.integers(0, 80, 10)]
        sought = charge_hashes(charge_rows([charge(n, 0.0) for n in numbers]))
        for number, found in zip(numbers, index.find(sought, now, now), strict=True):
            last = known.get(number)
            age = np.inf if last is None else (now - last.created) / DAY
            if found is None:
                assert age > RETENTION_DAYS
                continue
            assert last is not None
            assert found == KnownCharge(last.created, last.merchant.encode())
            assert index.is_remembered(found.created, now)
            assert age < RETENTION_DAYS + 17  # a period is forgotten as a whole
            found_count += 1
    assert found_count > 1000
    assert index.find([], now, now) == []
