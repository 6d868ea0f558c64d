"""Messages of the topics in bulk, and how far they are read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from streams.kafka.access import Right, raise_if_refused
from streams.kafka.roles import READ_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import Consumer, Message

    from agents.web.read_model.keeping.batch import Place
    from agents.web.read_model.keeping.ends import Ends
    from streams.kafka.clients import Clients

logger = logging.getLogger(__name__)

BATCH_MESSAGES: Final = 20_000
_QUEUED_KB: Final = 8 * 1024
"""Of each partition, of which there are six times as many as tasks: 64 MB, as by default, would be
some 1.5 GB together."""

_POLL_S: Final = 0.2
_LINGER_S: Final = 0.05
_BULK_LINGER_S: Final = 0.2
"""How long more messages are waited for. What somebody has just written is seen so much later;
where a thousand come at a time, larger batches are worth more."""

_BULK_MESSAGES: Final = 1_000


class Reading:
    """Reads what is committed, in no group.

    Parameters
    ----------
    clients
        Make the consumer.
    places
        The partitions.
    begun
        The offsets to go on from; others are read from their beginning.

    Attributes
    ----------
    reached
        The offsets that come next.
    """

    def __init__(
        self, clients: Clients, places: Sequence[Place], begun: Mapping[Place, int]
    ) -> None:
        self.reached = dict(begun)
        self._is_bulk = True
        self._config = clients.config
        self._consumer: Consumer = clients.consumer(
            {
                "group.id": READ_MODEL,  # required, and never joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": _QUEUED_KB,
                "auto.offset.reset": "earliest",  # of what retention has taken meanwhile
                "log_level": 0,
            }
        )
        self._consumer.assign(
            [TopicPartition(*place, begun.get(place, OFFSET_BEGINNING)) for place in places]
        )

    def read(self) -> list[Message]:
        """Return what has come, after a moment if nothing has.

        Raises
        ------
        NotAllowedError
            When a topic may not be read.
        """
        messages = []
        first = self._consumer.poll(_POLL_S)
        if first is None:
            return []
        linger_s = _BULK_LINGER_S if self._is_bulk else _LINGER_S
        rest = self._consumer.consume(BATCH_MESSAGES - 1, timeout=linger_s)
        self._is_bulk = len(rest) > _BULK_MESSAGES
        for message in (first, *rest):
            error = message.error()
            place = cast("str", message.topic()), cast("int", message.partition())
            if error is None:
                messages.append(message)
                self.reached[place] = cast("int", message.offset()) + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self.reached[place] = cast("int", message.offset())
            else:
                needed = Right("Read", "topic", place[0]), Right("Describe", "group", READ_MODEL)
                raise_if_refused(error, self._config, *needed)
                logger.warning("%s: %s", message.topic(), error.str())
        return messages

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


class Progress:
    """Tells how much is read of what there was at the start.

    Parameters
    ----------
    ends
        Of the partitions.
    begun
        Offsets that were gone on from.
    told
        Hears how many messages have been read, and of how many.
    """

    def __init__(
        self, ends: Ends, begun: Mapping[Place, int], told: Callable[[int, int], None]
    ) -> None:
        first, last = ends.first(), ends.last()
        self._told = told
        self._from: dict[Place, int] = {}
        self._until: dict[Place, int] = {}
        if first is not None and last is not None:
            self._until = last
            self._from = {place: max(begun.get(place, 0), first[place]) for place in last}

    def tell(self, reached: Mapping[Place, int]) -> None:
        """Tell how far it is."""
        of = done = 0
        for place, end in self._until.items():
            begin = self._from[place]
            of += max(0, end - begin)
            done += max(0, min(end, reached.get(place, 0)) - begin)
        self._told(done, of)
