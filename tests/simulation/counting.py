"""Stages that only count, so that an oracle knows their outcome without running them.

They are the parts of a turn in place of `agents.worker.pipeline.Pipeline`: the card stage counts
the events of a card and sends them on, the merchant stage counts those of a merchant and puts out
both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson
from xxhash import xxh3_64_intdigest

from streams.engine.application import Application, TaskFactory
from streams.engine.engine import Engine
from streams.engine.task import Task
from streams.events.batch import Batch
from streams.events.origin import decode_label_tail
from streams.events.rows import CHARGE, FRAUD_DISPUTE, OTHER_DISPUTE
from streams.features.entities import CARDS
from streams.kafka.transactional_producer import TransactionalProducer
from streams.state.tables import TaskState
from streams.wire.frames import FRAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.engine.inputs import Arrived, Told, Work
    from streams.engine.settings import EngineSettings
    from streams.events.batch import TimedBatch
    from streams.events.rejected import Rejected
    from streams.kafka.clients import Clients
    from streams.kafka.topics import Topics
    from streams.state.store import Store
    from streams.state.tables import Table

    TaskEvents = list[tuple[Task, TimedBatch]]

_MASK = 2**64 - 1

Tally = list[int]
"""Charges counted and their chain, disputes counted and theirs, outcomes and theirs."""


def chained(chain: int, name: str) -> int:
    """Return what a chain becomes with one more name: it tells which names came, in which order."""
    return xxh3_64_intdigest(name.encode(), chain)


def summed(total: int, name: str) -> int:
    """Return what a sum becomes with one more name: it tells which names came, in any order."""
    return (total + xxh3_64_intdigest(name.encode())) & _MASK


class Tallies:
    """The tallies of a table's keys, changed ones in memory until they are flushed."""

    def __init__(self, table: Table, combine: Callable[[int, str], int]) -> None:
        self._table = table
        self._combine = combine
        self._changed: dict[bytes, Tally] = {}

    def count(self, key: bytes, kind: int, name: str) -> int:
        """Count an event of a key, and return how many of its kind there are now."""
        tally = self._changed.get(key)
        if tally is None:
            stored = self._table.get(key)
            tally = self._changed[key] = [0] * 6 if stored is None else orjson.loads(stored)
        place = 0 if kind == CHARGE else 2 if kind in {FRAUD_DISPUTE, OTHER_DISPUTE} else 4
        tally[place] += 1
        tally[place + 1] = self._combine(tally[place + 1], name)
        return tally[place]

    def flush(self) -> None:
        """Put what has changed into the table."""
        for key, tally in self._changed.items():
            self._table.put(key, orjson.dumps(tally))
        self._changed.clear()

    def reload(self) -> None:
        """Forget what has changed."""
        self._changed.clear()


class CountingStages:
    """Both stages of one task."""

    def __init__(self, state: TaskState) -> None:
        self.cards = Tallies(state.entities["card"], chained)
        self.merchants = Tallies(state.entities["merchant"], summed)

    @property
    def waiting(self) -> int:
        return 0

    def flush(self) -> None:
        self.cards.flush()
        self.merchants.flush()

    def reload(self) -> None:
        self.cards.reload()
        self.merchants.reload()


class CountingPipeline:
    """Everything between the input topics and the output topics.

    Parameters
    ----------
    settings
        Of the engine.
    topics
        The names of the topics.
    clients
        Makes its Kafka clients.
    open_store
        Opens the store of a task.
    name
        Of the worker.
    """

    def __init__(
        self,
        settings: EngineSettings,
        topics: Topics,
        clients: Clients,
        open_store: Callable[[int], Store],
        name: str,
    ) -> None:
        self._topics = topics
        self._producer = TransactionalProducer(
            clients, name if settings.exactly_once else None, settings.session_timeout_ms
        )
        application = Application(TaskFactory(open_store, _new_task), _Deaf(), {})
        self.engine = Engine(settings, topics, clients, self._producer, application)
        self.engine.start()

    def fetch(self, timeout_s: float, gathering_s: float) -> tuple[Work, None]:
        return self.engine.fetch(timeout_s, gathering_s), None

    def count_cards(self, inputs: TaskEvents) -> tuple[list[Arrived], list[Told]]:
        frames: list[Batch] = []
        for task, events in inputs:
            counts = [
                _stages(task).cards.count(card, kind, name)
                for card, kind, name in zip(
                    events.batch.cards, _kinds(events.batch), _names(events.batch), strict=True
                )
            ]
            features = np.zeros((len(events), len(CARDS.features)), np.float32)
            features[:, 0] = counts
            rows = np.zeros(len(events), FRAME)
            rows["event"], rows["card_features"] = events.batch.rows, features
            frames.append(replace(events.batch, rows=rows))
        times = np.concatenate([events.times for _, events in inputs])
        if not len(times):
            return [], []
        sent = Batch.joined(frames)
        partitions = self.engine.sending.partitions_of(sent.merchants)
        return self.engine.sending.frames(sent, times, partitions), []

    def count_entities(self, events: list[Told]) -> list[Arrived]:  # noqa: ARG002
        """No charge shares anything here."""
        return []

    def score(self, frames: list[Arrived]) -> list[Told]:
        for task, batches in frames:
            events = Batch.joined(batches)
            shops, cards = events.merchants, events.cards
            counts = events.rows["card_features"][:, 0].astype(int).tolist()
            scored: list[tuple[bytes | None, bytes | None]] = []
            examples: list[tuple[bytes | None, bytes | None]] = []
            for shop, card, kind, name, of_card in zip(
                shops, cards, _kinds(events), _names(events), counts, strict=True
            ):
                of_shop = _stages(task).merchants.count(shop, kind, name)
                if kind == CHARGE:
                    answer: dict[str, Any] = {
                        "charge": name, "merchant": shop.decode(), "of_card": of_card,
                        "of_merchant": of_shop,
                    }  # fmt: skip
                    scored.append((card, orjson.dumps(answer)))
                else:
                    examples.append((None, name.encode()))
            self._producer.send(self._topics.scored, scored)
            self._producer.send(self._topics.examples, examples)
        return []

    def learn(self, lessons: None) -> None:
        """Nothing is learned here."""

    def reject(self, rejected: Sequence[Rejected]) -> None:
        self._producer.send_rejected(self._topics.rejected, rejected)

    def publish_late(self) -> bool:
        return False

    def commit(self) -> None:
        self.engine.commit()

    def abort(self) -> None:
        self.engine.abort()

    def close(self) -> None:
        self.engine.close()


class _Deaf:
    """Hears of commits, and does nothing."""

    def sealed(self) -> None:
        """See `streams.engine.application.Observer`."""

    def committed(self) -> None:
        """See `streams.engine.application.Observer`."""

    def undone(self) -> None:
        """See `streams.engine.application.Observer`."""


def _new_task(number: int, store: Store) -> Task:
    state = TaskState(store)
    return Task(number, state, CountingStages(state))


def _stages(task: Task) -> CountingStages:
    return cast("CountingStages", task.stages)


def _rows(events: Batch) -> Any:
    rows = events.rows
    return rows if "kind" in (rows.dtype.names or ()) else rows["event"]


def _kinds(events: Batch) -> list[int]:
    kinds: list[int] = _rows(events)["kind"].tolist()
    return kinds


def _names(events: Batch) -> list[str]:
    """Return the id of each event, out of the tails."""
    return [
        orjson.loads(tail + b"}")["charge"]
        if kind == CHARGE
        else orjson.loads(decode_label_tail(tail)[2])["id"]
        for kind, tail in zip(_kinds(events), events.tails, strict=True)
    ]
