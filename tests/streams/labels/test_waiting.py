"""Waiting disputes against a plain list of them."""

from __future__ import annotations

import numpy as np
import pytest

from streams.labels.charge_index import KnownCharge
from streams.labels.waiting import Waiting, WaitingDisputes
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

WAIT_S = 100.0
RETENTION_S = 2000.0


def waiting_in(state: TaskState) -> WaitingDisputes:
    return WaitingDisputes(state.waiting, WAIT_S, RETENTION_S)


@pytest.mark.parametrize("seed", range(5))
def test_every_dispute_is_taken_once(seed: int) -> None:
    """Claimed, due or given up: through commits, roll backs and restarts, in any order of times."""
    rng = np.random.default_rng(seed)
    store = MemoryStore()
    state = TaskState(store)
    disputes = waiting_in(state)
    waiting: list[Waiting] = []
    committed: list[Waiting] = []
    now, outcomes = 0.0, {"claimed": 0, "due": 0, "expired": 0, "undone": 0}
    for turn in range(800):
        now += float(rng.choice([0.0, 1.0, 20.0]))
        chance = rng.random()
        charge = bytes([int(rng.integers(0, 12))]) * 16
        if chance < 0.5:
            since = now - float(rng.choice([0.0, 5.0, 90.0]))
            created = now + float(rng.choice([-5.0, 5.0, 50.0]))
            known = KnownCharge(since, b"shop_%d" % turn) if rng.random() < 0.5 else None
            kind = int(rng.integers(1, 3))
            dispute = Waiting(
                charge, b"card %d" % turn, kind, created, since, known, b"tail %d" % turn
            )
            disputes.add(dispute)
            waiting.append(dispute)
        elif chance < 0.7:
            claimed = [each for each in waiting if each.charge == charge and each.known is None]
            assert (charge in set(disputes.charges)) == bool(claimed)
            assert sorted(disputes.claim(charge)) == sorted(claimed)
            waiting = [each for each in waiting if each not in claimed]
            outcomes["claimed"] += len(claimed)
        elif chance < 0.8:
            state.commit(turn)
            committed = list(waiting)
        elif chance < 0.85:
            outcomes["undone"] += waiting != committed
            state.discard()
            disputes.reload()
            waiting = list(committed)
        elif chance < 0.9:
            state = TaskState(store)
            disputes = waiting_in(state)
            waiting = list(committed)
        due = [each for each in waiting if each.known is not None and each.created <= now]
        taken = disputes.due(now)
        assert sorted(taken, key=repr) == sorted(due, key=repr)
        assert [each.created for each in taken] == sorted(each.created for each in taken)
        expired = [each for each in waiting if each.known is None and each.since + WAIT_S < now]
        assert sorted(disputes.expired(now, now)) == sorted(expired)
        waiting = [each for each in waiting if each not in due + expired]
        outcomes["due"] += len(due)
        outcomes["expired"] += len(expired)
        assert disputes.for_charge == sum(each.known is None for each in waiting)
        assert disputes.for_time == sum(each.known is not None for each in waiting)
    assert min(outcomes.values()) > 10


def test_expired_come_by_age() -> None:
    disputes = waiting_in(TaskState(MemoryStore()))
    for since in (5.0, 1.0, 3.0):
        disputes.add(Waiting(b"c" * 16, b"k", 1, since, since, None, b"%d" % since))
    assert [dispute.since for dispute in disputes.expired(WAIT_S + 4.0, 0.0)] == [1.0, 3.0]
    assert [dispute.since for dispute in disputes.claim(b"c" * 16)] == [5.0]
    assert not disputes


def test_without_charges_a_wait_ends_when_disputes_are_newer_by_the_retention() -> None:
    disputes = waiting_in(TaskState(MemoryStore()))
    disputes.add(Waiting(b"c" * 16, b"k", 1, 5.0, 5.0, None, b"tail"))
    assert disputes.expired(now=0.0, newest_dispute=5.0 + RETENTION_S) == []
    assert len(disputes.expired(now=0.0, newest_dispute=5.1 + RETENTION_S)) == 1
