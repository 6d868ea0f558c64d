"""`chargewatch rules backtest`, and `backtest --rules`, as a user meets them."""

from __future__ import annotations

import base64
import html
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import click
import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from agents.commands.rules_backtest import command
from schemas.currency import bundled_rates
from streams.events.files import read_events, write_events
from streams.simulator import Simulation

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400.0
START = 1_700_006_400.0  # 2023-11-15
ENV = {"CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "20", "CHARGEWATCH_NEGATIVE_RATE": "1"}
RULES = """
# big: Large amounts
block if :amount_usd: > 150
# bigger:
block if :amount_usd: > 400
# gold: <b>Known</b> customers
allow if ::tier:: = "gold" and :score: < 0.5
# absurd:
review if :amount_usd: > 1e8
# risky:
shadow block if :risk: >= 80
"""
NOW = "# big:\nblock if :amount_usd: > 300\n"
USD = bundled_rates().usd_per_minor_unit

group = click.Group("rules", commands={"backtest": command})

Event = dict[str, Any]


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(group, ["backtest", *map(str, arguments)], env=ENV)


@pytest.fixture(scope="module", params=[8])
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with charges, disputes, outcomes and rules."""
    simulation = Simulation(
        seed=request.param,
        cards=80,
        merchants=15,
        start=START,
        days=8,
        charges_per_day=150,
        fraud_rate=0.08,
        dispute_delay_scale=0.05,
        duplicate_share=0.02,
    )
    lines: dict[str, list[Event]] = {"charges": [], "disputes": [], "outcomes": []}
    for event in simulation.events():
        value: Event = dict(event.value)
        if value["created"] < START + 8 * DAY_S:
            lines[event.topic].append(value)
    for number, charge in enumerate(lines["charges"]):
        charge["tier"] = ("gold", "silver", None)[number % 3]
        if number % 10 == 0:
            about = {name: charge[name] for name in ("card", "merchant")}
            lines["outcomes"].append(
                {"id": f"o{number}", "charge": charge["id"], "created": charge["created"] + 60.0}
                | about
                | {"outcome": "declined"}
            )
    directory = tmp_path_factory.mktemp("inputs")
    for name, events in lines.items():
        write_events(directory / f"{name}.jsonl", list(map(orjson.dumps, events)))
    (directory / "rules.txt").write_text(RULES, encoding="utf-8")
    (directory / "now.txt").write_text(NOW, encoding="utf-8")
    return directory


def files(inputs: Path) -> list[Path]:
    return [inputs / f"{name}.jsonl" for name in ("charges", "disputes", "outcomes")]


@pytest.fixture(scope="module")
def run(inputs: Path) -> tuple[Result, Path]:
    out = inputs / "report"
    options = ("--report", out, "--label-horizon", "2", "--instead-of", inputs / "now.txt")
    result = invoke(inputs / "rules.txt", *files(inputs), *options)
    assert result.exit_code == 0, result.output
    return result, out


def test_tables_on_the_terminal(run: tuple[Result, Path]) -> None:
    shown = run[0].output
    for words in (
        "Charges that change",
        "Frauds stopped",
        "Genuine charges refused",
        "Cost of 1,000 charges",
        "95% interval",
        "What each rule matches",
        "Rules that match the same charges",
        "> 150 (now)",
        'gold: :score: < ..., where ::tier:: = "gold"',
        "absurd matches no charge.",
        "bigger decides nothing:",
        "are younger than 2 days at the end of the history",
        "were stopped or refunded, by their outcomes",
        "charges scored and decided twice in",
        f"Report: {run[1] / 'report.html'}",
    ):
        assert words in shown
    assert re.search(r"allow -> block +[1-9]", shown)
    wide = [line for line in shown.splitlines() if len(line.rstrip()) > 80 and ":" not in line]
    assert [line for line in wide if "─" in line] == []


def test_the_document_is_the_same_on_stdout_and_in_the_report(
    inputs: Path, run: tuple[Result, Path]
) -> None:
    kept = orjson.loads((run[1] / "changes.json").read_bytes())
    options = ("--json", "--label-horizon", "2", "--instead-of", inputs / "now.txt")
    shown = orjson.loads(invoke(inputs / "rules.txt", *files(inputs), *options).stdout)
    for document in (kept, shown):
        for name in ("seconds", "charges_per_second", "peak_rss_mb"):
            assert document.pop(name) > 0.0
    assert kept == shown
    assert kept["instead_of"] == str(inputs / "now.txt")
    assert [row["id"] for row in kept["rules"]] == ["big", "bigger", "gold", "absurd", "risky"]
    assert kept["young"] > 50
    assert kept["silenced"] > 50


def test_the_report_is_one_page_with_pictures(run: tuple[Result, Path]) -> None:
    page = (run[1] / "report.html").read_text(encoding="utf-8")
    assert "src='http" not in page
    assert "<b>Known" not in page
    images = re.findall(r"<img src='data:image/svg\+xml;base64,([^']+)' alt='([^']*)'", page)
    kept = orjson.loads((run[1] / "changes.json").read_bytes())
    assert len(images) == 5 + len(kept["sweeps"])
    pictures = [base64.b64decode(image).decode() for image, _ in images]
    assert all(picture.lstrip().startswith("<?xml") for picture in pictures)
    assert all(html.unescape(alt) for _, alt in images)
    assert "allow to block" in pictures[2]
    assert "costs more" in pictures[1]
    for words in ("bigger decides nothing", "absurd matches no charge", "Where to put the"):
        assert words in page


def test_scored_events_tell_what_rules_of_a_file_decide(inputs: Path) -> None:
    """As a worker with these rules would write them; against the fields of the charges."""
    out = inputs / "scores.jsonl"
    arguments = ["backtest", *files(inputs), "--out", out, "--rules", inputs / "rules.txt"]
    result = CliRunner().invoke(chargewatch, list(map(str, arguments)), env=ENV)
    assert result.exit_code == 0, result.output
    tiers: dict[tuple[str, str], str | None] = {}
    for charge in map(orjson.loads, read_events(inputs / "charges.jsonl")):
        tiers.setdefault((charge["id"], charge["card"]), charge["tier"])
    decided: Counter[str] = Counter()
    for event in map(orjson.loads, read_events(out)):
        if event.get("duplicate"):
            continue
        usd = event["amount"] * USD[event["currency"]]
        is_gold = tiers[event["charge"], event["card"]] == "gold" and event["score"] < 0.5
        matching = {"big": usd > 150, "bigger": usd > 400, "gold": is_gold}
        matching["risky"] = event["risk"] >= 80
        assert {rule["id"] for rule in event.get("rules", [])} == {
            name for name, matches in matching.items() if matches
        }
        by = "gold" if is_gold else "big" if usd > 150 else None
        assert event["decided_by"] == (f"rule:{by}" if by else "model")
        assert event["rule_set"] == "*:1"
        if by:
            assert event["action"] == {"gold": "allow", "big": "block"}[by]
            assert event["reasons"][0]["feature"] == f"rule:{by}"
        decided[str(by)] += 1
    assert min(decided[name] for name in ("gold", "big", "None")) > 30


def test_rules_decide_in_the_closed_loop_too(inputs: Path) -> None:
    out = inputs / "closed.jsonl"
    arguments = [*files(inputs)[:2], "--out", out, "--rules", inputs / "now.txt", "--closed-loop"]
    result = CliRunner().invoke(chargewatch, ["backtest", *map(str, arguments)], env=ENV)
    assert result.exit_code == 0, result.output
    big = [
        event
        for event in map(orjson.loads, read_events(out))
        if event["amount"] * USD[event["currency"]] > 300
    ]
    assert len(big) > 10
    assert {event["action"] for event in big if not event.get("duplicate")} == {"block"}


def test_mistakes_in_rules_are_told_as_they_are(inputs: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("block if :amout_usd: > 5\nblock when true\n", encoding="utf-8")
    for arguments in (
        [wrong, *files(inputs)],
        [inputs / "rules.txt", *files(inputs), "--instead-of", wrong],
    ):
        result = invoke(*arguments)
        assert result.exit_code == 1
        assert f"Error: {wrong}: 2 mistakes\n\nline 1, column 10: there is no" in result.output
        assert "did you mean :amount_usd:?" in result.output
    result = CliRunner().invoke(
        chargewatch,
        [
            "backtest",
            str(files(inputs)[0]),
            "--out",
            str(tmp_path / "o.jsonl"),
            "--rules",
            str(wrong),
        ],
    )
    assert result.exit_code == 1
    assert f"Error: {wrong}: 2 mistakes" in result.output


def test_wrong_files_give_one_clear_line(inputs: Path, tmp_path: Path) -> None:
    charges, disputes, outcomes = files(inputs)
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"block if :amount_usd: > 5 \xff\xfe")
    rules = inputs / "rules.txt"
    for arguments, said in (
        ([tmp_path / "none.txt", charges], f"Error: {tmp_path / 'none.txt'}: No such file"),
        ([tmp_path, charges], f"Error: {tmp_path}: Is a directory"),
        ([binary, charges], f"Error: {binary}: is no UTF-8 text"),
        ([charges, disputes], f"Error: {charges}: 1 mistake"),
        ([rules, tmp_path / "none.jsonl"], f"Error: {tmp_path / 'none.jsonl'}:"),
        ([rules, disputes, charges], f"Error: {disputes}: expected charges"),
        ([rules, charges, disputes, disputes], f"Error: {disputes}: holds disputes"),
        ([rules, charges, outcomes, outcomes], f"Error: {outcomes}: holds outcomes"),
        ([rules, charges, "--report", rules / "x"], f"Error: {rules / 'x'}: Not a directory"),
        ([rules, charges, "--from", "2023-11-18", "--to", "2023-11-17"], "before --to"),
    ):
        result = invoke(*arguments)
        assert result.exit_code in {1, 2}, result.output
        assert said in result.output
        assert not result.exception or isinstance(result.exception, SystemExit)


def test_a_period_without_charges_and_rules_without_a_match(inputs: Path, tmp_path: Path) -> None:
    options = ("--from", "2030-01-01", "--report", tmp_path / "report")
    result = invoke(inputs / "rules.txt", *files(inputs)[:2], *options)
    assert result.exit_code == 0, result.output
    assert "No charge was made in the period: there is nothing to tell." in result.output
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "there is nothing to tell" in page
    empty = tmp_path / "empty.txt"
    empty.write_text("# no rules yet\n", encoding="utf-8")
    result = invoke(empty, *files(inputs)[:2], "--report", tmp_path / "second")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "second" / "report.html").read_text(encoding="utf-8")
    assert "No charge gets another action." in page


def test_of_a_merchant(inputs: Path) -> None:
    charges = list(map(orjson.loads, read_events(inputs / "charges.jsonl")))
    [(merchant, _)] = Counter(charge["merchant"] for charge in charges).most_common(1)
    ids = {charge["id"] for charge in charges if charge["merchant"] == merchant}
    result = invoke(inputs / "rules.txt", *files(inputs), "--merchant", merchant, "--json")
    told = orjson.loads(result.stdout)
    assert told["merchant"] == merchant
    assert told["all"]["charges"] == len(ids)


def test_the_help_has_an_example() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert "Example: chargewatch rules backtest rules.txt" in result.output
