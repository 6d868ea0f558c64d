"""Files of every ready shape, through `chargewatch backtest --map` and `publish --map`."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner, Result
from pyarrow.csv import read_csv

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


def without_clock(path: Path) -> list[dict[str, Any]]:
    return [{n: value for n, value in each.items() if n != "scored_at"} for each in lines(path)]


def scored(folder: Path, name: str, *arguments: object) -> dict[str, Any]:
    """Return the metrics of a backtest."""
    report = folder / "report"
    arguments = (*arguments, "--map", name, "--out", folder / "s.jsonl", "--report", report)
    result = run("backtest", *arguments)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = orjson.loads((report / "metrics.json").read_bytes())
    return told


def test_charges_and_disputes_may_be_in_one_file(tmp_path: Path) -> None:
    shape = SHAPES["stripe"](tmp_path, SEED)
    both = tmp_path / "both.jsonl"
    both.write_bytes(b"".join(path.read_bytes() for path in reversed(shape.paths)))
    told = scored(tmp_path, "stripe", both)
    assert (told["charges"], told["frauds"]) == (shape.charges, shape.frauds)
    assert told["rejected"] == {}


def test_own_disputes_are_read_as_they_are(tmp_path: Path) -> None:
    """Beside mapped charges, whose own labels count as well."""
    shape = SHAPES["paysim"](tmp_path, SEED)
    genuine = shape.paths[0].read_text(encoding="utf-8").splitlines()[1:]
    number = next(n for n, line in enumerate(genuine, 2) if line.split(",")[9] == "0")
    cells = genuine[number - 2].split(",")
    dispute = {
        "id": "d1", "charge": f"row_{number}", "card": cells[3], "merchant": cells[6],
        "created": 1_580_000_000 + 3_000_000, "reason": "fraudulent",
    }  # fmt: skip
    path = tmp_path / "disputes.jsonl"
    path.write_bytes(orjson.dumps(dispute))
    told = scored(tmp_path, "paysim", shape.paths[0], path)
    assert told["frauds"] == shape.frauds + 1


def test_actions_are_carried_out_on_a_mapped_file(tmp_path: Path) -> None:
    shape = SHAPES["ibm_tabformer"](tmp_path, SEED)
    told = scored(tmp_path, "ibm_tabformer", *shape.paths, "--closed-loop")
    assert told["closed_loop"]["open"]["frauds"] == shape.frauds


def test_other_layouts_give_the_same(tmp_path: Path) -> None:
    """Of Parquet the time is a timestamp, as programs write it."""
    shape = SHAPES["fraud_detection_handbook"](tmp_path, SEED)
    wanted = scored(tmp_path, shape.mapping, *shape.paths)
    scores = without_clock(tmp_path / "s.jsonl")
    plain = shape.paths[0].read_bytes()
    packed = {"gz": gzip.compress(plain), "zst": zstandard.ZstdCompressor().compress(plain)}
    paths = [tmp_path / f"handbook.csv.{ending}" for ending in packed]
    for path, content in zip(paths, packed.values(), strict=True):
        path.write_bytes(content)
    paths.append(tmp_path / "handbook.parquet")
    pq.write_table(read_csv(shape.paths[0]), paths[-1])
    for path in paths:
        told = scored(tmp_path, shape.mapping, path)
        assert told["frauds"] == wanted["frauds"], path
        assert without_clock(tmp_path / "s.jsonl") == scores, path


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
