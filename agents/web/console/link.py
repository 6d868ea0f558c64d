"""The way of the console to Kafka and back: topics followed, brokers watched."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from confluent_kafka import OFFSET_BEGINNING

from agents.web.api.barrier import AwayError, Barrier
from agents.web.api.follower import Followed, Follower
from agents.web.console.access.users import UserBook
from agents.web.console.recorder import KafkaRecorder
from schemas.audit import AuditEvent, decode_audit_event
from schemas.changes import Change, decode_change
from schemas.drift import Drift, decode_drift
from schemas.rejected import InvalidEvent
from streams.kafka.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, Message

    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

Record = TypeVar("Record")

KEPT: Final = 5_000
"""Acts, and changes, that are shown: the latest."""

DRIFTS_KEPT: Final = 500

_TAIL: Final = -2_000
"""What librdkafka adds a count to, to begin so many messages before the end."""

_HEARTBEAT_S: Final = 2.0
_ANSWER_S: Final = 10.0
_RECONNECT: Final[Config] = {"reconnect.backoff.max.ms": 1000}


class Log:
    """What was done and found lately, the oldest first.

    Attributes
    ----------
    acts, changes
        What people did by the console; what was changed by anything.
    drifts
        Lasting changes of what is watched.
    """

    def __init__(self) -> None:
        self.acts: deque[AuditEvent] = deque(maxlen=KEPT)
        self.changes: deque[Change] = deque(maxlen=KEPT)
        self.drifts: deque[Drift] = deque(maxlen=DRIFTS_KEPT)


class ConsoleLink:
    """Follows what is small, all of it; made on a running event loop.

    Parameters
    ----------
    topics
        Of the installation.
    config
        Settings of Kafka clients.
    admin
        Asks the brokers.

    Attributes
    ----------
    users
        As they are now.
    log
        As far as it is shown.
    is_away
        Whether the brokers do not answer.
    failed
        Is done when something has ended that is needed.
    """

    def __init__(self, topics: Topics, config: Config, admin: Admin) -> None:
        self.topics = topics
        self.users = UserBook()
        self.log = Log()
        self.is_away = False
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.admin = admin
        self.clients = Clients(config | _RECONNECT)
        self.recorder = KafkaRecorder(self.clients, topics.audit)
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow the topics, and wait until what they hold by now was taken.

        Raises
        ------
        AwayError
            When the brokers do not answer.
        """
        loop, names = asyncio.get_running_loop(), self.topics
        partitions = await asyncio.to_thread(self.clients.partitions, names.drift)
        tail = _TAIL - KEPT
        followed = [
            Followed(names.users, {0: OFFSET_BEGINNING}, self._read_user),
            Followed(names.audit, {0: tail}, partial(_read, decode_audit_event, self.log.acts)),
            Followed(names.changes, {0: tail}, partial(_read, decode_change, self.log.changes)),
            Followed(
                names.drift,
                dict.fromkeys(range(partitions), _TAIL - DRIFTS_KEPT),
                partial(_read, decode_drift, self.log.drifts),
            ),
        ]
        self._follower = Follower(self.clients, loop, self._on_error, followed)
        places = [(each.topic, number) for each in followed for number in each.begin]
        self._barrier = Barrier(self.admin, self._follower, places, self._on_answer)
        await self._barrier.passed(_ANSWER_S)
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Let the brokers have what is under way, and disconnect."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.to_thread(self._follower.close)
        await self.recorder.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            with suppress(AwayError):  # which is noted
                await self._barrier.passed()
            if not self._follower.is_running and not self.failed.done():
                self.failed.set_result("the topics cannot be followed any more; see above")

    def _on_answer(self, has_come: bool) -> None:
        if self.is_away == has_come:
            logger.warning("Kafka answers again" if has_come else "Kafka does not answer")
        self.is_away = not has_come

    def _on_error(self, error: KafkaError) -> None:
        """Hear of an error that a client goes on from by itself; `_watch` tells what it meant."""

    def _read_user(self, message: Message) -> Callable[[], None]:
        return partial(self.users.take, message.key() or b"", message.value())


def _read(
    decode: Callable[[bytes], Record], kept: deque[Record], message: Message
) -> Callable[[], None] | None:
    """Return what takes a record; none of one that cannot be read."""
    try:
        return partial(kept.append, decode(message.value() or b""))
    except InvalidEvent:
        return None
