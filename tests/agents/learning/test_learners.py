"""Learners between the topics: each example counts once for each model, through takeovers."""

from __future__ import annotations

from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from agents.learning.learner import LearnerStage
from agents.learning.learners import Learners
from agents.learning.model_registry import ModelBook, as_loaded
from agents.models.kinds import DEFAULT
from agents.settings.schema import Settings
from schemas.control import Loaded, encode_control, loaded_key
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.kafka.topics import Topics
from streams.wire.examples import decode_examples
from tests.agents.learning.feeds import Clock, Log, Producer, example_log, examples, through_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OTHER = "forest"
NAMES = [DEFAULT, OTHER]
SETTINGS = Settings(snapshot_every_examples=50, snapshot_every_s=1.0)
COUNT = 300


class Worker:
    """The learners of one worker, which may end at any time, and another goes on.

    Parameters
    ----------
    log
        The examples.
    models
        The topic of the models.
    names
        Of the models that learn.
    """

    def __init__(self, log: Log, models: Log, names: Sequence[str] = NAMES) -> None:
        self.clock = Clock()
        self.models = models
        self.producer = Producer(models)
        self.names = names
        self.learners = Learners(
            SETTINGS, Topics(), self.clock.as_clients(), self.producer.as_producer(), {}
        )
        self.log = log

    @property
    def book(self) -> ModelBook:
        """What is committed."""
        book = ModelBook()
        book.take(self.models.records)
        return book

    @contextmanager
    def following(self) -> Iterator[None]:
        with patch("agents.learning.learners.PartitionReader", self.log.reader):
            yield

    def turn(self, limit: int = 1000, of_a_challenger: int = 1000) -> None:
        """Take a turn, without the commit, of at most so many examples a model."""
        with (
            self.following(),
            patch("agents.learning.learners._EXAMPLES_AT_A_TIME", limit),
            patch("agents.learning.learners._OF_A_CHALLENGER_AT_A_TIME", of_a_challenger),
        ):
            self.learners.run(self.names, self.book)
            self.learners.learn(self.learners.fetch())
            self.learners.publish_late(self.book)

    def work_off(self) -> None:
        """Learn everything there is, and commit."""
        for _ in range(3):
            self.turn()
            self.producer.commit()
            self.clock.now += 2.0


def published(models: Log, name: str) -> list[bytes]:
    return [value for key, value in models.records if key == name.encode() and value is not None]


def undisturbed(log: Log, name: str, start: Snapshot | None = None) -> dict[int, bytes]:
    """Return the snapshot after each example that one learner alone would publish."""
    stage = LearnerStage(start, 10**9, name)
    snapshots = {}
    for offset in range(stage.offset, len(log.records)):
        stage.learn(decode_examples([log.records[offset][1] or b""]), [offset])
        snapshots[offset + 1] = encode_snapshot(stage.snapshot())
    return snapshots


def test_champion_and_challenger_learn_the_same_examples() -> None:
    log, models = example_log(COUNT, 1), Log()
    Worker(log, models).work_off()
    for name in NAMES:
        wanted = undisturbed(log, name)
        assert published(models, name) == [wanted[n] for n in range(50, COUNT + 1, 50)]


def test_a_challenger_takes_its_time() -> None:
    log, models = example_log(COUNT, 1), Log()
    worker = Worker(log, models)
    worker.turn(limit=200, of_a_challenger=50)
    worker.producer.commit()
    newest = {name: decode_snapshot(published(models, name)[-1]).offset for name in NAMES}
    assert newest == {DEFAULT: 200, OTHER: 50}


@pytest.mark.parametrize("seed", range(5))
def test_takeovers_and_lost_commits_change_nothing(seed: int) -> None:
    random = Random(seed)
    log, models = example_log(COUNT, seed), Log()
    worker = Worker(log, models)
    for _ in range(60):
        worker.turn(random.randint(1, 40), random.randint(1, 20))
        worker.clock.now += random.choice([0.0, 0.5, 2.0])
        event = random.random()
        if event < 0.5:
            worker.producer.commit()
        elif event < 0.7:
            worker.producer.lose()  # the transaction was aborted; the worker goes on
        elif event < 0.85:
            worker = Worker(log, models)  # it died, with whatever it had not committed
    worker.work_off()
    for name in NAMES:
        wanted = undisturbed(log, name)
        values = published(models, name)
        offsets = [decode_snapshot(value).offset for value in values]
        assert values == [wanted[offset] for offset in offsets]
        assert offsets == sorted(offsets)
        assert offsets[-1] == COUNT


