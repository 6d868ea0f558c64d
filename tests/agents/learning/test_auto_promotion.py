"""Automatic promotion: when the rule holds, and only then."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from agents.learning.auto_promotion import Succession
from agents.learning.learner import LearnerStage
from agents.learning.learners import Learners
from agents.learning.model_registry import ModelBook
from agents.models.kinds import DEFAULT
from agents.models.prequential import Figures
from agents.settings.schema import Settings
from schemas.control import CHAMPION_KEY, Champion, Former, decode_champion, encode_control
from schemas.snapshot import Snapshot, encode_snapshot
from streams.kafka.topics import Topics
from tests.agents.learning.feeds import Clock, Log, Producer, example_log, examples, through_json

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = "forest"
NAMES = [DEFAULT, OTHER]
CHAMPION = Figures(100_000.0, 400.0, 0.9, 0.5, 0.0200, 0.003)
BETTER = Figures(99_000.0, 390.0, 0.9, 0.5, 0.0196, 0.003)


def learned(kind: str) -> Snapshot:
    stage = LearnerStage(None, 10_000, kind)
    stage.learn(examples(20, 5), range(20))
    return through_json(stage.snapshot())


SNAPSHOTS = {name: learned(name) for name in NAMES}


class Judged:
    """Figures by model, in place of those counted."""

    def __init__(self) -> None:
        self.figures = {DEFAULT: CHAMPION, OTHER: BETTER}
        self.asked = 0

    def of(self, snapshot: Snapshot) -> Figures:
        self.asked += 1
        return self.figures[snapshot.name]


@pytest.fixture
def judged() -> Iterator[Judged]:
    found = Judged()
    with patch("agents.learning.auto_promotion.figures_of", found.of):
        yield found


def book(champion: Champion | None = None) -> ModelBook:
    found = ModelBook()
    found.take((name.encode(), encode_snapshot(SNAPSHOTS[name])) for name in NAMES)
    if champion is not None:
        found.take([(CHAMPION_KEY, encode_control(champion))])
    return found


def test_a_challenger_that_scores_better_is_promoted(judged: Judged) -> None:
    promoted = Champion(OTHER, None, Former(DEFAULT, SNAPSHOTS[DEFAULT]))
    assert Succession(390).due(book(), NAMES) == promoted
    judged.figures = {DEFAULT: BETTER, OTHER: CHAMPION}
    back = Champion(DEFAULT, None, Former(OTHER, SNAPSHOTS[OTHER]))
    assert Succession(390).due(book(Champion(OTHER)), NAMES) == back


@pytest.mark.parametrize(
    ("champion", "challenger"),
    [
        ({}, {"log_loss": 0.0197}),
        ({}, {"average_precision": 0.4999}),
        ({}, {"average_precision": math.nan, "log_loss": math.nan}),
        ({}, {"frauds": 389.0}),
        ({"frauds": 389.0}, {}),
        ({}, {"charges": 89_000.0}),
        ({}, {"charges": 111_000.0}),
    ],
)
def test_what_the_rule_does_not_allow(
    judged: Judged, champion: dict[str, float], challenger: dict[str, float]
) -> None:
    judged.figures = {
        DEFAULT: CHAMPION._replace(**champion), OTHER: BETTER._replace(**challenger)
    }  # fmt: skip
    assert Succession(390).due(book(), NAMES) is None


@pytest.mark.usefixtures("judged")
def test_never_by_default_nor_while_the_champion_is_frozen() -> None:
    assert Succession(Settings().promote_after_frauds).due(book(), NAMES) is None
    frozen = book(Champion(DEFAULT, SNAPSHOTS[DEFAULT]))
    assert Succession(1).due(frozen, NAMES) is None
    assert Succession(1).due(ModelBook(), NAMES) is None


def test_snapshots_are_judged_once(judged: Judged) -> None:
    judged.figures[OTHER] = CHAMPION
    models, succession = book(), Succession(1)
    for _ in range(3):
        assert succession.due(models, NAMES) is None
    assert judged.asked == 2
    judged.figures[OTHER] = BETTER
    newer = replace(SNAPSHOTS[OTHER], version="newer")
    models.take([(OTHER.encode(), encode_snapshot(newer))])
    decided = succession.due(models, NAMES)
    assert decided is not None
    assert decided.name == OTHER


@pytest.mark.usefixtures("judged")
def test_the_worker_with_the_learners_publishes_it() -> None:
    models = Log((name.encode(), encode_snapshot(SNAPSHOTS[name])) for name in NAMES)
    producer, log = Producer(models), example_log(20, 5)
    settings = Settings(promote_after_frauds=100)
    learners = Learners(settings, Topics(), Clock().as_clients(), producer.as_producer(), {})
    with patch("agents.learning.learners.PartitionReader", log.reader):
        learners.run(NAMES, book())
        assert learners.publish_late(book()), "a promotion needs a commit"
        ((key, value),) = producer.sent
        assert key == CHAMPION_KEY
        assert decode_champion(value or b"").name == OTHER
        assert not learners.publish_late(book(decode_champion(value or b"")))
