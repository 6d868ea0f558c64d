"""What earlier releases left behind: this version goes on from it as they would have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from agents.models.kinds import restored_learner, scorer
from agents.settings.schema import Settings
from agents.stages.tasks import TaskStages, bare_policy, new_task
from schemas.snapshot import decode_snapshot
from streams.features.entities import CARDS, FEATURE_NAMES, FEATURES, MERCHANTS
from streams.layouts.layout import FIRST
from streams.state import tables as state
from streams.state.store import MemoryStore
from streams.wire.examples import decode_examples
from streams.wire.frames import decode_frames
from tests.agents.stages.stages import Message, Recording
from tests.releases.contents import Contents, bytes_of, releases
from tests.releases.make import batches, count

if TYPE_CHECKING:
    from schemas.snapshot import Snapshot

TABLES = {
    CARDS.prefix, MERCHANTS.prefix, state.SEEN, state.PENDING, state.TIMERS, state.WAITING,
    state.META, state.DRIFT, state.DISPUTED, state.CHARGES,
}  # fmt: skip


def columns_of(contents: Contents) -> tuple[list[int], list[int]]:
    """Return where the features are, there and here, that both have."""
    names = contents.layout[0]["features"]
    both = [name for name in names if name in FEATURE_NAMES]
    return [names.index(name) for name in both], [FEATURE_NAMES.index(name) for name in both]


def models_of(contents: Contents) -> dict[str, Snapshot]:
    snapshots = [decode_snapshot(value or b"") for value in bytes_of(contents.models)]
    return {snapshot.name: snapshot for snapshot in snapshots}


def restored(contents: Contents) -> TaskStages:
    store = MemoryStore()
    changes = {key: value for key, value in map(bytes_of, contents.changelog) if key is not None}
    store.write(changes, [], 0)
    stages = new_task(0, store, Settings(**contents.settings[0])).stages
    assert isinstance(stages, TaskStages)
    return stages


@pytest.mark.parametrize("name", releases())
def test_every_table_holds_something(name: str) -> None:
    contents = Contents.read(name)
    latest = {key or b"": value for key, value in map(bytes_of, contents.changelog)}
    assert {key[:1] for key, value in latest.items() if value is not None} == TABLES
    assert contents.frames
    assert len(contents.examples) > 500


def test_the_layouts_of_the_first_release_are_those_it_wrote_down() -> None:
    records = Contents.read("0.1.0").layout[0]["records"]
    for name, layout in FIRST.items():
        told = {field: tuple(of) for field, of in records[name]["fields"].items()}
        if name == "frame":  # an event, and beside the rows the sizes of the texts
            events = records["event"]["fields"]
            told |= {f"event.{field}": tuple(of) for field, of in events.items()}
            told["text_bytes"] = ("<u4", [3], told.pop("event") and records[name]["bytes"])
        found = {field: (of.type, [*of.shape], of.place) for field, of in layout.fields.items()}
        assert found == told


@pytest.mark.parametrize("name", releases())
def test_state_and_frames_in_flight_are_gone_on_from(name: str) -> None:
    """Every charge is answered as the release did: all of its features, and the answer."""
    contents = Contents.read(name)
    stages = restored(contents)
    given = scorer(models_of(contents)["additive"], FEATURES)
    frames, _ = decode_frames([value or b"" for value in bytes_of(contents.frames)])
    inputs = []
    for topic, *key_and_value in contents.inputs:
        key, value = bytes_of(key_and_value)
        assert key is not None
        assert value is not None
        inputs.append(Message(topic, key, value))
    found: list[tuple[dict[str, Any], Any]] = []
    for part in (frames, *(count(stages, batch) for batch in batches(inputs))):
        recording = Recording(given)
        output = stages.merchant.process(part, recording, bare_policy(Settings()), lambda: 0.0)
        found += zip(map(orjson.loads, output.scored), recording.vectors, strict=True)
    there, here = columns_of(contents)
    assert len(found) == len(contents.answers) > 200
    for (event, vector), (told, wanted, _) in zip(found, contents.answers, strict=True):
        np.testing.assert_allclose(vector[here], np.array(wanted)[there], rtol=1e-5, atol=1e-6)
        # To the last digit only on the same processor.
        assert event.pop("score") == pytest.approx(told.pop("score"), rel=1e-6)
        assert abs(event.pop("risk") - told.pop("risk")) <= 1
        reasons, wanted_reasons = event.pop("reasons"), told.pop("reasons")
        assert {reason["feature"] for reason in reasons} == {
            reason["feature"] for reason in wanted_reasons
        }
        del event["scored_at"]
        if told.pop("decided_by", "model") == "model" and event.pop("decided_by") == "holdout":
            event["action"] = event.pop("holdout")["action"]
        assert event == told
    assert any("duplicate" in event for event, _ in found)


@pytest.mark.parametrize("name", releases())
def test_models_score_and_learn_on(name: str) -> None:
    contents = Contents.read(name)
    there, here = columns_of(contents)
    vectors = np.zeros((len(contents.answers), len(FEATURES)), np.float32)
    vectors[:, here] = np.array([wanted for _, wanted, _ in contents.answers])[:, there]
    examples = decode_examples([value or b"" for value in bytes_of(contents.examples)])
    for kind, snapshot in models_of(contents).items():
        scores = scorer(snapshot, FEATURES).predict(vectors)
        wanted = [scored[kind] for _, _, scored in contents.answers]
        np.testing.assert_allclose(scores, wanted, rtol=1e-6)
        learner = restored_learner(snapshot, FEATURES)
        learner.learn(
            examples["vector"], examples["label"].astype(bool), examples["weight"],
            examples["charged_at"], examples["stands_for"],
        )  # fmt: skip
        assert learner.snapshot(0).examples == snapshot.examples + len(examples)
