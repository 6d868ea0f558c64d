"""`chargewatch backtest` as a user meets it; its metrics against slow ones from what it wrote."""

from __future__ import annotations

import gzip
import itertools
import math
import random
import subprocess
import sys
from bisect import bisect_right
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import zstandard
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from agents.models.kinds import DEFAULT
from schemas.currency import bundled_rates
from schemas.scored import Scored
from streams.events.files import write_events
from streams.simulator import Simulation
from tests.schemas.events import CHARGE, encoded

DAY_S = 86_400.0
START = 1_700_006_400.0  # 2023-11-15
FROM, TO = "2023-11-18", "2023-11-23T12:00"
FROM_S, TO_S = START + 3 * DAY_S, START + 8.5 * DAY_S
BAD = {
    b"no JSON": "json",
    b'{"id":"c","created":1,"amount":-5,"currency":"usd","card":"k","merchant":"m"}': "range",
    b'{"id":"c","created":1,"amount":5,"currency":"usd","card":"4242424242424242",'
    b'"merchant":"m"}': "card_number",
}
ORPHAN = orjson.dumps(
    {
        "id": "dp_0",
        "charge": "ch_never",
        "card": "card_0",
        "merchant": "m",
        "created": START + DAY_S,
        "reason": "fraudulent",
    }
)

Event = dict[str, Any]


