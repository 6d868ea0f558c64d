"""Standby copies: a worker follows the changelogs of tasks that others run.

When such a task comes to this worker, its local store is almost up to date, and the restore reads
only the rest. Who copies what follows from the group's members alone, so nobody has to agree: the
tasks of a member are copied by those that come next in the order of the member ids. The group's
assignor knows nothing of copies: of n workers, a task that must move finds its copy on
`replicas` of the n - 1 others.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic

from confluent_kafka import KafkaException

from streams.engine.restore import apply, seek_to_store
from streams.engine.settings import EngineSettings
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader
from streams.state.store import Store

logger = logging.getLogger(__name__)

_PLAN_EVERY_S = 5.0
_PAUSE_S = 0.05
_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class _Copy:
    store: Store
    reader: PartitionReader


class Standbys:
    """Keeps copies up to date in a thread of its own.

    Parameters
    ----------
    clients
        Makes the clients that follow.
    settings
        Of the engine.
    changelog
        Topic of the changelog.
    open_store
        Opens the local store of a task by its number.
    member_id
        Tells this worker's id in the group, empty before it has one.
    """

    def __init__(
        self,
        clients: Clients,
        settings: EngineSettings,
        changelog: str,
        open_store: Callable[[int], Store],
        member_id: Callable[[], str],
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._changelog = changelog
        self._open_store = open_store
        self._member_id = member_id
        self._copies: dict[int, _Copy] = {}
        self._held: set[int] = set()
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="standby", daemon=True)

    @property
    def numbers(self) -> list[int]:
        """Return the tasks that are copied here."""
        return sorted(self._copies)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """Close all copies."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            for number in self.numbers:
                self._drop(number)

    def take_over(self, number: int) -> None:
        """Close the copy of a task that comes to this worker: its store is free to be opened."""
        with self._lock:
            self._held.add(number)
            if number in self._copies:
                self._drop(number)
                logger.info("task %d: has a standby copy here", number)

    def let_go(self, number: int) -> None:
        """Note that a task has left this worker and may be copied again."""
        with self._lock:
            self._held.discard(number)

    def _run(self) -> None:
        planned_at = -_PLAN_EVERY_S
        while not self._stop.wait(_PAUSE_S):
            if monotonic() - planned_at > _PLAN_EVERY_S:
                planned_at = monotonic()
                self._follow(self._plan())
            with self._lock:
                for copy in self._copies.values():
                    self._catch_up(copy)

    def _plan(self) -> set[int]:
        """Return the tasks to copy; those copied now while the group does not say."""
        try:
            tasks = self._clients.stable_assignment(self._settings.application_id)
        except KafkaException as error:
            logger.warning("standby copies: %s", error.args[0].str())
            tasks = {}
        if not tasks:
            return set(self._copies)
        return copies_of(self._member_id(), tasks, self._settings.standby_replicas)

    def _follow(self, numbers: set[int]) -> None:
        with self._lock:
            for number in set(self._copies) - numbers:
                self._drop(number)
            for number in numbers - set(self._copies) - self._held:
                store = self._open_store(number)
                reader = PartitionReader(self._clients, self._changelog, number)
                seek_to_store(store, reader, number)
                self._copies[number] = _Copy(store, reader)
                logger.info("task %d: is copied here", number)

    def _catch_up(self, copy: _Copy) -> None:
        if messages := copy.reader.take(_MESSAGES):
            apply(copy.store, messages)

    def _drop(self, number: int) -> None:
        copy = self._copies.pop(number)
        copy.reader.close()
        copy.store.close()


def copies_of(member: str, tasks: Mapping[str, set[int]], replicas: int) -> set[int]:
    """Return the tasks that a member copies: those of the `replicas` members before it.

    Examples
    --------
    >>> tasks = {"a": {0, 3}, "b": {1}, "c": {2}}
    >>> [copies_of(member, tasks, 1) for member in tasks]
    [{2}, {0, 3}, {1}]
    >>> copies_of("a", {"a": {0}}, 2), copies_of("", tasks, 1)
    (set(), set())
    """
    order = sorted(tasks)
    if member not in tasks:
        return set()
    place = order.index(member)
    before = [order[(place - 1 - n) % len(order)] for n in range(min(replicas, len(order) - 1))]
    return set().union(*(tasks[other] for other in before))
