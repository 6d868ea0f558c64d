"""A worker with a bug planted on purpose, and with a crash where it shows.

`CHAOS_BUG` names the bug, `CHAOS_CRASH_AT` the commit of scored events in which the first process
of a state directory kills itself, half way. Without a bug the crash must do no harm.

Bugs in what is made of outcomes and of the holdout show without a crash: two go into one run.
"""

from __future__ import annotations

import os
import signal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.__main__ import main
from agents.stages import holdout
from streams.engine.engine import Engine
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import Outputs, TransactionalProducer
from streams.labels.join import LabelJoin
from streams.state.rocksdb import RocksStore
from streams.wire.examples import BY_VERDICT

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Consumer, TopicPartition

    from streams.engine.task import Task
    from streams.events.rows import Rows
    from streams.kafka.clients import Clients

_committed = Engine.commit
_sent = TransactionalProducer._send
_drawn = holdout._draws
_taken_for_fraud = LabelJoin.fraud


class Crash:
    """Kills the process in one of its commits, once in the life of a state directory.

    Only commits of scored events count: what goes wrong with these shows in the output.
    """

    def __init__(self) -> None:
        self._left = int(os.environ["CHAOS_CRASH_AT"])
        self._note = Path(os.environ["CHARGEWATCH_STATE_DIR"]).parent / "crashed"
        self._scored = Topics(os.environ["CHARGEWATCH_TOPIC_PREFIX"]).scored
        self._sent: set[str] = set()

    def note(self, topic: str) -> None:
        """Remember that something goes to a topic."""
        self._sent.add(topic)

    def half_way(self) -> None:
        """Call it half way through every commit."""
        if self._scored not in self._sent:
            return
        self._sent.clear()
        self._left -= 1
        if self._left <= 0 and not self._note.exists():
            self._note.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@cache
def crash() -> Crash:
    """Return the one crash of this process."""
    return Crash()


def send(producer: TransactionalProducer, outputs: Outputs) -> None:
    """Send, and note where to."""
    if outputs.messages:
        crash().note(outputs.topic)
    _sent(producer, outputs)


def state_first(engine: Engine) -> None:
    """Write the state before the transaction that it belongs to is committed."""

    def write() -> None:
        for task in engine.tasks.values():
            if task.is_sealed:
                _write(task)
        crash().half_way()

    _commit_after(write, engine)


def _write(task: Task) -> None:
    """Write what a task has sealed; where its changelog goes on is known after the commit."""
    store = task.state.store
    assert isinstance(store, RocksStore)
    task.write(store.offset or 0)
    store._db.flush()  # what is in memory alone dies with the process


def positions_first(engine: Engine) -> None:
    """Commit how far the inputs were processed before what came of them."""
    engine._commits.settle()
    first = _another_producer(engine._producer._clients)
    for task in engine.tasks.values():
        if task.is_dirty:
            changes = task.seal()
            positions = [(key, changes[key]) for key in task.state.meta.changes]
            task.unseal()
            first.send(engine._topics.changelog, positions, task.number)
    offsets = [
        partition
        for task in engine.tasks.values()
        for partition in engine._member.topics.at(task.number, task.positions())
    ]
    first.prepare([], offsets, None)
    first.commit(offsets, engine._consumer)
    crash().half_way()
    _committed(engine)


@cache
def _another_producer(clients: Clients) -> TransactionalProducer:
    return TransactionalProducer(clients, None, 0)


def no_bug(engine: Engine) -> None:
    """Crash before the transaction is committed, as anything may."""
    _commit_after(crash().half_way, engine)


def no_bug_early(engine: Engine) -> None:
    """Crash when the outputs are in the log, and nothing says yet that they are."""
    engine._commits.settle()
    engine._producer._flush()
    crash().half_way()
    _committed(engine)


def _another_key(charges: Any, _: bytes) -> Any:
    """Draw as a worker does that makes up its own key."""
    return _drawn(charges, b"%d" % os.getpid())


def _fraud(labels: LabelJoin, key: bytes, now: float, source: int) -> Rows:
    """Make a positive, and two of a verdict."""
    example = _taken_for_fraud(labels, key, now, source)
    return np.repeat(example, 2 if source == BY_VERDICT else 1)


def _commit_after(act: Callable[[], None], engine: Engine) -> None:
    """Begin a commit in which something is done before the transaction is committed."""
    engine._commits.settle()
    producer = engine._producer

    def commit(offsets: list[TopicPartition], consumer: Consumer) -> None:
        act()
        TransactionalProducer.commit(producer, offsets, consumer)

    producer.commit = commit  # type: ignore[method-assign, assignment]
    _committed(engine)


PATCHES: dict[str, list[tuple[object, str, object]]] = {
    "drawn anew, verdicts twice": [(holdout, "_draws", _another_key), (LabelJoin, "fraud", _fraud)]
}
"""What is replaced for a bug, beside the commit."""

BUGS = {
    "drawn anew, verdicts twice": no_bug,
    "state first": state_first,
    "positions first": positions_first,
    "none": no_bug,
    "none, early crash": no_bug_early,
}

if __name__ == "__main__":
    setattr(TransactionalProducer, "_send", send)  # noqa: B010 - mypy knows better
    setattr(Engine, "commit", BUGS[os.environ["CHAOS_BUG"]])  # noqa: B010 - mypy knows better
    for place, name, planted in PATCHES.get(os.environ["CHAOS_BUG"], ()):
        setattr(place, name, planted)
    main()