def test_a_new_challenger_starts_from_the_oldest_example_that_is_there() -> None:
    log, models = example_log(COUNT, 2), Log()
    Worker(log, models, [DEFAULT]).work_off()
    log.oldest = 120
    champion = published(models, DEFAULT)
    Worker(log, models).work_off()
    assert published(models, DEFAULT) == champion
    challenger = decode_snapshot(published(models, OTHER)[-1])
    assert (challenger.examples, challenger.offset) == (COUNT - 120, COUNT)


def test_a_challenger_that_comes_back_goes_on_with_what_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, models = example_log(COUNT, 2), Log()
    part = Log(log.records[:100])
    Worker(part, models).work_off()
    log.oldest = 150
    Worker(log, models).work_off()
    newest = decode_snapshot(published(models, OTHER)[-1])
    assert (newest.examples, newest.offset) == (COUNT - 50, COUNT)
    assert "goes on at example 150: those from 100 on have been deleted" in caplog.text


def test_a_model_that_is_no_challenger_any_more_stops() -> None:
    log, models = example_log(COUNT, 2), Log()
    worker = Worker(log, models)
    worker.work_off()
    before = published(models, OTHER)
    worker.names = [DEFAULT]
    log.records += example_log(100, 3).records
    worker.work_off()
    assert published(models, OTHER) == before
    assert decode_snapshot(published(models, DEFAULT)[-1]).offset == COUNT + 100


def loaded(count: int) -> Loaded:
    stage = LearnerStage(None, 10**9, DEFAULT)
    stage.learn(examples(count, 9), range(count))
    return Loaded("0000000a", through_json(stage.snapshot()))


def load(models: Log, record: Loaded) -> None:
    models.records.append((loaded_key(record.snapshot.name), encode_control(record)))


def test_a_loaded_model_goes_on_at_the_next_example() -> None:
    log, models = Log(example_log(COUNT, 4).records[:130]), Log()
    worker = Worker(log, models)
    worker.work_off()
    before = {name: published(models, name) for name in NAMES}
    load(models, loaded(70))
    worker.turn()
    worker.producer.commit()
    (first,) = published(models, DEFAULT)[len(before[DEFAULT]) :]
    start = as_loaded(loaded(70), 130)
    assert decode_snapshot(first) == start
    assert published(models, OTHER) == before[OTHER]

    log.records += example_log(COUNT, 4).records[130:]
    worker.work_off()
    wanted = undisturbed(log, DEFAULT, start)
    after = published(models, DEFAULT)[len(before[DEFAULT]) + 1 :]
    assert after[0] == wanted[160]  # 70 of the file and 30 since: a hundred
    assert after == [wanted[decode_snapshot(value).offset] for value in after]
    versions = [decode_snapshot(value).version for value in published(models, DEFAULT)]
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize("seed", range(5))
def test_a_load_counts_once_through_takeovers_and_lost_commits(seed: int) -> None:
    random = Random(seed)
    log, models = example_log(COUNT, seed), Log()
    worker = Worker(log, models)
    for number in range(80):
        if number == 10:
            load(models, loaded(70))
        worker.turn(random.randint(1, 12), random.randint(1, 12))
        worker.clock.now += random.choice([0.0, 0.5, 2.0])
        event = random.random()
        if event < 0.4:
            worker.producer.commit()
        elif event < 0.6:
            worker.producer.lose()
        elif event < 0.8:
            worker = Worker(log, models)
    worker.work_off()
    snapshots = [decode_snapshot(value) for value in published(models, DEFAULT)]
    after = [snapshot for snapshot in snapshots if snapshot.loaded]
    assert {snapshot.loaded for snapshot in after} == {"0000000a"}
    assert snapshots[-len(after) :] == after, "it went back behind the loaded model"
    (began,) = {snapshot.loaded_at for snapshot in after}
    wanted = undisturbed(log, DEFAULT, as_loaded(loaded(70), began))
    for snapshot in after:
        if snapshot.offset > began:
            assert encode_snapshot(snapshot) == wanted[snapshot.offset]
    assert after[-1].offset == COUNT
    assert after[-1].examples == 70 + COUNT - began


def test_a_model_loaded_before_any_example_starts_from_the_first() -> None:
    log, models = example_log(100, 4), Log()
    load(models, loaded(70))
    Worker(log, models).work_off()
    newest = decode_snapshot(published(models, DEFAULT)[-1])
    assert (newest.loaded, newest.loaded_at, newest.examples) == ("0000000a", 0, 170)
