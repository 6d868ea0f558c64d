"""New trees between two examples: when a learner takes them, and what a takeover keeps of them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from agents.learning.learner import LearnerStage
from agents.models.kinds import KINDS
from schemas.snapshot import decode_snapshot, encode_snapshot
from streams.features.entities import FEATURES
from streams.wire.examples import decode_examples
from tests.agents.learning.feeds import Log, example_log, examples
from tests.agents.learning.test_learners import Worker, published
from tests.agents.models.boosting import trained_on
from tests.agents.models.examples import Examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.models.boosted.trainer import Trained

COUNT = 300


def trees(offset: int, seed: int) -> Trained:
    """Return trees that are said to have seen the examples below an offset."""
    rows = examples(1500, seed)
    columns = ("weight", "charged_at", "stands_for")
    taught = Examples(rows["vector"], rows["label"].astype(bool), *(rows[name] for name in columns))
    return trained_on(taught, FEATURES)._replace(offset=offset)


class Training:
    """Stands in for the process that trains."""

    running = 0
    ready: Trained | None = None

    def __init__(self, *_: Any) -> None:
        type(self).running += 1

    def take(self) -> Trained | None:
        taken, type(self).ready = type(self).ready, None
        return taken

    def close(self) -> None:
        type(self).running -= 1


@pytest.fixture
def training() -> Iterator[type[Training]]:
    with patch("agents.learning.learners.TrainingProcess", Training):
        Training.running, Training.ready = 0, None
        yield Training


@pytest.fixture(params=[kind for kind, of in KINDS.items() if of.is_boosted])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def follow(log: Log, value: bytes) -> dict[int, bytes]:
    """Return the snapshot after each example that one learner would publish from one on."""
    stage = LearnerStage(decode_snapshot(value), 10**9)
    snapshots = {stage.offset: encode_snapshot(stage.snapshot())}
    for offset in range(stage.offset, len(log.records)):
        stage.learn(decode_examples([log.records[offset][1] or b""]), [offset])
        snapshots[offset + 1] = encode_snapshot(stage.snapshot())
    return snapshots


@contextmanager
def learning(log: Log, models: Log, kind: str, upto: int) -> Iterator[Worker]:
    """Have a worker learn and commit the examples below an offset."""
    worker = Worker(Log(log.records[:upto]), models, [kind])
    worker.turn()
    worker.producer.commit()
    yield worker


def test_trees_wait_for_a_learner_that_is_behind_what_they_have_seen(
    kind: str, training: type[Training]
) -> None:
    log, models = example_log(COUNT, 1), Log()
    with learning(log, models, kind, 100) as worker:
        training.ready = trees(150, 1)
        worker.turn()
        worker.producer.commit()
        assert decode_snapshot(published(models, kind)[-1]).version.endswith(".0")
        worker.log.records = log.records
        worker.turn(of_a_challenger=80, limit=80)
        worker.producer.commit()
    newest = decode_snapshot(published(models, kind)[-1])
    assert (newest.version, newest.offset) == (f"{kind}-0000000180.1", 180)


def test_whoever_takes_over_goes_on_with_the_trees_byte_for_byte(
    kind: str, training: type[Training]
) -> None:
    log, models = example_log(COUNT, 2), Log()
    with learning(log, models, kind, 100) as worker:
        training.ready = trees(70, 2)
        worker.turn()
        worker.producer.commit()
    adopted = published(models, kind)[-1]
    assert decode_snapshot(adopted).offset == 100
    wanted = follow(log, adopted)
    Worker(log, models, [kind]).work_off()
    after = [v for v in published(models, kind) if decode_snapshot(v).offset >= 100]
    after = after[after.index(adopted) :]
    assert after == [wanted[decode_snapshot(value).offset] for value in after]
    assert decode_snapshot(after[-1]).offset == COUNT


def test_trees_of_a_lost_commit_are_published_again_or_were_never_there(
    kind: str, training: type[Training]
) -> None:
    log, models = example_log(COUNT, 3), Log()
    with learning(log, models, kind, 100) as worker:
        before = published(models, kind)
        training.ready = trees(70, 3)
        worker.turn()
        sent = list(worker.producer.sent)
        worker.producer.lose()
        worker.clock.now += 2.0
        worker.turn()
        assert worker.producer.sent == sent
        worker.producer.lose()  # and the worker dies
    wanted = follow(log, before[-1])
    Worker(log, models, [kind]).work_off()
    after = published(models, kind)[len(before) :]
    assert after == [wanted[decode_snapshot(value).offset] for value in after]


def test_trees_are_trained_while_a_model_takes_them(training: type[Training]) -> None:
    worker = Worker(example_log(COUNT, 4), Log(), ["additive"])
    worker.turn()
    assert training.running == 0
    worker.names = ["additive", "boosted", "blend"]
    worker.turn()
    worker.turn()
    assert training.running == 1
    worker.learners.stop()
    assert training.running == 0


def test_without_lightgbm_the_others_learn_and_the_log_says_what_is_missing(
    training: type[Training], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    models = Log()
    worker = Worker(example_log(COUNT, 5), models, ["additive", "blend"])
    worker.work_off()
    assert training.running == 0
    assert caplog.text.count("pip install '.[boosted]'") == 1
    assert all(
        decode_snapshot(published(models, kind)[-1]).offset == COUNT for kind in worker.names
    )
