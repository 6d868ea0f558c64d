"""Tasks that nobody has though the group is at rest: found, and shared out again.

In a cooperative rebalance a task that is to move is withheld until its owner has let go of it and
joins again. A static member that comes back by its name alone, such as after its broker was away
for longer than the session, gets what was assigned to that name and rebalances nothing: if it was
to let go of something, it never will, as it does not know of it (KIP-792 tells of the cause).
Nothing then happens to such tasks until somebody joins or leaves. So somebody does.
"""

import logging
from collections.abc import Callable
from threading import Event

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka.access import NotAllowedError
from streams.kafka.clients import Clients
from streams.kafka.config import Config

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_POLL_S = 0.1


class UnassignedTasks:
    """Looks for tasks that nobody has, in a thread of its own.

    Of all members only one acts: the first in the order of their ids.

    Parameters
    ----------
    clients
        Ask the group, and make the member that passes by.
    member
        Settings of a member of the group.
    topic
        Whose partitions the group shares out.
    member_id
        Tells this worker's id in the group, empty before it has one.
    """

    def __init__(
        self, clients: Clients, member: Config, topic: str, member_id: Callable[[], str | None]
    ) -> None:
        self._clients = clients
        self._member = {k: v for k, v in member.items() if k != "group.instance.id"}
        self._topic = topic
        self._member_id = member_id
        self._stop = Event()

    def start(self) -> None:
        """Begin to look."""
        self._clients.thread(self._run)

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def _run(self) -> None:
        before = set[int]()
        while not self._stop.is_set():
            self._clients.retry.rest(_LOOK_EVERY_S)
            found = self._found()
            if found and found == before:
                logger.warning("nobody has tasks %s: the group shares them out anew", sorted(found))
                self._pass_by()
            before = found

    def _found(self) -> set[int]:
        """Return the tasks that nobody has, if it is for this worker to act."""
        try:
            tasks = self._clients.stable_assignment(str(self._member["group.id"]))
            if not tasks or self._member_id() != min(tasks):
                return set()
            return set(range(self._clients.partitions(self._topic))).difference(*tasks.values())
        except (KafkaException, NotAllowedError):
            return set()  # the broker is away, or refuses, which others tell of

    def _pass_by(self) -> None:
        """Join as a dynamic member, and leave once the group has been shared out."""
        has_joined = Event()

        def on_assign(member: Consumer, _: list[TopicPartition]) -> None:
            member.incremental_assign([])  # nothing is fetched
            has_joined.set()

        passing = self._clients.consumer(self._member)
        passing.subscribe([self._topic], on_assign=on_assign)
        while not has_joined.is_set() and not self._stop.is_set():
            passing.poll(_POLL_S)
        passing.close()
