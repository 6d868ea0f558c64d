"""The topics of which task p owns partition p."""

from collections.abc import Mapping

from confluent_kafka import TopicPartition

from streams.engine.task import BY_MERCHANT, CHARGES, DISPUTES
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
    >>> [partition.topic for partition in topics.partitions(3)]
    ['eu.charges', 'eu.disputes', 'eu.chargewatch.by-merchant']
    >>> [(found.topic, found.offset) for found in topics.at(3, {"disputes": 7})]
    [('eu.disputes', 7)]
    """

    def __init__(self, topics: Topics) -> None:
        self.changelog = topics.changelog
        self.inputs = {
            CHARGES: topics.charges,
            DISPUTES: topics.disputes,
            BY_MERCHANT: topics.by_merchant,
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
