"""The list of models: who scores, how far each has come, and how well it has scored."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agents.learning import promotion as championship
from agents.learning.learner import LearnerStage
from agents.learning.model_registry import ModelBook
from agents.learning.model_table import entries, model_lines
from agents.models.kinds import DEFAULT
from agents.models.track_record import figures_of
from schemas.control import CHAMPION_KEY, Champion, Former, encode_control
from schemas.snapshot import Snapshot, encode_snapshot
from tests.agents.learning.feeds import examples, through_json

OTHER = "forest"
COUNT = 3000


@pytest.fixture(scope="module")
def snapshots() -> list[Snapshot]:
    found = []
    for kind, count in ((DEFAULT, COUNT), (OTHER, COUNT - 400)):
        stage = LearnerStage(None, 10_000, kind)
        stage.learn(examples(COUNT, 5)[:count], range(count))
        found.append(through_json(stage.snapshot()))
    return found


def book(snapshots: list[Snapshot], champion: Champion | None = None) -> ModelBook:
    found = ModelBook()
    found.take((snapshot.name.encode(), encode_snapshot(snapshot)) for snapshot in snapshots)
    if champion is not None:
        found.take([(CHAMPION_KEY, encode_control(champion))])
    return found


def test_nothing_is_published_yet() -> None:
    heads, row = model_lines(ModelBook())
    assert heads.split()[:4] == ["model", "role", "kind", "version"]
    assert row.split() == [DEFAULT, "champion", "prior"]


def test_champion_and_challenger(snapshots: list[Snapshot]) -> None:
    _, first, second = model_lines(book(snapshots))
    default, other = snapshots
    figures = figures_of(default)
    assert 0.6 < figures.auc_roc < 1.0
    assert first.split() == [
        *(DEFAULT, "champion", DEFAULT, default.version, "3,000", *first.split()[5:7], "0.0"),
        *(f"{figures.charges:,.0f}", f"{figures.frauds:,.0f}"),
        *(f"{figure:.4f}" for figure in figures[2:]),
    ]
    assert second.split()[:5] == [OTHER, "challenger", OTHER, other.version, "2,600"]
    behind = (default.created - other.created) / 86_400.0
    assert second.split()[7] == f"{behind:.1f}" != "0.0"


def test_a_young_model_has_no_figures_yet(snapshots: list[Snapshot]) -> None:
    stage = LearnerStage(None, 10_000)
    stage.learn(examples(10, 5), range(10))
    _, row, _ = model_lines(book([stage.snapshot(), snapshots[1]]))
    assert row.split()[-2:] == ["0", "0"]


def test_a_model_of_an_earlier_version_is_listed_without_figures(
    snapshots: list[Snapshot],
) -> None:
    _, _, row = model_lines(book([snapshots[0], replace(snapshots[1], state={})]))
    assert row.split()[:5] == [OTHER, "challenger", OTHER, snapshots[1].version, "2,600"]
    assert len(row.split()) == 8


def test_a_frozen_champion_and_what_its_learner_has_reached(snapshots: list[Snapshot]) -> None:
    default, other = snapshots
    early = replace(default, version="early")
    frozen = book(snapshots, Champion(DEFAULT, early, Former(OTHER, other)))
    assert [(entry.name, entry.role, entry.snapshot) for entry in entries(frozen)] == [
        (DEFAULT, "champion, frozen", early),
        (DEFAULT, "learns on", default),
        (OTHER, "challenger", other),
    ]
    *_, last = model_lines(frozen)
    assert last == f"Before it scored {OTHER}, at {other.version} (`chargewatch models rollback`)."


def test_a_promoted_model_comes_first(snapshots: list[Snapshot]) -> None:
    promoted = book(snapshots, championship.promote(book(snapshots), OTHER))
    assert [entry.role for entry in entries(promoted)] == ["champion", "challenger"]
    assert entries(promoted)[0].name == OTHER
