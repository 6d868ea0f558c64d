"""A worker's models: who scores, and who in shadow, follows from the topic at once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pytest
from msgspec.structs import replace

from agents.learning.learner import LearnerStage
from agents.learning.model_follower import ModelFollower
from agents.models import linear
from agents.models.kinds import DEFAULT, scorer
from schemas.control import CHAMPION_KEY, Champion, Loaded, encode_control, loaded_key
from schemas.snapshot import Snapshot, encode_snapshot
from streams.features.entities import FEATURES
from streams.kafka.topics import Topics
from tests.agents.learning.feeds import Clock, Log, examples, through_json

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = linear.KIND
READY = 3000
VECTORS = np.ascontiguousarray(examples(50, 3)["vector"])


def learned(kind: str, count: int) -> Snapshot:
    stage = LearnerStage(None, 10_000, kind)
    stage.learn(examples(READY + 100, 5)[:count], range(count))
    return through_json(stage.snapshot())


YOUNG, FIRST, SECOND = learned(DEFAULT, 10), learned(DEFAULT, READY), learned(DEFAULT, READY + 100)
CHALLENGER = learned(OTHER, READY)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def models(log: Log) -> Iterator[ModelFollower]:
    with patch("agents.learning.model_follower.PartitionReader", log.reader):
        yield ModelFollower(Topics(), Clock().as_clients(), [OTHER])


def publish(log: Log, *records: Snapshot | Champion | Loaded) -> None:
    for record in records:
        if isinstance(record, Snapshot):
            log.records.append((record.name.encode(), encode_snapshot(record)))
        elif isinstance(record, Champion):
            log.records.append((CHAMPION_KEY, encode_control(record)))
        else:
            log.records.append((loaded_key(record.snapshot.name), encode_control(record)))


def scores(models: ModelFollower) -> dict[str, list[float]]:
    """Return the scores of the champion as `champion`, and of the others by name."""
    everyone = {"champion": models.scorer, **models.shadow}
    return {name: model.predict(VECTORS).tolist() for name, model in everyone.items()}


def expected(**snapshots: Snapshot | None) -> dict[str, list[float]]:
    return {
        name: scorer(snapshot, FEATURES).predict(VECTORS).tolist()
        for name, snapshot in snapshots.items()
    }


def test_the_prior_scores_until_a_model_is_ready(log: Log, models: ModelFollower) -> None:
    publish(log, YOUNG, learned(OTHER, 10))
    models.refresh()
    assert scores(models) == expected(champion=None)
    publish(log, FIRST, CHALLENGER)
    models.refresh()
    assert scores(models) == expected(champion=FIRST, **{OTHER: CHALLENGER})


def test_newer_snapshots_promotion_freezing_and_rollback(log: Log, models: ModelFollower) -> None:
    publish(log, FIRST, CHALLENGER)
    models.catch_up()
    publish(log, SECOND)
    models.refresh()
    assert scores(models) == expected(champion=SECOND, **{OTHER: CHALLENGER})
    publish(log, Champion(OTHER))
    models.refresh()
    assert scores(models) == expected(champion=CHALLENGER, **{DEFAULT: SECOND})
    assert models.names == [DEFAULT, OTHER]
    publish(log, Champion(DEFAULT, FIRST))
    models.refresh()
    assert scores(models) == expected(champion=FIRST, **{OTHER: CHALLENGER})
    publish(log, SECOND)
    models.refresh()
    assert scores(models)["champion"] == expected(champion=FIRST)["champion"]
    publish(log, Champion(DEFAULT))
    models.refresh()
    assert scores(models)["champion"] == expected(champion=SECOND)["champion"]


def test_a_loaded_model_scores_at_once(log: Log, models: ModelFollower) -> None:
    publish(log, FIRST, Loaded("0000000a", SECOND))
    models.refresh()
    assert scores(models) == expected(champion=SECOND)
    assert models.scorer.version == f"{DEFAULT}-0000000a-{SECOND.examples:010d}"


def test_models_of_other_features_score(log: Log, models: ModelFollower) -> None:
    """They were published by a version that had another feature in place of the first."""
    others = [
        replace(snapshot, features=("gone_by_now", *snapshot.features[1:]))
        for snapshot in (FIRST, CHALLENGER)
    ]
    publish(log, *others)
    models.refresh()
    before = scores(models)
    assert before.keys() == {"champion", OTHER}
    assert before != expected(champion=FIRST, **{OTHER: CHALLENGER})
    changed = VECTORS.copy()
    changed[:, 0] = np.linspace(-1e6, 1e6, len(changed))
    for name, model in {"champion": models.scorer, **models.shadow}.items():
        assert model.version != "prior"
        assert model.predict(changed).tolist() == before[name]


def test_a_champion_that_is_no_challenger_is_learned_all_the_same(log: Log) -> None:
    with patch("agents.learning.model_follower.PartitionReader", log.reader):
        alone = ModelFollower(Topics(), Clock().as_clients(), [])
    assert alone.names == [DEFAULT]
    publish(log, FIRST, CHALLENGER)
    alone.refresh()
    assert alone.shadow == {}
    publish(log, Champion(OTHER))
    alone.refresh()
    assert alone.names == [DEFAULT, OTHER]
    assert scores(alone) == expected(champion=CHALLENGER, **{DEFAULT: FIRST})


def test_the_age_is_that_of_the_snapshot_in_use(log: Log) -> None:
    clock = Clock()
    with patch("agents.learning.model_follower.PartitionReader", log.reader):
        models = ModelFollower(Topics(), clock.as_clients(), [OTHER])
    ages = []
    for record in (None, FIRST, CHALLENGER, None, SECOND, Champion(DEFAULT, SECOND), FIRST):
        clock.now += 10.0
        if record is not None:
            publish(log, record)
        models.refresh()
        ages.append(models.age_s)
    assert ages == [10.0, 0.0, 10.0, 20.0, 0.0, 0.0, 10.0]
