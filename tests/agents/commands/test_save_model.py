"""Models in files: `chargewatch backtest --save-model` writes all that was learned."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest
from click.testing import CliRunner, Result

from agents.backtest.backtest import Backtest
from agents.backtest.replay import Replay
from agents.commands import chargewatch
from agents.learning.learner import LearnerStage
from agents.settings.schema import Settings
from agents.terminal.model_files import read_model, write_model
from schemas.snapshot import encode_snapshot
from streams.events.files import FileError, write_events
from streams.simulator import Simulation

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.snapshot import Snapshot

HORIZON_DAYS = 1.0


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    simulation = Simulation(
        seed=2, cards=60, merchants=15, days=6, charges_per_day=150, fraud_rate=0.06,
        dispute_delay_scale=0.05,
    )  # fmt: skip
    directory = tmp_path_factory.mktemp("inputs")
    lines: dict[str, list[bytes]] = {"charges": [], "disputes": []}
    for event in simulation.events():
        lines[event.topic].append(orjson.dumps(event.value))
    for topic, events in lines.items():
        write_events(directory / f"{topic}.jsonl", events)
    return directory


def backtest(inputs: Path, saved: Path, *files: str) -> Result:
    arguments = [
        *(str(inputs / file) for file in files),
        *("--out", str(inputs / "scores.jsonl"), "--label-horizon", str(HORIZON_DAYS)),
        *("--save-model", str(saved)),
    ]
    return CliRunner().invoke(chargewatch, ["backtest", *arguments])


def learned_from(inputs: Path) -> Snapshot:
    """Learn every example that the stages give, in one go."""
    replay = Replay(inputs / "charges.jsonl", inputs / "disputes.jsonl", inf)
    assert list(replay.survey())
    stages = Backtest(Settings(label_horizon_days=HORIZON_DAYS), lambda: 0.0)
    steps = [step for part in replay.parts() for step in stages.run(part.events)]
    examples = np.concatenate([step.output.examples for step in [*steps, *stages.end()]])
    learner = LearnerStage(None, 10**9)
    learner.learn(examples, range(len(examples)))
    return learner.snapshot()


def test_it_holds_all_that_was_learned(inputs: Path, tmp_path: Path) -> None:
    saved = tmp_path / "model.json"
    result = backtest(inputs, saved, "charges.jsonl", "disputes.jsonl")
    assert result.exit_code == 0, result.output
    wanted = learned_from(inputs)
    assert saved.read_bytes() == encode_snapshot(wanted)
    assert wanted.examples % Settings().snapshot_every_examples != 0
    assert f"Model: {saved}, {wanted.version}\n" in result.output
    assert read_model(saved) == wanted


def test_without_a_label_there_is_nothing_to_save(inputs: Path, tmp_path: Path) -> None:
    (inputs / "few.jsonl").write_bytes((inputs / "charges.jsonl").read_bytes().split(b"\n")[0])
    saved = tmp_path / "model.json"
    result = backtest(inputs, saved, "few.jsonl")
    assert result.exit_code == 1
    assert result.output.endswith(
        f"Error: {saved}: not written, as no label has come: nothing was learned\n"
    )
    assert not saved.exists()


def test_a_file_that_cannot_be_written_stops_it_before_it_begins(inputs: Path) -> None:
    saved = inputs / "nowhere" / "model.json"
    result = backtest(inputs, saved, "charges.jsonl")
    assert result.exit_code == 1
    assert result.output == f"Error: {saved}: there is no directory {inputs / 'nowhere'}\n"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"id":"ch_1","amount":1999}\n'])
def test_a_file_that_holds_no_model(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(content)
    with pytest.raises(FileError, match=r"model.json: holds no model \(.*--save-model"):
        read_model(file)


def test_files_that_are_not_there(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"model.json: No such file"):
        read_model(tmp_path / "model.json")
    with pytest.raises(FileError, match="Is a directory"):
        write_model(tmp_path, learned_from(inputs))
