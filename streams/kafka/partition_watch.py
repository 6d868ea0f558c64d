"""Partitions that are added to the topics of a running worker: found, so that it ends.

A card's partition depends on how many there are. With more of them its next charges come to a task
that knows nothing of it, and two tasks would each have half of its history.
"""

from collections.abc import Sequence
from threading import Event

from confluent_kafka import KafkaException

from streams.kafka.access import NotAllowedError
from streams.kafka.clients import Clients
from streams.kafka.topics import TopicsError, partitions_changed

_LOOK_EVERY_S = 5.0


class PartitionWatch:
    """Looks at the topics of the tasks, in a thread of its own.

    Parameters
    ----------
    clients
        Ask the brokers.
    topics
        Of which task p owns partition p.

    Attributes
    ----------
    kept
        Partitions that the state of the tasks is of; not watched while it is `None`.
    """

    def __init__(self, clients: Clients, topics: Sequence[str]) -> None:
        self._clients = clients
        self._topics = topics
        self._stop = Event()
        self._problem = ""
        self.kept: int | None = None

    def start(self, kept: int | None) -> None:
        """Begin to look, where it is known how many partitions there should be."""
        self.kept = kept
        if kept is not None:
            self._clients.thread(self._run)

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def own(self, numbers: Sequence[int]) -> list[int]:
        """Return those of the partitions of `charges` that were there; note that others were not.

        Examples
        --------
        >>> watch = PartitionWatch(Clients({}), ["charges"])
        >>> watch.kept = 2
        >>> watch.own([0, 3])
        [0]
        >>> watch.check()
        Traceback (most recent call last):
        streams.kafka.topics.TopicsError: topic charges has 4 partitions or more, and the state of \
this installation is of 2: ...
        """
        if self.kept is None or max(numbers, default=0) < self.kept:
            return list(numbers)
        self._problem = partitions_changed(
            self._topics[0], f"{max(numbers) + 1} partitions or more", self.kept
        )
        return [number for number in numbers if number < self.kept]

    def check(self) -> None:
        """Raise what was found.

        Raises
        ------
        TopicsError
            When a topic has more partitions than the state is of.
        """
        if self._problem:
            raise TopicsError(self._problem)

    def _run(self) -> None:
        while not self._stop.is_set() and not self._problem:
            self._clients.retry.rest(_LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        assert self.kept is not None
        for topic in self._topics:
            try:
                found = self._clients.partitions(topic)
            except (KafkaException, NotAllowedError):
                return  # the broker is away, or refuses, which others tell of
            if found > self.kept:
                self._problem = partitions_changed(topic, f"{found} partitions", self.kept)
                return
