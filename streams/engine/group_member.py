"""The worker's member of the consumer group, which fetches the inputs of whole tasks."""

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer

from streams.engine.task_topics import TaskTopics


class GroupMember:
    """Member of the group that fetches the inputs of tasks.

    Parameters
    ----------
    consumer
        The member's client.
    topics
        Topics of the tasks.
    """

    def __init__(self, consumer: Consumer, topics: TaskTopics) -> None:
        self.consumer = consumer
        self.topics = topics

    def id(self) -> str:
        """Return this worker's id in the group, if it has one; threads may ask at its very end."""
        try:
            return self.consumer.memberid() or ""
        except RuntimeError:  # the consumer has just been closed
            return ""

    def assign(self, number: int, positions: Mapping[str, int]) -> None:
        """Begin to fetch the inputs of a task at the given offset of each source."""
        self.consumer.incremental_assign(self.topics.at(number, positions))

    def unassign(self, numbers: Iterable[int]) -> None:
        """Fetch nothing for these tasks any more."""
        self.consumer.incremental_unassign(
            [partition for number in numbers for partition in self.topics.partitions(number)]
        )

    def seek(self, number: int, positions: Mapping[str, int]) -> None:
        """Fetch the inputs of a task again from the given offset of each source."""
        for partition in self.topics.at(number, positions):
            self.consumer.seek(partition)
            self.consumer.resume([partition])
