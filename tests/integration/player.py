"""Plays a stream to a worker part by part, and waits until each is scored."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Self

from confluent_kafka import Consumer, Message, TopicPartition

from agents.demo.process import environment
from agents.settings.sources import variable
from streams.events.decoding import card_in
from streams.kafka.publisher import Publisher
from tests.chaos.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from agents.settings.schema import Settings
    from streams.kafka.config import Config
    from streams.kafka.topics import Topics

TIMEOUT_S = 120.0

_ASK_EVERY_S = 0.02


class Player:
    """Publishes events to topics of one partition, for a worker that is there.

    Parameters
    ----------
    config
        Client settings.
    topics
        The names of the topics.
    group
        Of the worker.
    """

    def __init__(self, config: Config, topics: Topics, group: str) -> None:
        self._topics = topics
        self._publisher = Publisher(config)
        self._logs = Logs(config, group)
        self._scored = follow(config, [topics.scored])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scored.close()
        self._logs.close()

    def play(
        self, charges: Sequence[bytes], disputes: Sequence[bytes], outcomes: Sequence[bytes]
    ) -> list[bytes]:
        """Play the next part of a stream; return its scored events.

        What is said of charges is read before the charges: so each word counts in its place, just
        before the first charge that is newer.
        """
        labels = {self._topics.disputes: disputes, self._topics.outcomes: outcomes}
        for topic, events in labels.items():
            self._publisher.publish(topic, [(card_in(event), event) for event in events])
        self._publisher.flush()
        deadline = time.monotonic() + TIMEOUT_S
        for topic, events in labels.items():
            while events and self._logs.lag(topic, [0]):
                assert time.monotonic() < deadline, f"{topic} is not read"
                time.sleep(_ASK_EVERY_S)
        self._publisher.publish(
            self._topics.charges, [(card_in(event), event) for event in charges]
        )
        self._publisher.flush()
        scored: list[bytes] = []
        while len(scored) < len(charges):
            left = len(charges) - len(scored)
            assert time.monotonic() < deadline, f"{left} of {len(charges)} charges are not scored"
            scored += [m.value() or b"" for m in taken(self._scored, left, 0.2)]
        return scored


def worker_env(settings: Settings) -> dict[str, str]:
    """Return the environment of a worker with these settings, its port and state of its own."""
    own = {variable(name) for name in ("web_port", "state_dir", "worker_id")}
    env = environment(settings)
    return {name: value for name, value in env.items() if name not in own}


def follow(config: Config, topics: Sequence[str]) -> Consumer:
    """Return a consumer of what is committed in the only partitions of topics, from their start."""
    consumer = Consumer(
        config
        | {
            "group.id": f"player-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])
    return consumer


def taken(consumer: Consumer, count: int, timeout_s: float) -> list[Message]:
    """Take the messages that come within a time, `count` of them at the most."""
    messages = consumer.consume(min(count, 10_000), timeout_s)
    errors = [error for message in messages if (error := message.error()) is not None]
    assert not errors, errors[:3]
    return messages
