"""The learner: its snapshots depend on the examples alone, and it goes on from any of them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.learning.learner import LearnerStage
from agents.models.kinds import DEFAULT, restored_learner, scorer
from agents.models.protocols import SnapshotMismatchError
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.features.entities import FEATURE_NAMES, FEATURES
from streams.wire.examples import EXAMPLE_LAYOUT

if TYPE_CHECKING:
    from streams.events.rows import Rows

EVERY = 70
COUNT = 1500


@pytest.fixture(scope="module")
def examples() -> Rows:
    rng = np.random.default_rng(6)
    rows = EXAMPLE_LAYOUT.new(COUNT)
    rows["label"] = rng.random(COUNT) < 0.1
    rows["weight"] = np.where(rows["label"] == 1, 1.0, 10.0)
    rows["charged_at"] = 1.7e9 + np.sort(rng.uniform(0.0, 20 * 86_400.0, COUNT))
    rows["vector"] = rng.normal(2.0, 1.0, (COUNT, len(FEATURES))) + rows["label"][:, None] * 0.3
    return rows


@pytest.fixture(scope="module")
def offsets() -> list[int]:
    """Offsets with gaps, as transactions leave them."""
    rng = np.random.default_rng(7)
    offsets: list[int] = np.cumsum(rng.integers(1, 4, COUNT)).tolist()
    return offsets


def through_json(snapshot: Snapshot) -> Snapshot:
    return decode_snapshot(encode_snapshot(snapshot))


def learned(
    examples: Rows, offsets: list[int], seed: int | None = None, every: int = EVERY
) -> list[bytes]:
    """Learn in random batches, or in one, and return every snapshot that was due."""
    random = Random(seed)
    stage, due, start = LearnerStage(None, every), list[bytes](), 0
    while start < len(examples):
        stop = len(examples) if seed is None else start + random.randint(1, 200)
        snapshots = stage.learn(examples[start:stop], offsets[start:stop])
        due.extend(encode_snapshot(snapshot) for snapshot in snapshots)
        start = stop
    return due


def test_a_snapshot_is_due_after_every_so_many_examples(examples: Rows, offsets: list[int]) -> None:
    snapshots = [decode_snapshot(value) for value in learned(examples, offsets)]
    counts = list(range(EVERY, COUNT + 1, EVERY))
    assert [snapshot.examples for snapshot in snapshots] == counts
    assert [snapshot.offset for snapshot in snapshots] == [offsets[n - 1] + 1 for n in counts]
    assert len({snapshot.version for snapshot in snapshots}) == len(counts)
    for count, snapshot in zip(counts, snapshots, strict=True):
        assert snapshot.name == DEFAULT
        assert snapshot.features == FEATURE_NAMES
        assert snapshot.created == examples["charged_at"][:count].max()


@pytest.mark.parametrize("seed", range(3))
def test_snapshots_depend_on_the_examples_alone(
    examples: Rows, offsets: list[int], seed: int
) -> None:
    assert learned(examples, offsets, seed) == learned(examples, offsets)


@pytest.mark.parametrize("cut", [1, 69, 70, 700, 1111])
def test_it_goes_on_from_a_snapshot_as_if_undisturbed(
    examples: Rows, offsets: list[int], cut: int
) -> None:
    """Even from one that came because examples were few, between two that were due."""
    undisturbed = learned(examples, offsets)
    first = LearnerStage(None, EVERY)
    due = [encode_snapshot(s) for s in first.learn(examples[:cut], offsets[:cut])]
    restored = LearnerStage(through_json(first.snapshot()), EVERY)
    assert restored.offset == offsets[cut - 1] + 1
    due += [encode_snapshot(s) for s in restored.learn(examples[cut:], offsets[cut:])]
    assert due == undisturbed


def test_what_was_learned_after_the_snapshot_is_learned_again(
    examples: Rows, offsets: list[int]
) -> None:
    """A learner that dies between two snapshots leaves no trace of what it learned since."""
    undisturbed = learned(examples, offsets)
    dying = LearnerStage(None, EVERY)
    published = dying.learn(examples[:500], offsets[:500])[-1]
    heir = LearnerStage(through_json(published), EVERY)
    start = next(i for i, offset in enumerate(offsets) if offset >= published.offset)
    assert start == 490
    due = heir.learn(examples[start:], offsets[start:])
    assert [encode_snapshot(s) for s in due] == undisturbed[7:]


def test_a_snapshot_scores_the_features_that_the_stages_compute(
    examples: Rows, offsets: list[int]
) -> None:
    stage = LearnerStage(None, EVERY)
    stage.learn(examples, offsets)
    snapshot = through_json(stage.snapshot())
    model = scorer(snapshot, FEATURES)
    assert model.version == snapshot.version
    probabilities = model.predict(np.ascontiguousarray(examples["vector"]))
    frauds = examples["label"] == 1
    assert probabilities[frauds].mean() > 2.0 * probabilities[~frauds].mean()


def test_a_snapshot_of_an_unknown_kind_is_refused(examples: Rows, offsets: list[int]) -> None:
    stage = LearnerStage(None, EVERY)
    (snapshot,) = stage.learn(examples[:EVERY], offsets[:EVERY])
    unknown = Snapshot(**{
        name: getattr(snapshot, name) for name in Snapshot.__struct_fields__
    } | {"kind": "oracle"})  # fmt: skip
    with pytest.raises(SnapshotMismatchError, match="unknown kind oracle"):
        restored_learner(unknown, FEATURES)
    with pytest.raises(SnapshotMismatchError, match="unknown kind oracle"):
        LearnerStage(unknown, EVERY)
