"""Charges wait for the parts of their vectors, whatever comes first, is cut, or fails."""

from __future__ import annotations

from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agents.shared_entities.gathering import Gathering
from streams.events.batch import Batch, RowBatch
from streams.features.shared import SHARED_FEATURES
from streams.state.store import KeyRange, MemoryStore
from streams.state.tables import TaskState
from tests.agents.shared_entities.made import KINDS, Told, frames_of, key_of, parts_of

if TYPE_CHECKING:
    from agents.shared_entities.gathering import Gathered

Input = Told | tuple[Told, str]


class Machine:
    """A gathering above a store, which fails now and then, and what came out of it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.out: list[int] = []
        self._committed = 0
        self.open()

    def open(self) -> None:
        """Begin anew above the store, as another worker does."""
        self.state = TaskState(self.store)
        self.gathering = Gathering(self.state, KINDS)
        del self.out[self._committed :]

    def take(self, inputs: list[Input]) -> None:
        self.out += numbers_in(self.gathering.take(batches_of(inputs)))

    def commit(self) -> None:
        self.gathering.flush()
        self.state.commit(0)
        self._committed = len(self.out)


def batches_of(inputs: list[Input]) -> list[Batch]:
    """Return frames and parts as they come in messages."""
    batches = list[Batch]()
    for is_frame, some in groupby(inputs, lambda each: isinstance(each, Told)):
        group: list[Any] = list(some)
        batches.append(frames_of(group) if is_frame else RowBatch(parts_of(group)))
    return batches


def numbers_in(gathered: Gathered) -> list[int]:
    """Return the numbers of what waits no more, each with the parts that are its own."""
    numbers = [int(tail) for tail in gathered.frames.tails]
    columns = gathered.shared.features.reshape(len(numbers), len(KINDS), len(SHARED_FEATURES))
    for place, number in enumerate(numbers):
        row = gathered.frames.rows[place]
        assert row["event"]["offset"] == number
        found = {kind for at, kind in enumerate(KINDS) if gathered.shared.keys[place, at]}
        assert len(found) == row["parts"], number
        for at, kind in enumerate(KINDS):
            wanted = key_of(Told(number, 0), kind) if kind in found else 0
            assert gathered.shared.keys[place, at] == wanted
            assert (columns[place, at] == wanted).all()
    return numbers


def some_stream(random: Random) -> tuple[list[Told], list[Input]]:
    """Return events, and the same with their parts somewhere before or behind them."""
    events = []
    for number in range(120):
        is_label = random.random() < 0.2
        kinds = tuple(k for k in KINDS if random.random() < 0.5) if not is_label else ()
        events.append(Told(number, random.randrange(1, 12), kinds, is_label))
    placed: list[tuple[float, Input]] = [(event.number, event) for event in events]
    placed += [
        (event.number + random.uniform(-5.0, 15.0), (event, kind))
        for event in events
        for kind in event.kinds
    ]
    placed.sort(key=lambda item: item[0])
    return events, [item for _, item in placed]


def expected(inputs: list[Input]) -> list[set[int]]:
    """Return which events can be out behind each input: complete, and all before it of its card."""
    out, behind = set[int](), []
    seen = list[Told]()
    parts: dict[int, set[str]] = {}
    for each in inputs:
        if isinstance(each, Told):
            seen.append(each)
        else:
            parts.setdefault(each[0].number, set()).add(each[1])
        held = set[int]()
        for event in seen:
            is_complete = parts.get(event.number, set()) >= set(event.kinds)
            if event.card not in held and is_complete:
                out.add(event.number)
            else:
                held.add(event.card)
        behind.append(set(out))
    return behind


@pytest.mark.parametrize("seed", range(20))
def test_each_waits_for_its_own_and_for_its_card_alone(seed: int) -> None:
    random = Random(seed)
    events, inputs = some_stream(random)
    behind = expected(inputs)
    machine, done, committed = Machine(), 0, 0
    while done < len(inputs):
        count = min(random.choice([1, 2, 5, 30]), len(inputs) - done)
        machine.take(inputs[done : done + count])
        done += count
        assert set(machine.out) == behind[done - 1], seed
        assert len(machine.gathering) == sum(
            isinstance(each, Told) for each in inputs[:done]
        ) - len(machine.out)
        chance = random.random()
        if chance < 0.3:
            machine.commit()
            committed = done
        elif chance < 0.4:
            machine.open()
            done = committed
        elif chance < 0.5:
            machine.state.discard()
            machine.gathering.reload()
            del machine.out[machine._committed :]
            done = committed
    assert sorted(machine.out) == [event.number for event in events]
    at_once = Machine()
    at_once.take(inputs)
    assert machine.out == at_once.out
    for card in {event.card for event in events}:
        of_card = [event.number for event in events if event.card == card]
        assert [number for number in machine.out if number in set(of_card)] == of_card
    machine.commit()
    assert not dict(machine.store.scan(KeyRange(b"\x0c", b"\x0d")))


def test_a_charge_that_shares_nothing_passes_at_once() -> None:
    machine = Machine()
    machine.take([Told(1, 1, ("device",)), Told(2, 2), Told(3, 1), Told(4, 2, is_label=True)])
    assert machine.out == [2, 4]
    machine.take([(Told(1, 1), "device")])
    assert machine.out == [2, 4, 1, 3]


def test_a_part_of_a_kind_that_is_not_set_counts_and_is_left_out() -> None:
    """A worker that is set otherwise has asked it."""
    state = TaskState(MemoryStore())
    gathering = Gathering(state, ())
    event = Told(1, 1, ("device", "ip"))
    assert not len(gathering.take([frames_of([event])]).frames)
    parts = parts_of([(event, "device"), (event, "ip")])
    parts["entity"][1] = 12345
    gathered = gathering.take([RowBatch(parts)])
    assert len(gathered.frames) == 1
    assert np.count_nonzero(gathered.shared.keys) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_sent_twice_is_given_once_and_forgotten_in_the_end(*, at_once: bool) -> None:
    machine = Machine()
    event = Told(1, 1, ("device",))
    sent: list[list[Input]] = [[event, event]] if at_once else [[event], [event]]
    for inputs in sent:
        machine.take(inputs)
    assert len(machine.gathering) == 1
    machine.take([(event, "device"), (event, "device")])
    assert machine.out == [1]
    machine.commit()
    later = Told(2, 1, ("device",))
    parts = parts_of([(later, "device")], made_at=1000.0 + 25 * 3600.0)
    machine.gathering.take([RowBatch(parts)])
    machine.commit()
    left = machine.store.scan(KeyRange(b"\x0c", b"\x0d"))
    assert len(dict(left)) == 1
