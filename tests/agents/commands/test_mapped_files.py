"""Files of every ready shape, through `chargewatch backtest --map` and `publish --map`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch, publish
from streams.mapping.ready_mappings import ready_names
from tests.streams.mapping.made_files import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from streams.kafka.publisher import Event

KEY = {"CHARGEWATCH_MAPPING_KEY": "a key of these tests"}
SEED = 7


def run(command: str, *arguments: object, env: Mapping[str, str] = KEY) -> Result:
    words = [*command.split(), *map(str, arguments)]
    return CliRunner().invoke(chargewatch, words, env=dict(env))


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_every_ready_mapping_has_a_shape() -> None:
    assert sorted(SHAPES) == ready_names()


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_is_scored_and_its_frauds_are_known(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name](tmp_path, SEED)
    out, report = tmp_path / "s.jsonl", tmp_path / "report"
    result = run("backtest", *shape.paths, "--map", name, "--out", out, "--report", report)
    assert result.exit_code == 0, result.output
    metrics = orjson.loads((report / "metrics.json").read_bytes())
    assert metrics["charges"] == metrics["charges_scored"] == shape.charges, f"seed {SEED}"
    assert metrics["frauds"] == shape.frauds, f"seed {SEED}"
    assert metrics["files"] == [str(path) for path in shape.paths]
    assert metrics["mapping"] == name
    assert metrics["rejected"] == {}, result.output
    assert set(metrics["findings"]) <= {"card_number"}, metrics["findings"]
    assert KEY["CHARGEWATCH_MAPPING_KEY"].encode() not in out.read_bytes()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Event]]:
    """Take down what is published, in place of a Kafka."""
    taken: dict[str, list[Event]] = {}

    def take(_: object, batches: Iterable[Mapping[str, list[Event]]]) -> int:
        events = [(topic, each) for batch in batches for topic, each in batch.items()]
        for topic, each in events:
            taken.setdefault(topic, []).extend(each)
        return sum(len(each) for _, each in events)

    monkeypatch.setattr(publish, "connect", lambda *_: (None, {}))
    monkeypatch.setattr(publish, "publish_batches", take)
    return taken


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_is_published(tmp_path: Path, sent: dict[str, list[Event]], name: str) -> None:
    shape = SHAPES[name](tmp_path, SEED)
    charges, *labels = shape.paths
    result = run("publish", charges, "--map", name)
    assert result.exit_code == 0, result.output
    for file in labels:
        result = run("publish", file, "--map", name, "--charges", charges)
        assert result.exit_code == 0, result.output
    assert len(sent["charges"]) == shape.charges
    disputed = {orjson.loads(value)["charge"] for _, value in sent["disputes"]}
    assert len(disputed) == shape.frauds
    assert len(sent.get("outcomes", [])) == shape.outcomes
    keys = {orjson.loads(value)["id"]: key for key, value in sent["charges"]}
    for key, value in sent["disputes"] + sent.get("outcomes", []):
        assert key == keys[orjson.loads(value)["charge"]]
