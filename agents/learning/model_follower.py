"""The way of the models: from the topic `models` to the scorers of a worker."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from confluent_kafka import Message

from agents.learning.model_registry import ModelBook
from agents.models.kinds import DEFAULT, scorer
from agents.models.prior import VERSION as PRIOR
from streams.features.entities import FEATURES
from streams.features.spec import Feature
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from agents.models.protocols import Scorer
    from schemas.snapshot import Snapshot

_SNAPSHOTS_AT_A_TIME = 100


class ModelFollower:
    """Follows the topic `models` and holds the scorers of the champion and its challengers.

    Parameters
    ----------
    topics
        The names of the topics.
    clients
        Makes the client that follows.
    challengers
        Models that learn beside the default one.
    features
        The columns of the vectors.

    Attributes
    ----------
    book
        What is on the topic.
    scorer
        Of the champion.
    shadow
        Scorers of the others, by name; without those that have yet to learn enough.
    """

    def __init__(
        self,
        topics: Topics,
        clients: Clients,
        challengers: Sequence[str],
        features: Sequence[Feature] = FEATURES,
    ) -> None:
        self._features = features
        self._partition_reader = PartitionReader(clients, topics.models, 0)
        self._clock = clients.clock
        self._standing = (DEFAULT, *challengers)
        self._came_at = self._clock()
        self.book = ModelBook()
        self._scoring: Snapshot | None = None
        self.scorer: Scorer = scorer(None, features)
        self.shadow: Mapping[str, Scorer] = {}

    @property
    def names(self) -> list[str]:
        """The models that learn: the default one, the challengers, and whichever is champion."""
        return list(dict.fromkeys((*self._standing, self.book.champion.name)))

    @property
    def age_s(self) -> float:
        """Seconds since the snapshot in use came, or since the start."""
        return self._clock() - self._came_at

    def catch_up(self) -> None:
        """Read all that is there: no charge is scored by an older model than need be."""
        for messages in self._partition_reader.read_to_end():
            self._take(messages)

    def refresh(self) -> None:
        """Use newer snapshots, and another champion, if they have come."""
        self._take(self._partition_reader.take(_SNAPSHOTS_AT_A_TIME))

    def close(self) -> None:
        """Disconnect."""
        self._partition_reader.close()

    def _take(self, messages: Sequence[Message]) -> None:
        changed = self.book.take((message.key(), message.value()) for message in messages)
        if not changed:
            return
        if self.book.champion.name in changed:
            self._use_champion()
        shadow = {
            name: scorer(self.book.newest(name), self._features)
            if name in changed or name not in self.shadow
            else self.shadow[name]
            for name in self.names
            if name != self.book.champion.name
        }
        self.shadow = {name: model for name, model in shadow.items() if model.version != PRIOR}

    def _use_champion(self) -> None:
        snapshot = self.book.scoring()
        if snapshot is not self._scoring:
            self._scoring = snapshot
            self._came_at = self._clock()
            self.scorer = scorer(snapshot, self._features)
