"""Waiting disputes against a plain list of them."""

from __future__ import annotations

import numpy as np
import pytest

from streams.orphans import Orphan, Orphans
from streams.state import TaskState
from streams.store import MemoryStore

WAIT_S = 100.0


@pytest.mark.parametrize("seed", range(5))
def test_every_dispute_is_claimed_or_given_up_once(seed: int) -> None:
    """Through commits, roll backs and restarts, whatever the order of their times."""
    rng = np.random.default_rng(seed)
    store = MemoryStore()
    state = TaskState(store)
    orphans = Orphans(state.orphans, WAIT_S)
    waiting: list[Orphan] = []
    committed: list[Orphan] = []
    now, outcomes = 0.0, {"claimed": 0, "expired": 0, "undone": 0}
    for turn in range(600):
        now += float(rng.choice([0.0, 1.0, 20.0]))
        chance = rng.random()
        charge = bytes([int(rng.integers(0, 12))]) * 16
        if chance < 0.5:
            kind, since = int(rng.integers(1, 3)), now - float(rng.choice([0.0, 5.0, 90.0]))
            orphan = Orphan(charge, kind, since, b"tail %d" % turn)
            orphans.add(orphan)
            waiting.append(orphan)
        elif chance < 0.7:
            claimed = [orphan for orphan in waiting if orphan.charge == charge]
            assert (charge in orphans) == bool(claimed)
            assert sorted(orphans.claim(charge)) == sorted(claimed)
            waiting = [orphan for orphan in waiting if orphan not in claimed]
            outcomes["claimed"] += len(claimed)
        elif chance < 0.8:
            state.commit(turn)
            committed = list(waiting)
        elif chance < 0.85:
            outcomes["undone"] += waiting != committed
            state.discard()
            orphans.reload()
            waiting = list(committed)
        elif chance < 0.9:
            state = TaskState(store)
            orphans = Orphans(state.orphans, WAIT_S)
            waiting = list(committed)
        expired = [orphan for orphan in waiting if orphan.since + WAIT_S < now]
        assert sorted(orphans.expired(now)) == sorted(expired)
        waiting = [orphan for orphan in waiting if orphan not in expired]
        outcomes["expired"] += len(expired)
        assert len(orphans) == len(waiting)
    assert min(outcomes.values()) > 10


def test_expired_come_by_age() -> None:
    orphans = Orphans(TaskState(MemoryStore()).orphans, WAIT_S)
    for since in (5.0, 1.0, 3.0):
        orphans.add(Orphan(b"c" * 16, 1, since, b"%d" % since))
    assert [orphan.since for orphan in orphans.expired(WAIT_S + 4.0)] == [1.0, 3.0]
    assert [orphan.since for orphan in orphans.claim(b"c" * 16)] == [5.0]
    assert len(orphans) == 0
