"""The vectors that workers keep of scored charges, looked up in their changelog.

A worker writes what it keeps of a charge to the changelog of the merchant's task, in the
transaction of the scored event. So it is looked for from the time of that on, for a moment: the
changelog is never read as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.stages.tasks import features_of
from schemas.charge import Charge
from streams.events.rows import charge_rows
from streams.kafka.installation import KeptLayouts
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.partitioner import partitions_of
from streams.labels.pending import kept_key, pending_layout
from streams.layouts.layout import LayoutError
from streams.layouts.reader import Reader
from streams.state.tables import METHOD_PENDING, PENDING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message

    from agents.settings.schema import Settings
    from streams.kafka.clients import Clients
    from streams.kafka.config import Admin
    from streams.kafka.topics import Topics

_ANSWER_S: Final = 5.0
_BEFORE_S: Final = 1.0
"""By how much the clocks of two brokers may differ."""

_AFTER_S: Final = 30.0
"""How much later than a scored event its transaction may write the changelog."""

_READ_MAX: Final = 50_000
"""Messages after which it is given up: a second of some 10,000 charges."""


class ScoredAt(NamedTuple):
    """A scored charge, and when its scored event was put on its topic, Unix seconds."""

    charge: str
    card: str
    merchant: str
    created: float
    written_at: float


class KeptVectors:
    """Looks up the vectors of charges: of one thread at a time.

    Parameters
    ----------
    clients, admin
        Reach Kafka.
    topics, settings
        Of the installation.
    """

    def __init__(self, clients: Clients, admin: Admin, topics: Topics, settings: Settings) -> None:
        self.clients = clients
        self._admin = admin
        self._topic = topics.changelog
        self._features = features_of(settings)
        record = pending_layout(self._features, settings.entities)
        self._reader = Reader(record, KeptLayouts(clients, topics.installation))

    def find(self, scored: ScoredAt) -> Mapping[str, float] | None:
        """Return what the worker computed of a charge, by the names of features.

        It is `None` where that is not kept any more, or not where it was written first.

        Raises
        ------
        KafkaException
            When the brokers do not answer.
        """
        value = self._value(scored)
        if value is None:
            return None
        try:
            [kept] = self._reader.rows([value])
        except LayoutError:
            return None  # of a version that this one cannot read
        names = (feature.name for feature in self._features)
        return dict(zip(names, kept["vector"].tolist(), strict=True))

    def close(self) -> None:
        """Do nothing: each look has a client of its own."""

    def _value(self, scored: ScoredAt) -> bytes | None:
        """Return what is kept of a charge, as it was written first."""
        count = self.clients.partitions(self._topic)
        [partition] = partitions_of([scored.merchant.encode()], count).tolist()
        offset = self._offset_at(partition, scored.written_at - _BEFORE_S)
        if offset < 0:
            return None
        [row] = charge_rows(
            [Charge(scored.charge, scored.created, 0, "usd", scored.card, scored.merchant)]
        )
        key = kept_key(row)
        reader = PartitionReader(self.clients, self._topic, partition, offset)
        try:
            return self._first(reader, key, scored.written_at + _AFTER_S)
        finally:
            reader.close()

    def _first(self, reader: PartitionReader, key: bytes, until: float) -> bytes | None:
        """Return the first value of a kept charge in what was written up to a time."""
        given_up_at = self.clients.clock() + _ANSWER_S
        is_past, count = False, 0
        while not is_past and count < _READ_MAX and not reader.is_at_end:
            for message in reader.read():
                if _is_of(message, key) and (value := message.value()):
                    return value
                count += 1
                is_past = message.timestamp()[1] > 1e3 * until
            if self.clients.clock() > given_up_at:
                break
        return None

    def _offset_at(self, partition: int, at: float) -> int:
        """Return the offset of the first message from a time on, Unix seconds; -1 without one."""
        place = TopicPartition(self._topic, partition)
        spec = OffsetSpec.for_timestamp(int(1e3 * at))
        asked = self._admin.list_offsets({place: spec}, request_timeout=_ANSWER_S)
        return int(asked[place].result().offset)


def _is_of(message: Message, key: bytes) -> bool:
    """Tell whether a message is what is kept under a key, by whichever method it was paid."""
    found = message.key() or b""
    return found[:1] in (PENDING, METHOD_PENDING) and found.endswith(key)
