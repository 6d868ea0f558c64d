"""`chargewatch state` as a user meets it: what it prints, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from agents.stages.tasks import STATE_FORMS
from streams.features.entities import MERCHANTS
from streams.state.rocksdb import RocksStore
from tests.agents.inspection.states import TOLD, mixed, present

if TYPE_CHECKING:
    from pathlib import Path

IN_FILES = "a worker that runs has its newest commits in memory alone.\n"


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    directory = tmp_path / "test-chargewatch"
    directory.mkdir()
    present(directory / "0")
    mixed(directory / "11")
    return directory


def invoke(tasks: Path, *arguments: str) -> Result:
    env = {"CHARGEWATCH_TOPIC_PREFIX": "test-", "CHARGEWATCH_STATE_DIR": str(tasks.parent)}
    return CliRunner().invoke(chargewatch, ["state", *arguments], env=env)


def break_one(path: Path) -> None:
    store = RocksStore(path, *STATE_FORMS)
    store.write({MERCHANTS.prefix + b"shop\x1b[2J": b"torn"}, [], 10**6)
    store.close()


def test_show(tasks: Path) -> None:
    result = invoke(tasks, "show")
    assert result.exit_code == 0
    first, positions, times, *_ = result.output.splitlines()
    assert first.startswith("Task 0: form named (this version's), changelog offset ")
    assert positions == "  positions: charges 1,200, disputes 34, outcomes 5, by_merchant 1,234"
    assert "newest charge scored 2026-01-" in times
    rows = [line.split() for line in result.output.splitlines()]
    assert [row[0] for row in rows if row[1:2] == ["26"]].count("cards") == 2
    assert ["no", "head", "9", "the", "first", "release"] in [row[1:] for row in rows]
    assert result.output.endswith(IN_FILES)


def test_show_as_json(tasks: Path) -> None:
    result = invoke(tasks, "show", "--json")
    assert result.exit_code == 0
    assert result.output.count("\n") == 1
    told = orjson.loads(result.output)
    assert [of_task["task"] for of_task in told] == [0, 11]
    assert [of_task["positions"] for of_task in told] == [TOLD, TOLD]
    assert len(told[1]["tables"]["pending"]["layouts"]) == 2


def test_check_of_a_sound_state(tasks: Path) -> None:
    result = invoke(tasks, "check")
    assert result.exit_code == 0, result.output
    assert result.output.count("records, all can be read") == 2
    assert "of the first release (no head)" in result.output
    assert result.output.endswith(IN_FILES)


def test_check_names_what_cannot_be_read_and_what_to_do(tasks: Path) -> None:
    break_one(tasks / "11")
    result = invoke(tasks, "check")
    assert result.exit_code == 1
    [line] = [line for line in result.output.splitlines() if line.startswith("Task 11, ")]
    assert line == (
        r"Task 11, merchants: 1 record under shop\x1b[2J: the record is not of the size that its "
        "layout says; stop its worker and remove the directory of the task: it is rebuilt from "
        "Kafka"
    )
    assert invoke(tasks, "show").exit_code == 0


@pytest.mark.parametrize("verb", ["show", "check"])
def test_a_task_that_cannot_be_looked_at_hides_no_other(verb: str, tasks: Path) -> None:
    store = RocksStore(tasks / "3", "another")
    store.write({b"\x01a": b""}, [], 1)
    store.close()
    result = invoke(tasks, verb)
    assert result.exit_code == 1
    assert f"Task 3: the state in {tasks / '3'} was written by another version" in result.output
    assert "Task 11: " in result.output


def test_show_as_json_tells_what_cannot_be_looked_at(tasks: Path) -> None:
    (tasks / "12").mkdir()
    result = invoke(tasks, "show", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.output)[2]["problem"].startswith("there is no database in ")


@pytest.mark.parametrize("verb", ["show", "check"])
def test_no_state(verb: str, tmp_path: Path) -> None:
    result = invoke(tmp_path / "test-chargewatch", verb)
    assert result.exit_code == 1
    assert result.output == (
        f"Error: {tmp_path / 'test-chargewatch'}: No such file or directory; give the --state-dir, "
        "--topic-prefix and --application-id of the workers\n"
    )
