"""The way of the console to Kafka and back: topics followed, brokers watched."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from confluent_kafka import OFFSET_BEGINNING

from agents.web.console.access.users import UserBook
from agents.web.console.recorder import KafkaRecorder
from agents.web.follower import Followed
from agents.web.following import Following
from schemas.audit import AuditEvent, decode_audit_event
from schemas.changes import Change, decode_change
from schemas.drift import Drift, decode_drift
from schemas.rejected import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

Record = TypeVar("Record")

KEPT: Final = 5_000
"""Acts, and changes, that are shown: the latest."""

DRIFTS_KEPT: Final = 500

_TAIL: Final = -2_000
"""What librdkafka adds a count to, to begin so many messages before the end."""


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


class ConsoleLink(Following):
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
    """

    def __init__(self, topics: Topics, config: Config, admin: Admin) -> None:
        super().__init__(config, admin)
        self.topics = topics
        self.users = UserBook()
        self.log = Log()
        self.recorder = KafkaRecorder(self.clients, topics.audit)

    async def start(self) -> None:
        """Begin to follow the topics, and wait until what they hold by now was taken.

        Raises
        ------
        AwayError
            When the brokers do not answer.
        """
        names = self.topics
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
        await self.follow(followed)

    async def close(self) -> None:
        """Let the brokers have what is under way, and disconnect."""
        await self.unfollow()
        await self.recorder.close()

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