def invoke(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(chargewatch, ["backtest", *map(str, arguments)], env=env)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with charges.jsonl, disputes.jsonl.gz, and charges.parquet of the same."""
    simulation = Simulation(
        seed=5,
        cards=90,
        merchants=25,
        start=START,
        days=10,
        charges_per_day=200,
        fraud_rate=0.08,
        dispute_delay_scale=0.05,
        duplicate_share=0.02,
        late_share=0.1,
    )
    lines: dict[str, list[bytes]] = {"charges": [], "disputes": []}
    for event in simulation.events():
        lines[event.topic].append(orjson.dumps(event.value))
    directory = tmp_path_factory.mktemp("inputs")
    write_events(directory / "charges.parquet", lines["charges"])
    rng = random.Random(5)
    for bad in BAD:
        lines["charges"].insert(rng.randrange(len(lines["charges"])), bad)
    lines["disputes"].insert(0, ORPHAN)
    write_events(directory / "charges.jsonl", lines["charges"])
    write_events(directory / "disputes.jsonl.gz", lines["disputes"])
    return directory


@pytest.fixture(scope="module")
def run(inputs: Path) -> tuple[Result, Path]:
    """Return the result of a backtest of all that, and the directory of what it wrote."""
    out = inputs / "out"
    result = invoke(
        inputs / "charges.jsonl",
        inputs / "disputes.jsonl.gz",
        *("--out", inputs / "scores.jsonl", "--report", out),
        *("--label-horizon", "1", "--from", FROM, "--to", TO),
        env={"CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "20", "CHARGEWATCH_NEGATIVE_RATE": "1"},
    )
    assert result.exit_code == 0, result.output
    return result, out


def events_in(path: Path) -> list[Event]:
    text = path.read_bytes()
    return list(
        map(orjson.loads, (gzip.decompress(text) if path.suffix == ".gz" else text).splitlines())
    )


def valid_charges(inputs: Path) -> list[Event]:
    lines = (inputs / "charges.jsonl").read_bytes().splitlines()
    return [orjson.loads(line) for line in lines if line not in BAD]


def counted(inputs: Path) -> list[tuple[Event, bool]]:
    """Return each scored event of the period that counts, and whether it was a fraud."""
    frauds = {
        (dispute["card"], dispute["charge"])
        for dispute in events_in(inputs / "disputes.jsonl.gz")
        if dispute["reason"] == "fraudulent"
    }
    return [
        (event, (event["card"], event["charge"]) in frauds)
        for event in events_in(inputs / "scores.jsonl")
        if FROM_S <= event["created"] < TO_S and not event.get("duplicate")
    ]


@pytest.mark.usefixtures("run")
def test_every_valid_charge_is_scored_once_in_the_order_of_time(inputs: Path) -> None:
    scored = events_in(inputs / "scores.jsonl")
    charges = sorted(valid_charges(inputs), key=lambda charge: charge["created"])
    assert [event["created"] for event in scored] == [charge["created"] for charge in charges]
    for event, charge in zip(scored, charges, strict=True):
        assert event["charge"] == charge["id"]
        assert event["amount"] == charge["amount"]
        msgspec.convert(event, Scored)
    ids = [charge["id"] for charge in charges]
    duplicates = len(ids) - len(set(ids))
    assert duplicates > 10
    assert sum(event.get("duplicate", False) for event in scored) == duplicates
    assert len({event["model"] for event in scored}) > 5


def test_metrics_are_those_of_what_was_written(inputs: Path, run: tuple[Result, Path]) -> None:
    metrics = orjson.loads((run[1] / "metrics.json").read_bytes())
    rows = [(event["score"], fraud) for event, fraud in counted(inputs)]
    frauds = [score for score, fraud in rows if fraud]
    genuine = [score for score, fraud in rows if not fraud]
    assert len(frauds) > 30
    assert metrics["charges"] == len(rows)
    assert metrics["frauds"] == len(frauds)
    wins = sum(
        1.0 if bad > good else 0.5 if bad == good else 0.0
        for bad, good in itertools.product(frauds, genuine)
    )
    assert metrics["auc_roc"] == pytest.approx(wins / len(frauds) / len(genuine))
    precision, recall = 0.0, 0.0
    for threshold in sorted({score for score, _ in rows}, reverse=True):
        flagged = [fraud for score, fraud in rows if score >= threshold]
        precision += (sum(flagged) / len(frauds) - recall) * sum(flagged) / len(flagged)
        recall = sum(flagged) / len(frauds)
    assert metrics["average_precision"] == pytest.approx(precision)
    brier = sum((score - fraud) ** 2 for score, fraud in rows) / len(rows)
    assert metrics["brier"] == pytest.approx(brier)
    assert metrics["card_precision_at_100"] == pytest.approx(card_precision(counted(inputs)))


def card_precision(rows: list[tuple[Event, bool]]) -> float:
    """Compute it from its definition; of fewer than 100 cards all are looked at."""
    by_day: dict[int, dict[str, bool]] = defaultdict(dict)
    for event, fraud in rows:
        today = by_day[int(event["created"] // DAY_S)]
        today[event["card"]] = today.get(event["card"], False) or fraud
    found: set[str] = set()
    shares = []
    for _, cards in sorted(by_day.items()):
        looked_at = {card for card in cards if card not in found}
        assert len(looked_at) <= 100
        hits = {card for card in looked_at if cards[card]}
        shares.append(len(hits) / 100)
        found |= hits
    return sum(shares) / len(shares)


def test_metrics_by_day_and_action_add_up(inputs: Path, run: tuple[Result, Path]) -> None:
    metrics = orjson.loads((run[1] / "metrics.json").read_bytes())
    rows = counted(inputs)
    for name, action in metrics["actions"].items():
        chosen = [fraud for event, fraud in rows if event["action"] == name]
        assert (action["charges"], action["frauds"]) == (len(chosen), sum(chosen))
    assert [day["day"] for day in metrics["by_day"]] == [f"2023-11-{day}" for day in range(18, 24)]
    assert sum(day["charges"] for day in metrics["by_day"]) == len(rows)
    for parts in metrics["by_segment"].values():
        assert sum(part["charges"] for part in parts.values()) == len(rows)


def test_facts_of_the_run(inputs: Path, run: tuple[Result, Path]) -> None:
    result, out = run
    metrics = orjson.loads((out / "metrics.json").read_bytes())
    scored = valid_charges(inputs)
    assert metrics["charges_scored"] == len(scored)
    assert metrics["duplicates"] == len(scored) - len({charge["id"] for charge in scored})
    assert metrics["charges_per_second"] == pytest.approx(len(scored) / metrics["seconds"])
    assert 50 < metrics["peak_rss_mb"] < 10_000
    assert metrics["label_horizon_days"] == 1.0
    assert metrics["model"].startswith(f"{DEFAULT}-")
    disputes = events_in(inputs / "disputes.jsonl.gz")
    newest = max(event["created"] for event in [*scored, *disputes])
    rows = counted(inputs)
    assert metrics["still_disputable"] == sum(
        event["created"] > newest - DAY_S for event, _ in rows
    )
    assert f"{metrics['average_precision']:.3f}" in result.output
    assert str(out / "report.html") in result.output
    assert (out / "report.html").read_text(encoding="utf-8").endswith("</html>\n")


def test_peak_memory_is_that_of_the_run_alone(inputs: Path, tmp_path: Path) -> None:
    """A process that is started by a large one is not charged for it."""
    large = bytearray(700 << 20)
    large[:: 1 << 12] = b"x" * (len(large) >> 12)
    arguments = [inputs / "charges.parquet", "--out", tmp_path / "s.jsonl", "--report", tmp_path]
    command = [sys.executable, "-m", "agents", "backtest", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[3])
    metrics = orjson.loads((tmp_path / "metrics.json").read_bytes())
    assert 50 < metrics["peak_rss_mb"] < len(large) / 2**20


def test_rejected_inputs_are_counted_and_listed(inputs: Path, run: tuple[Result, Path]) -> None:
    result, out = run
    metrics = orjson.loads((out / "metrics.json").read_bytes())
    assert metrics["rejected"] == dict.fromkeys([*BAD.values(), "unknown_charge"], 1)
    lines = (inputs / "charges.jsonl").read_bytes().splitlines()
    listed = {entry["reason"]: entry for entry in events_in(out / "rejected.jsonl")}
    for bad, reason in BAD.items():
        entry = listed.pop(reason)
        assert entry["file"] == str(inputs / "charges.jsonl")
        assert entry["event"] == lines.index(bad) + 1
        masked = bad.replace(b"4242424242424242", b"*" * 16)
        assert entry["value"].encode() == masked
        assert f"{entry['file']}, event {entry['event']}: {entry['error']}" in result.output
    assert listed.pop("unknown_charge")["event"] == 1
    assert listed == {}
    assert "4242424242424242" not in result.output
    assert f"4 inputs rejected, listed in {out / 'rejected.jsonl'}:" in result.output


def test_findings_are_told(tmp_path: Path) -> None:
    number = "4242424242424242"
    odd: list[Event] = [
        {"amount": 0},
        {"amount": 0, "funding": "unknown", "mcc": "x"},
        {"amount": 0, "funding": "loan", "email": number},
        {"note": number, "other": [int(number)]},
        {"id": number, "currency": "USD", "card_country": "us"},
    ]
    charges = [
        {"id": f"ch_{number}", "created": START + number, "amount": 1999, "currency": "usd"}
        | {"card": "card_0", "merchant": "m"} | change
        for number, change in enumerate(odd)
    ]  # fmt: skip
    write_events(tmp_path / "charges.jsonl", map(orjson.dumps, charges))
    disputes = [
        {"id": "dp_0", "charge": charge["id"], "card": "card_0", "merchant": "m"}
        | {"created": START + DAY_S, "reason": "fraudulent"}
        for charge in (charges[0], charges[4])
    ]
    write_events(tmp_path / "disputes.jsonl", map(orjson.dumps, disputes))
    out = tmp_path / "scores.jsonl"
    result = invoke(
        *(tmp_path / "charges.jsonl", tmp_path / "disputes.jsonl", "--out", out),
        *("--report", tmp_path / "report"),
    )
    assert result.exit_code == 0, result.output
    scored = events_in(out)
    assert [event.get("ignored") for event in scored] == [
        None, ["mcc", "funding"], ["funding"], None, None
    ]  # fmt: skip
    assert [event.get("masked") for event in scored] == [
        None, None, ["email"], ["note", "other"], None
    ]  # fmt: skip
    assert [event["currency"] for event in scored] == ["usd"] * 5
    assert number not in str([event for event in scored if event["charge"] != number])
    # A verification costs nothing to refuse by its amount, and is not refused for that.
    assert scored[0]["action"] == "allow"
    metrics = orjson.loads((tmp_path / "report" / "metrics.json").read_bytes())
    assert metrics["frauds"] == 2
    assert metrics["findings"] == {
        "ignored": {"funding": 2, "mcc": 1},
        "masked": {"other": 2, "email": 1},
        "card_number": {"id": 1, "charge": 1},
    }
    assert "Fields ignored: funding 2, mcc 1\n" in result.output
    assert "Card numbers masked: other 2, email 1\n" in result.output
    assert "Fields that look like card numbers: id 1, charge 1\n" in result.output


def test_other_kinds_of_files_give_the_same_scores(inputs: Path, tmp_path: Path) -> None:
    options = ("--label-horizon", "1")
    scores = {}
    for charges, out in (
        ("charges.jsonl", "a.jsonl.gz"),
        ("charges.parquet", "b.jsonl.zst"),
    ):
        disputes = inputs / "disputes.jsonl.gz"
        result = invoke(inputs / charges, disputes, "--out", tmp_path / out, *options)
        assert result.exit_code == 0, result.output
        packed = (tmp_path / out).read_bytes()
        text = (
            gzip.decompress(packed)
            if out.endswith(".gz")
            else zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        )
        scores[out] = [
            {name: value for name, value in orjson.loads(line).items() if name != "scored_at"}
            for line in text.splitlines()
        ]
    assert scores["a.jsonl.gz"] == scores["b.jsonl.zst"]


def test_without_disputes_there_is_no_fraud(inputs: Path, tmp_path: Path) -> None:
    result = invoke(inputs / "charges.parquet", "--out", tmp_path / "s.jsonl")
    assert result.exit_code == 0, result.output
    assert "Average precision" in result.output
    assert "n/a" in result.output
    assert len(events_in(tmp_path / "s.jsonl")) == len(valid_charges(inputs))


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").touch()
    out, report = tmp_path / "s.jsonl", tmp_path / "report"
    refused = invoke(tmp_path / "c.jsonl", "--out", out)
    assert refused.exit_code == 1
    assert "c.jsonl: holds no events" in refused.output
    command = (tmp_path / "c.jsonl", "--out", out, "--report", report, "--allow-rejected")
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == b""
    assert orjson.loads((report / "metrics.json").read_bytes())["auc_roc"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("none.jsonl", "--out", "s.jsonl"), 1, "Error: none.jsonl: No such file or directory\n"),
        (("c.xlsx", "--out", "s.jsonl"), 1, "Error: c.xlsx: expected a name that ends in"),
        (("c.jsonl", "none.jsonl", "--out", "s.jsonl"), 1, "Error: none.jsonl: No such file"),
        (("c.jsonl", "--out", "none/s.jsonl"), 1, "Error: none/s.jsonl: No such file"),
        (("c.jsonl", "--out", "s.parquet"), 1, "Error: s.parquet: scored events are"),
        (("c.jsonl", "--out", "./c.jsonl"), 1, "Error: c.jsonl: is an input"),
        (("c.jsonl", "--out", "s.jsonl", "--report", "c.jsonl/r"), 1, "Error: c.jsonl/r: Not a"),
        (("c.jsonl", "--out", "s.jsonl", "--config", "no.toml"), 2, "Error: no.toml: No such file"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.jsonl").write_bytes(encoded(CHARGE))
    result = invoke(*arguments)
    assert result.exit_code == code
    assert result.stderr.splitlines()[-1] + "\n" == result.stderr[result.stderr.index("Error") :]
    assert message in result.stderr
    assert not Path("s.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "nan"), "expected Unix seconds or a date such as 2018-05-15, got nan"),
        (("--from", "yesterday"), "expected Unix seconds or a date such as 2018-05-15"),
        (("--from", "2023-11-18", "--to", "2023-11-18"), "--from: expected a time before --to"),
        (("--label-horizon", "0"), "--label-horizon"),
        (("--label-horizon", "200"), "--label-horizon"),
        ((), "Missing option '--out'"),
    ],
)
def test_wrong_options_are_named(
    inputs: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    out = ("--out", tmp_path / "s.jsonl") if options else ()
    result = invoke(inputs / "charges.jsonl", *out, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_horizon_beyond_the_retention_is_named(inputs: Path, tmp_path: Path) -> None:
    result = invoke(
        inputs / "charges.jsonl",
        *("--out", tmp_path / "s.jsonl", "--label-horizon", "60"),
        env={"CHARGEWATCH_DISPUTE_RETENTION_DAYS": "40"},
    )
    assert result.exit_code == 2
    assert "dispute_retention_days: expected at least label_horizon_days (60), got 40" in (
        result.stderr
    )


def test_what_is_watched_for_drift_is_in_the_metrics(
    inputs: Path, run: tuple[Result, Path]
) -> None:
    drift = orjson.loads((run[1] / "metrics.json").read_bytes())["drift"]
    days = [datetime.fromisoformat(f"{day}T00:00Z").timestamp() for day in drift["days"]]
    charges = [c for c in events_in(inputs / "scores.jsonl") if not c.get("duplicate")]
    newest = itertools.accumulate((charge["created"] for charge in charges), max)
    logs: dict[int, list[float]] = defaultdict(list)
    for charge, time in zip(charges, newest, strict=True):
        block = bisect_right(days, time) - 1
        logs[block].append(math.log1p(bundled_rates().usd(charge["amount"], charge["currency"])))
    assert len(days) >= 3
    amounts = drift["signals"]["amount"]["values"]
    wanted = [math.expm1(sum(logs[block]) / len(logs[block])) for block in range(len(days) - 1)]
    assert amounts[:-1] == pytest.approx(wanted, rel=1e-5)
    assert drift["events"] == []
