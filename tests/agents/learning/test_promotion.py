"""Decisions about the models: what they publish, and what cannot be decided."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agents.learning import promotion as championship
from agents.learning.learner import LearnerStage
from agents.learning.model_registry import ModelBook
from agents.learning.promotion import DecisionError
from agents.models.kinds import DEFAULT
from schemas.control import CHAMPION_KEY, Champion, Former, encode_control
from schemas.snapshot import Snapshot, encode_snapshot
from tests.agents.learning.feeds import examples, through_json

OTHER = "forest"


def learned(kind: str, count: int) -> Snapshot:
    stage = LearnerStage(None, 10_000, kind)
    stage.learn(examples(count, 5), range(count))
    return through_json(stage.snapshot())


DEFAULT_1, DEFAULT_2, OTHER_1 = learned(DEFAULT, 20), learned(DEFAULT, 30), learned(OTHER, 20)


@pytest.fixture
def book() -> ModelBook:
    book = ModelBook()
    publish(book, DEFAULT_1, OTHER_1)
    return book


def publish(book: ModelBook, *snapshots: Snapshot) -> None:
    book.take((snapshot.name.encode(), encode_snapshot(snapshot)) for snapshot in snapshots)


def decide(book: ModelBook, champion: Champion) -> Champion:
    book.take([(CHAMPION_KEY, encode_control(champion))])
    return champion


def test_promote(book: ModelBook) -> None:
    decided = decide(book, championship.promote(book, OTHER))
    assert decided == Champion(OTHER, None, Former(DEFAULT, DEFAULT_1))
    assert book.scoring() == OTHER_1


def test_rollback_brings_the_champion_back_as_it_was_then(book: ModelBook) -> None:
    decide(book, championship.promote(book, OTHER))
    publish(book, DEFAULT_2)
    decided = decide(book, championship.roll_back(book))
    assert decided == Champion(DEFAULT, DEFAULT_1, Former(OTHER, OTHER_1))
    assert book.scoring() == DEFAULT_1
    decide(book, championship.unfreeze(book))
    assert book.scoring() == DEFAULT_2
    decide(book, championship.roll_back(book))
    assert book.scoring() == OTHER_1


def test_rollback_to_the_prior() -> None:
    empty = ModelBook()
    publish(empty, OTHER_1)
    decide(empty, championship.promote(empty, OTHER))
    decided = decide(empty, championship.roll_back(empty))
    assert decided == Champion(DEFAULT, None, Former(OTHER, OTHER_1))
    assert empty.scoring() is None


def test_freeze_and_unfreeze(book: ModelBook) -> None:
    decide(book, championship.freeze(book))
    publish(book, DEFAULT_2)
    assert book.scoring() == DEFAULT_1
    decide(book, championship.unfreeze(book))
    assert book.scoring() == DEFAULT_2


def test_a_frozen_champion_that_was_replaced_comes_back_frozen(book: ModelBook) -> None:
    decide(book, championship.freeze(book))
    publish(book, DEFAULT_2)
    decide(book, championship.promote(book, OTHER))
    decide(book, championship.roll_back(book))
    assert book.scoring() == DEFAULT_1


def test_load_names_each_load_anew() -> None:
    first, second = championship.load(DEFAULT_1), championship.load(DEFAULT_1)
    assert first.snapshot == DEFAULT_1
    assert first.id != second.id


def test_what_cannot_be_decided(book: ModelBook) -> None:
    with pytest.raises(DecisionError, match=rf"^{DEFAULT}: is the champion already$"):
        championship.promote(book, DEFAULT)
    with pytest.raises(DecisionError, match=rf"^oracle: .* there are {DEFAULT}, {OTHER}\."):
        championship.promote(book, "oracle")
    with pytest.raises(DecisionError, match="there are none yet"):
        championship.promote(ModelBook(), OTHER)
    with pytest.raises(DecisionError, match="nothing has been promoted yet"):
        championship.roll_back(book)
    with pytest.raises(DecisionError, match="has no snapshot to freeze yet"):
        championship.freeze(ModelBook())
    with pytest.raises(DecisionError, match="is not frozen"):
        championship.unfreeze(book)
    decide(book, championship.freeze(book))
    with pytest.raises(DecisionError, match=f"is frozen at {DEFAULT_1.version} already"):
        championship.freeze(book)
    with pytest.raises(DecisionError, match=r"champion already; `chargewatch models unfreeze`"):
        championship.promote(book, DEFAULT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "oracle"}, "is none of the models there are: .*additive.*linear"),
        ({"kind": "oracle"}, "does not fit this version .*unknown kind oracle.* learn it again"),
        ({"features": ("amount",)}, "does not fit this version .*malformed state.* learn it again"),
        ({"state": {}}, "does not fit this version .*malformed state"),
    ],
)
def test_a_model_that_does_not_fit_is_not_loaded(change: dict[str, object], message: str) -> None:
    with pytest.raises(DecisionError, match=message):
        championship.load(replace(DEFAULT_1, **change))


def test_a_model_of_other_features_is_loaded_and_promoted(book: ModelBook) -> None:
    other = replace(OTHER_1, features=("gone_by_now", *OTHER_1.features[1:]))
    assert championship.load(other).snapshot == other
    publish(book, other)
    assert championship.promote(book, OTHER).name == OTHER


def test_a_version_that_cannot_score_with_a_model_does_not_promote_it(book: ModelBook) -> None:
    publish(book, replace(OTHER_1, features=("amount",)))
    with pytest.raises(DecisionError, match="does not fit this version"):
        championship.promote(book, OTHER)
