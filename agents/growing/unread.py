"""What the tasks have not processed yet: it ends a growth before it begins, or is sent on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agents.growing.moves import GrowError
from agents.shared_entities.early_parts import EARLY
from streams.engine.task import (
    CHARGES,
    DISPUTES,
    LATER_POSITIONS,
    OUTCOMES,
    POSITIONS,
    encoded_positions,
    positions_in,
)
from streams.kafka.access import Right
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import TIMEOUT_S
from streams.state.store import KeyRange
from streams.state.tables import GATHERING, META, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import Message

    from agents.growing.changelogs import Changelogs
    from agents.growing.places import Growth
    from streams.engine.group_member import TaskTopics
    from streams.kafka.clients import Clients
    from streams.kafka.config import Admin
    from streams.state.store import Readable

INPUTS: Final = (CHARGES, DISPUTES, OUTCOMES)

_DRAIN: Final = (
    "stop what publishes (producers, `chargewatch serve`), let the workers run until "
    "chargewatch_lag_messages is 0, stop them, and type the command again; nothing was changed"
)


def check_nobody_works(admin: Admin, clients: Clients, group: str) -> None:
    """Refuse to go on while there are workers.

    Raises
    ------
    GrowError
        When the group has members.
    """

    def groups() -> list[Any]:
        found: list[Any] = admin.list_groups(group, timeout=TIMEOUT_S)
        return found

    for found in clients.answer_to(groups, Right("Describe", "group", group)):
        if found.members:
            hosts = ", ".join(sorted({str(member.client_host) for member in found.members}))
            raise GrowError(
                f"workers of the group {group} are alive ({len(found.members)}, at {hosts}): stop "
                "all workers and type the command again; one that was killed is forgotten after "
                "session_timeout_ms"
            )


def check_read(
    clients: Clients, topics: TaskTopics, stores: Sequence[Readable], sources: Sequence[str]
) -> None:
    """Refuse states of tasks that have not processed all that there is.

    Raises
    ------
    GrowError
        When a message of some sources is unread, or a charge waits for parts of its vector.
    """
    for task, store in enumerate(stores):
        waiting = KeyRange(GATHERING, GATHERING + EARLY)
        if next(iter(store.scan(waiting)), None) is not None:
            raise GrowError(f"charges wait in task {task} for parts of their vectors: {_DRAIN}")
    for task, source in _written_since(clients, topics, stores, sources):
        if next(unread(clients, topics, stores[task], task, source), None) is not None:
            topic = topics.inputs[source]
            raise GrowError(f"topic {topic} has messages that are not processed: {_DRAIN}")


def _written_since(
    clients: Clients, topics: TaskTopics, stores: Sequence[Readable], sources: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Yield tasks and sources whose end is past the position: by messages, or by markers alone.

    One client asks for all of them, as a client for each takes longer than the answers.
    """
    asker = PartitionReader(clients, topics.changelog, 0)
    try:
        for task, store in enumerate(stores):
            for source in sources:
                low, end = asker.watermarks_of(topics.inputs[source], task)
                if end > max(low, _position(store, source) or 0):
                    yield task, source
    finally:
        asker.close()


def _position(store: Readable, source: str) -> int | None:
    """Return the position of a source in a state, `None` where it has none."""
    return (positions_in(Table(store, META)) or {}).get(source)


def unread(
    clients: Clients, topics: TaskTopics, store: Readable, task: int, source: str
) -> Iterator[list[Message]]:
    """Yield the messages of a source that do not count yet in the state of a task."""
    position = _position(store, source)
    reader = PartitionReader(clients, topics.inputs[source], task, position)
    try:
        for messages in reader.read_to_end():
            if messages:
                yield messages
    finally:
        reader.close()


def send_on(
    clients: Clients,
    topics: TaskTopics,
    stores: Sequence[Readable],
    growth: Growth,
    changelogs: Changelogs,
) -> int:
    """Send inputs on to the partitions that their keys have now, and return how many.

    They came while there were fewer. That they were sent on and that they count as processed is in
    one transaction. A partition whose unread inputs all belong there is left as it is; of another
    one all are sent on, as the order of a key's events is that of its partition.
    """
    sent = 0
    old = stores[: growth.before]
    positions = [positions_in(Table(store, META)) or {} for store in old]
    for task, source in _written_since(clients, topics, old, INPUTS):

        def parts(task: int = task, source: str = source) -> Iterator[list[Message]]:
            return unread(clients, topics, old[task], task, source)

        if all(_belong(messages, task, growth.after) for messages in parts()):
            continue
        for messages in parts():
            positions[task][source] = (messages[-1].offset() or 0) + 1
            first, later = encoded_positions(positions[task])
            told: dict[bytes, bytes | None] = {
                META + POSITIONS: first,
                META + LATER_POSITIONS: later,
            }
            changelogs.write({task: told}, {topics.inputs[source]: messages})
            sent += len(messages)
    return sent


def _belong(messages: Sequence[Message], task: int, partitions: int) -> bool:
    """Tell whether messages are in the partition of their keys."""
    keys = [message.key() or b"" for message in messages]
    return bool((partitions_of(keys, partitions) == task).all())
