"""The worker's member of the consumer group, which fetches the inputs of whole tasks."""

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, TopicPartition

from streams.engine.task import BY_ENTITY, BY_MERCHANT, CHARGES, DISPUTES, OUTCOMES
from streams.kafka.topics import Topics


class TaskTopics:
    """Topics of the tasks: their inputs and their changelog.

    Parameters
    ----------
    topics
        Names of the topics of the installation.

    Attributes
    ----------
    changelog
        Topic of the changelogs.
    inputs
        Topic of each source of a task.

    Examples
    --------
    >>> topics = TaskTopics(Topics("eu."))
    >>> [partition.topic for partition in topics.partitions(3)][3:]
    ['eu.chargewatch.by-merchant', 'eu.chargewatch.by-entity']
    >>> [(found.topic, found.offset) for found in topics.at(3, {"disputes": 7})]
    [('eu.disputes', 7)]
    """

    def __init__(self, topics: Topics) -> None:
        self.changelog = topics.changelog
        self.inputs = {
            CHARGES: topics.charges,
            DISPUTES: topics.disputes,
            OUTCOMES: topics.outcomes,
            BY_MERCHANT: topics.by_merchant,
            BY_ENTITY: topics.by_entity,
        }

    def partitions(self, number: int) -> list[TopicPartition]:
        """Return the input partitions of a task, in the order of `inputs`."""
        return [TopicPartition(topic, number) for topic in self.inputs.values()]

    def at(self, number: int, positions: Mapping[str, int]) -> list[TopicPartition]:
        """Return the input partitions of a task at the given offset of each source."""
        return [
            TopicPartition(self.inputs[source], number, position)
            for source, position in positions.items()
        ]


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
