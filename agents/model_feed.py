"""The way of the model: examples to the learner, its snapshots to every worker's scorer."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from confluent_kafka import Message

from agents.learner import LearnerStage
from agents.models.registry import DEFAULT, scorer
from agents.settings import Settings
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.clients import Clients
from streams.features import FEATURES
from streams.follower import Follower
from streams.frames import decode_examples
from streams.producer import OutputProducer
from streams.topics import Topics

if TYPE_CHECKING:
    from agents.models.interface import Scorer

logger = logging.getLogger(__name__)

_EXAMPLES_AT_A_TIME = 1000
_SNAPSHOTS_AT_A_TIME = 100
_NAME = DEFAULT.encode()


class ModelFollower:
    """Follows the topic `models` and holds the scorer of the newest snapshot.

    Parameters
    ----------
    topics
        The names of the topics.
    clients
        Makes the client that follows.
    """

    def __init__(self, topics: Topics, clients: Clients) -> None:
        self._follower = Follower(clients, topics.models, 0)
        self._clock = clients.clock
        self.snapshot: Snapshot | None = None
        self._came_at = self._clock()
        self.scorer: Scorer = scorer(None, FEATURES)

    @property
    def age_s(self) -> float:
        """Seconds since the snapshot in use came, or since the start."""
        return self._clock() - self._came_at

    def catch_up(self) -> None:
        """Read all that is there: no charge is scored by an older model than need be."""
        for messages in self._follower.read_to_end():
            self._use(messages)

    def refresh(self) -> None:
        """Use a newer snapshot if one has come."""
        self._use(self._follower.take(_SNAPSHOTS_AT_A_TIME))

    def close(self) -> None:
        """Disconnect."""
        self._follower.close()

    def _use(self, messages: Sequence[Message]) -> None:
        own = [message.value() for message in messages if message.key() == _NAME]
        values = [value for value in own if value is not None]
        if values:
            self.snapshot = decode_snapshot(values[-1])
            self._came_at = self._clock()
            self.scorer = scorer(self.snapshot, FEATURES)


class LearnerFeed:
    """Runs the learner on the worker that has task 0, and nowhere else.

    The learner goes on from the newest snapshot, at the offset that it names: what it learns after
    a takeover is what it would have learned undisturbed.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        clients: Clients,
        producer: OutputProducer,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._clients = clients
        self._producer = producer
        self._follower: Follower | None = None
        self._fetched: list[Message] = []
        self._learner: LearnerStage
        self._published_at = self._clients.clock()

    @property
    def is_running(self) -> bool:
        """Whether the learner is on this worker."""
        return self._follower is not None

    def start(self, snapshot: Snapshot | None) -> None:
        """Take the learner over, from the newest snapshot there is."""
        self._learner = LearnerStage(snapshot, self._settings.snapshot_every_examples)
        offset = None if snapshot is None else snapshot.offset
        self._follower = Follower(self._clients, self._topics.examples, 0, offset)
        logger.info("learner: goes on from %s", "nothing" if snapshot is None else snapshot.version)

    def stop(self) -> None:
        """Leave the learner to another worker."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None
            self._fetched = []
            logger.info("learner: stopped")

    def fetch(self) -> list[Message]:
        """Return the examples that are here; the same again until they are learned."""
        if self._follower is not None and not self._fetched:
            self._fetched = self._follower.take(_EXAMPLES_AT_A_TIME)
        return self._fetched

    def learn(self, messages: Sequence[Message]) -> None:
        """Learn examples, and send the snapshots that are due."""
        examples = decode_examples([cast("bytes", message.value()) for message in messages])
        offsets = [cast("int", message.offset()) for message in messages]
        due = self._learner.learn(examples, offsets)
        self._fetched = []
        for snapshot in due:
            self._send(snapshot)

    def publish_late(self, newest: Snapshot | None) -> bool:
        """Send a snapshot of what was learned a while ago, when examples are few.

        Parameters
        ----------
        newest
            The newest that is committed: one that was sent and undone is sent again.

        Returns
        -------
        bool
            Whether one was sent, which needs a commit.
        """
        waited_s = self._clients.clock() - self._published_at
        if not self.is_running or waited_s <= self._settings.snapshot_every_s:
            return False
        if self._learner.offset <= (0 if newest is None else newest.offset):
            return False
        self._send(self._learner.snapshot())
        return True

    def _send(self, snapshot: Snapshot) -> None:
        value = encode_snapshot(snapshot)
        self._producer.send(self._topics.models, [(snapshot.name.encode(), value)])
        self._published_at = self._clients.clock()
