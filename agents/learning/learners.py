"""Examples to the learners of champion and challengers, and their snapshots to `models`.

Each learner reads the examples for itself, from the offset that its newest snapshot names: a new
challenger that works off the examples there are holds up nobody, and what any of them learns after
a takeover is what it would have learned undisturbed.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import cast

from confluent_kafka import Message

from agents.learning.auto_promotion import Succession
from agents.learning.learner import LearnerStage
from agents.learning.model_registry import ModelBook, as_loaded
from agents.learning.training import TrainingProcess
from agents.models.boosted.trainer import Trained
from agents.models.boosted.training import LightGBMMissingError, can_train
from agents.settings.schema import Settings
from schemas.control import CHAMPION_KEY, encode_control
from schemas.snapshot import Snapshot, encode_snapshot
from streams.features.entities import FEATURES
from streams.features.spec import Feature
from streams.kafka.clients import Clients
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer
from streams.layouts.layout import Layout
from streams.layouts.reader import Reader
from streams.wire.examples import decode_examples, example_layout

logger = logging.getLogger(__name__)

_EXAMPLES_AT_A_TIME = 1000
_OF_A_CHALLENGER_AT_A_TIME = 100
"""Fewer, as charges wait for a turn to end: a challenger with a week to work off takes its time."""


class LearnerFeed:
    """Runs one learner.

    Parameters
    ----------
    name
        Of the model.
    newest
        Where to go on, from nothing when `None`.
    settings, topics, clients, producer
        Of the worker.
    reader
        Reads examples.
    features
        The columns of their vectors.
    """

    def __init__(
        self,
        name: str,
        newest: Snapshot | None,
        settings: Settings,
        topics: Topics,
        clients: Clients,
        producer: TransactionalProducer,
        reader: Reader,
        features: Sequence[Feature],
    ) -> None:
        self._name = name
        self._features = features
        self._reader = reader
        self._settings = settings
        self._topics = topics
        self._clients = clients
        self._producer = producer
        self._fetched: list[Message] = []
        self._trained: Trained | None = None
        self._learner = self._stage(newest)
        self._partition_reader = PartitionReader(clients, topics.examples, 0)
        self._seek()
        self._published_at = clients.clock()
        logger.info(
            "learner of %s: goes on from %s", name, "nothing" if newest is None else newest.version
        )

    def close(self) -> None:
        """Leave the learner to another worker."""
        self._partition_reader.close()
        logger.info("learner of %s: stopped", self._name)

    def fetch(self, limit: int) -> list[Message]:
        """Return at most `limit` examples that are here; the same again until they are learned."""
        if not self._fetched:
            self._fetched = self._partition_reader.take(limit)
        return self._fetched

    def learn(self, messages: Sequence[Message]) -> None:
        """Learn examples, and send the snapshots that are due."""
        examples = decode_examples(
            [cast("bytes", message.value()) for message in messages], self._reader
        )
        offsets = [cast("int", message.offset()) for message in messages]
        due = self._learner.learn(examples, offsets)
        self._fetched = []
        for snapshot in due:
            self._send(snapshot)

    @property
    def is_boosted(self) -> bool:
        """Whether the model takes trees from a trainer."""
        return self._learner.is_boosted

    def publish_late(self, book: ModelBook, trained: Trained | None) -> bool:
        """Send a snapshot with new trees, of what was loaded, or of what was learned a while ago.

        Parameters
        ----------
        book
            What is committed: a snapshot that was sent and undone is sent again.
        trained
            The newest trees that are known.

        Returns
        -------
        bool
            Whether one was sent, which needs a commit.
        """
        if self._loads(book) or self._adopts(trained):
            self._send(self._learner.snapshot())
            return True
        waited_s = self._clients.clock() - self._published_at
        if waited_s <= self._settings.snapshot_every_s or not self._has_news(book):
            return False
        self._send(self._learner.snapshot())
        return True

    def _seek(self) -> None:
        """Go to the next example, or the oldest there is when that was deleted meanwhile."""
        oldest, _ = self._partition_reader.watermarks()
        if 0 < self._learner.offset < oldest:
            logger.warning(
                "learner of %s: goes on at example %d: those from %d on have been deleted",
                self._name,
                oldest,
                self._learner.offset,
            )
        self._partition_reader.seek(max(self._learner.offset, oldest))

    def _loads(self, book: ModelBook) -> bool:
        """Go on from what was loaded, at the next example; return whether anything was."""
        loaded = book.loaded(self._name)
        if loaded is None or loaded.id == self._learner.loaded:
            return False
        self._learner = self._stage(as_loaded(loaded, self._learner.offset))
        logger.info("learner of %s: goes on from loaded model %s", self._name, loaded.id)
        return True

    def _adopts(self, trained: Trained | None) -> bool:
        """Go on with trees that are new, at the next example; return whether there were any.

        Trees wait for a learner that is behind the examples that they have seen.
        """
        if (
            not self.is_boosted
            or trained is None
            or trained is self._trained
            or trained.offset > self._learner.offset
        ):
            return False
        self._trained = trained
        self._learner.adopt(trained)
        logger.info("learner of %s: has trees of the examples below %d", self._name, trained.offset)
        return True

    def _has_news(self, book: ModelBook) -> bool:
        """Tell whether there is more than what is committed."""
        committed = book.snapshot(self._name)
        if committed is None:
            return self._learner.offset > 0 or bool(self._learner.loaded)
        return self._learner.version != committed.version

    def _stage(self, snapshot: Snapshot | None) -> LearnerStage:
        every = self._settings.snapshot_every_examples
        return LearnerStage(snapshot, every, self._name, self._features)

    def _send(self, snapshot: Snapshot) -> None:
        value = encode_snapshot(snapshot)
        self._producer.send(self._topics.models, [(snapshot.name.encode(), value)])
        self._published_at = self._clients.clock()


FetchedExamples = list[tuple[LearnerFeed, list[Message]]]
"""Examples for each of the learners that has any."""


class Learners:
    """The learners of all models, on the worker that has task 0, and nowhere else.

    Parameters
    ----------
    settings, topics, clients, producer
        Of the worker.
    layouts
        Those in which examples may be, by number.
    features
        The columns of the vectors.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        clients: Clients,
        producer: TransactionalProducer,
        layouts: Mapping[int, Layout],
        features: Sequence[Feature] = FEATURES,
    ) -> None:
        self._reader = Reader(example_layout(features), layouts)
        self._features = features
        self._settings = settings
        self._topics = topics
        self._clients = clients
        self._producer = producer
        self._feeds: dict[str, LearnerFeed] = {}
        self._limits: dict[str, int] = {}
        self._training: TrainingProcess | None = None
        self._trained: Trained | None = None
        self._succession = Succession(settings.promote_after_frauds)

    @property
    def is_running(self) -> bool:
        """Whether the learners are on this worker."""
        return bool(self._feeds)

    def run(self, names: Iterable[str], book: ModelBook) -> None:
        """Run just the learners of these models, from their newest snapshots."""
        wanted = list(names)
        self._limits = {book.champion.name: _EXAMPLES_AT_A_TIME}
        for name in self._feeds.keys() - set(wanted):
            self._feeds.pop(name).close()
        for name in wanted:
            if name not in self._feeds:
                self._feeds[name] = LearnerFeed(
                    name,
                    book.newest(name),
                    self._settings,
                    self._topics,
                    self._clients,
                    self._producer,
                    self._reader,
                    self._features,
                )
        self._train(is_wanted=any(feed.is_boosted for feed in self._feeds.values()))

    def stop(self) -> None:
        """Leave the learners to another worker."""
        for feed in self._feeds.values():
            feed.close()
        self._feeds.clear()
        self._train(is_wanted=False)

    def fetch(self) -> FetchedExamples:
        """Return the examples that are here; the same again until they are learned."""
        examples = [
            (feed, feed.fetch(self._limits.get(name, _OF_A_CHALLENGER_AT_A_TIME)))
            for name, feed in self._feeds.items()
        ]
        return [(feed, messages) for feed, messages in examples if messages]

    def learn(self, examples: FetchedExamples) -> None:
        """Learn examples, and send the snapshots that are due."""
        for feed, messages in examples:
            feed.learn(messages)

    def publish_late(self, book: ModelBook) -> bool:
        """Send the snapshots that are late, and a promotion that is due; return whether any was."""
        if self._training is not None:
            self._trained = self._training.take() or self._trained
        sent = [feed.publish_late(book, self._trained) for feed in self._feeds.values()]
        return self._promote(book) or any(sent)

    def _train(self, *, is_wanted: bool) -> None:
        """Have trees trained while a model takes them, where LightGBM is installed."""
        if not is_wanted:
            if self._training is not None:
                self._training.close()
            self._training = self._trained = None
        elif self._training is None and self._can_train:
            self._training = TrainingProcess(self._settings, self._clients.clock)

    @cached_property
    def _can_train(self) -> bool:
        """Whether trees can be trained here; the log says what is missing, once."""
        if not can_train():
            logger.warning("no new trees, while the learners are here: %s", LightGBMMissingError())
        return can_train()

    def _promote(self, book: ModelBook) -> bool:
        """Promote a challenger if the rule says so; return whether it did."""
        champion = self._succession.due(book, self._feeds)
        if champion is None:
            return False
        logger.info("%s is promoted: it scores better than %s", champion.name, book.champion.name)
        self._producer.send(self._topics.models, [(CHAMPION_KEY, encode_control(champion))])
        return True
