"""What an installation keeps about itself, in a topic of its own.

These are the number of partitions its state is of, and the layouts of its records and of the
messages on its internal topics. They survive the loss of local state, and go with the internal
topics when the application is reset. Under other keys are records by which tasks tell all workers
of themselves; they are passed over here.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from streams.kafka.clients import Clients
from streams.kafka.config import Config
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.password_file import new_producer
from streams.kafka.topics import TIMEOUT_S, Topics, TopicsError, partitions_changed
from streams.layouts.layout import Layout, Record, decode_layout
from streams.layouts.reader import Reader

_PARTITIONS: Final = b"partitions"
_LAYOUT: Final = b"layout/"
_RESTORING: Final = b"restoring"

PARTITION: Final = 0
"""All that there is, whatever the topic has."""


class Installation:
    """What is kept, as it was when this was made.

    Parameters
    ----------
    config
        Client settings.
    topics
        Names of the topics.
    """

    def __init__(self, config: Config, topics: Topics) -> None:
        self._config = config
        self._topics = topics
        self._kept = _read(Clients(config), topics.installation)

    def hold_partitions(self, found: int, *, begins: bool) -> None:
        """Refuse another number of partitions than is kept, and keep it when the state begins.

        Parameters
        ----------
        found
            Partitions that the topics of the tasks have.
        begins
            Whether there will be state from now on, if there was none.

        Raises
        ------
        TopicsError
            When the state is of another number: a card's history would be split. Or when the
            number cannot be kept.
        """
        if self.is_restoring:
            raise TopicsError(
                "a restore of this installation was begun and has not ended: type `chargewatch "
                "restore` again, which goes on with it"
            )
        kept = self.partitions
        if kept is None and begins:
            self.keep_partitions(found)
        elif kept is not None and kept != found:
            changed = partitions_changed(self._topics.charges, f"{found} partitions", kept)
            raise TopicsError(changed)

    def keep_restoring(self, *, is_begun: bool) -> None:
        """Keep workers away while what is kept here is put back, or let them in again.

        Raises
        ------
        TopicsError
            When it cannot be kept.
        """
        self._keep({_RESTORING: b"true" if is_begun else None})

    @property
    def is_restoring(self) -> bool:
        """Whether a restore was begun and has not ended."""
        return _RESTORING in self._kept

    @property
    def partitions(self) -> int | None:
        """The number of partitions that the state is of, `None` while there is none."""
        value = self._kept.get(_PARTITIONS)
        return None if value is None else msgspec.json.decode(value, type=int)

    def keep_partitions(self, count: int) -> None:
        """Keep of how many partitions the state is.

        Raises
        ------
        TopicsError
            When it cannot be kept.
        """
        self._keep({_PARTITIONS: msgspec.json.encode(count)})

    def hold_layouts(self, records: Sequence[Record]) -> None:
        """Keep the layouts that this version writes, if it can read all that are kept.

        Raises
        ------
        LayoutError
            When there is one that it cannot read.
        TopicsError
            When they cannot be kept.
        """
        layouts = _layouts_in(self._kept)
        for record in records:
            Reader(record, layouts)
        ours = {_LAYOUT + b"%08x" % r.layout.number: r.layout.encoded() for r in records}
        if missing := {key: value for key, value in ours.items() if key not in self._kept}:
            self._keep(missing)

    def _keep(self, values: Mapping[bytes, bytes | None]) -> None:
        topic, failures = self._topics.installation, list[str]()
        producer = new_producer(self._config | {"enable.idempotence": True, "log_level": 0})
        for key, value in values.items():
            producer.produce(
                topic,
                value,
                key,
                PARTITION,
                on_delivery=lambda error, _: failures.append(error.str()) if error else None,
            )
        if producer.flush(TIMEOUT_S) or failures:
            raise TopicsError(f"topic {topic}: not written: {', '.join(failures) or 'no answer'}")


class KeptLayouts(dict[int, Layout]):
    """The layouts of an installation by number; one that is not known yet is looked for.

    Parameters
    ----------
    clients
        Makes the client that looks.
    topic
        Of the installation.
    """

    def __init__(self, clients: Clients, topic: str) -> None:
        super().__init__()
        self._clients = clients
        self._topic = topic

    def __missing__(self, number: int) -> Layout:
        """Read the topic again: a later version may have begun to write since."""
        self.update(_layouts_in(_read(self._clients, self._topic)))
        if number not in self:
            raise KeyError(number)
        return self[number]


def _layouts_in(kept: Mapping[bytes, bytes]) -> dict[int, Layout]:
    documents = [value for key, value in kept.items() if key.startswith(_LAYOUT)]
    layouts = [decode_layout(document, "a record") for document in documents]
    return {layout.number: layout for layout in layouts}


def _read(clients: Clients, topic: str) -> dict[bytes, bytes]:
    kept: dict[bytes, bytes] = {}
    # What is kept here is in no transaction, unlike what tasks tell: it does not wait for theirs.
    reader = PartitionReader(clients, topic, PARTITION, is_committed=False)
    try:
        for messages in reader.read_to_end():
            for message in messages:
                key, value = message.key(), message.value()
                if key is not None and value is not None:
                    kept[key] = value
                elif key is not None:
                    kept.pop(key, None)
    finally:
        reader.close()
    return kept
