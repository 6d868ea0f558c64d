"""The direct path opens only where nothing is left in the topics between the stages."""

from __future__ import annotations

import numpy as np
import pytest

from streams.engine.direct_path import DirectPath, pass_by
from streams.engine.task import BY_ENTITY, BY_MERCHANT, SOURCES, Task
from streams.events.batch import Batch
from streams.events.rows import EVENT
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from tests.streams.engine.test_task import Counting

TASKS = 3


def some_tasks(**positions: int) -> list[Task]:
    """Return tasks that stand at the given positions, 0 elsewhere."""
    tasks = []
    for number in range(TASKS):
        state = TaskState(MemoryStore())
        task = Task(number, state, Counting(state))
        task.start(dict.fromkeys(SOURCES, 0) | positions)
        tasks.append(task)
    return tasks


def ends(by_merchant: int, by_entity: int = 0) -> dict[str, list[int]]:
    return {BY_MERCHANT: [by_merchant] * TASKS, BY_ENTITY: [by_entity] * TASKS}


def fetch(task: Task, source: str, offset: int) -> None:
    """Have one event of an offset wait in a task."""
    times, offsets = np.array([1.0]), np.array([offset])
    task.buffers[source].add(
        times, Batch(np.zeros(1, EVENT), [b""], [b""], [b""]), offsets, times, [], offset + 1
    )


def test_it_opens_where_the_topics_end() -> None:
    path = DirectPath()
    path.open_or_drain(some_tasks(by_merchant=7), ends(7))
    assert path.is_open
    assert not path.is_draining


@pytest.mark.parametrize("source", [BY_MERCHANT, BY_ENTITY])
def test_it_drains_until_the_last_event_of_the_last_task_is_taken(source: str) -> None:
    path, tasks = DirectPath(), some_tasks()
    path.open_or_drain(tasks, ends(1, 1))
    for task in tasks:
        for one in (BY_MERCHANT, BY_ENTITY):
            fetch(task, one, 0)
            if (task, one) != (tasks[-1], source):
                task.buffers[one].take(np.inf)
    assert path.is_draining
    assert not path.is_drained(tasks), "fetched is not taken"
    tasks[-1].buffers[source].take(np.inf)
    assert path.is_drained(tasks)
    assert not path.is_open, "others may have sent meanwhile: the ends are asked for again"
    path.open_or_drain(tasks, ends(1, 1))
    assert path.is_open


def test_closed_it_waits_for_nothing() -> None:
    path, tasks = DirectPath(), some_tasks()
    path.open_or_drain(tasks, ends(5))
    path.close()
    assert not path.is_open
    assert not path.is_draining
    assert path.is_drained(tasks)


def test_what_was_handed_on_is_before_the_positions() -> None:
    tasks = some_tasks(by_merchant=4, by_entity=2)
    assert pass_by(tasks, {BY_MERCHANT: {0: 9, 1: 3}, BY_ENTITY: {2: 6}})
    found = [(task.positions()[BY_MERCHANT], task.positions()[BY_ENTITY]) for task in tasks]
    assert found == [(9, 2), (4, 2), (4, 6)]


def test_what_others_have_written_is_not_passed_by() -> None:
    tasks = some_tasks()
    fetch(tasks[1], BY_MERCHANT, 0)
    assert pass_by(tasks, {BY_MERCHANT: {0: 5}, BY_ENTITY: {1: 5}})
    assert not pass_by(tasks, {BY_MERCHANT: {1: 5}, BY_ENTITY: {}})
    assert tasks[1].positions()[BY_MERCHANT] == 0
