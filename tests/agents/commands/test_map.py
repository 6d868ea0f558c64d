"""`chargewatch map` as a user meets it, and odd files with a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from streams.mapping.ready_mappings import ready_names
from tests.streams.mapping.made_files import SHAPES, csv_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = "a key of these tests"
SEED = 5
PAGE = """
[csv]
decimal = ","
[charge]
id = "Nr"
created = { from = "Zeit", unit = "s" }
amount = { from = "Betrag", unit = "major" }
currency = { value = "eur" }
card = "Karte"
merchant = "Laden"
[dispute]
when = "Betrug = 1"
delay_days = 1
"""
HEAD = ["Nr", "Zeit", "Betrag", "Karte", "Laden", "Betrug"]


def run(command: str, *arguments: object, env: Mapping[str, str | None] | None = None) -> Result:
    words = [*command.split(), *map(str, arguments)]
    return CliRunner().invoke(chargewatch, words, env=env or {"CHARGEWATCH_MAPPING_KEY": SECRET})


def rows(count: int = 200) -> list[list[str]]:
    return [
        [f"n{n}", str(1_790_000_000 + 600 * n), f"1.00{n % 10},50", f"k{n % 7}", "Müller",
         str(int(n % 20 == 3))]
        for n in range(count)
    ]  # fmt: skip


def metrics(tmp_path: Path, path: Path, page: str = PAGE) -> tuple[Result, dict[str, Any]]:
    own = tmp_path / "own.toml"
    own.write_text(page, encoding="utf-8")
    report = tmp_path / "report"
    out = tmp_path / "s.jsonl"
    result = run("backtest", path, "--map", own, "--out", out, "--report", report)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = orjson.loads((report / "metrics.json").read_bytes())
    return result, told


def test_a_semicolon_file_in_latin_1_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(csv_text([HEAD, *rows()], ";").encode("latin-1"))
    result, told = metrics(tmp_path, path)
    assert (told["charges"], told["frauds"], told["rejected"]) == (200, 10, {})
    assert "read as Windows-1252" in result.stderr
    assert result.stderr.count("Windows-1252") == 1
    scored = [orjson.loads(line) for line in (tmp_path / "s.jsonl").read_bytes().splitlines()]
    assert {charge["merchant"] for charge in scored} == {"Müller"}
    assert scored[0]["amount"] == 100_050


def test_damaged_rows_are_rejected_with_their_lines(tmp_path: Path) -> None:
    table = rows()
    table[50] = table[50][:3]
    table[60] = [*table[60], "more"]
    table[70][2] = "viel"
    path = tmp_path / "export.csv"
    path.write_text("\ufeff" + csv_text([HEAD, *table], "\t"), encoding="utf-8")
    result, told = metrics(tmp_path, path)
    assert told["charges"] == 197
    assert told["rejected"] == {"json": 2, "type": 1}
    assert "3 inputs rejected" in result.output
    listed = (tmp_path / "report" / "rejected.jsonl").read_bytes().splitlines()
    errors = [orjson.loads(line)["error"] for line in listed]
    assert errors == [
        "line 52: expected 6 cells as in the header, got 3",
        "line 62: expected 6 cells as in the header, got 7",
        "line 72: amount: expected a number, got viel",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('unit = "s"', 'unit = "ms"'), "before 1990; it looks like s"),
        (("eur", "jpy"), "has a fraction of a minor unit"),
        (('"Karte"', '"Kate"'), "has no column Kate; did you mean Karte?"),
        (('"Betrag"', '"Zeit", negativ = 1'), "charge.amount.negativ: unknown; did you mean"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_scored(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path, own = tmp_path / "export.csv", tmp_path / "own.toml"
    path.write_text(csv_text([HEAD, *rows()], ";"), encoding="utf-8")
    own.write_text(PAGE.replace(*change), encoding="utf-8")
    result = run("backtest", path, "--map", own, "--out", tmp_path / "s.jsonl")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "s.jsonl").exists()


@pytest.mark.parametrize("key", [None, "short"])
def test_without_a_key_nothing_is_hashed(tmp_path: Path, key: str | None) -> None:
    path = SHAPES["sparkov"](tmp_path, SEED).paths[0]
    result = run("map check", path, "--map", "sparkov", env={"CHARGEWATCH_MAPPING_KEY": key})
    assert result.exit_code == 1
    assert "CHARGEWATCH_MAPPING_KEY to at least 16 characters" in result.stderr
    assert "short)" not in result.stderr


def test_check_shows_ten_events_and_no_secret(tmp_path: Path) -> None:
    path = SHAPES["sparkov"](tmp_path, SEED).paths[0]
    result = run("map check", path, "--map", "sparkov")
    assert result.exit_code == 0, result.output
    assert result.output.count("before  ") == 10
    assert SECRET not in result.output
    assert '"cc_num":"(hidden)"' in result.output
    assert "400 charges of the first 1,000 rows can be used, 0 cannot" in result.output


def test_check_tells_what_cannot_be_used(tmp_path: Path) -> None:
    path, own = tmp_path / "export.csv", tmp_path / "own.toml"
    table = rows(30)
    table[2] = table[2][:2]
    path.write_text(csv_text([HEAD, *table]), encoding="utf-8")
    own.write_text(PAGE, encoding="utf-8")
    result = run("map check", path, "--map", own, "--all")
    assert "29 charges can be used, 1 cannot\n  json 1; event 3: line 4: expected" in result.output
    assert "before  expected 6 cells as in the header, got 2" in result.output


def test_list_has_the_ready_ones() -> None:
    result = run("map list")
    assert [line.split()[0] for line in result.output.splitlines()] == ready_names()


def test_the_european_shape_is_scored_by_its_proposal(tmp_path: Path) -> None:
    shape = SHAPES["european_cards"](tmp_path, SEED)
    proposed = run("map suggest", shape.paths[0])
    assert proposed.exit_code == 0, proposed.output
    _, told = metrics(tmp_path, shape.paths[0], proposed.stdout)
    assert (told["charges"], told["frauds"]) == (shape.charges, shape.frauds)
    scored = orjson.loads((tmp_path / "s.jsonl").read_bytes().splitlines()[0])
    assert all(isinstance(scored[f"V{n}"], float) for n in range(1, 29))


def test_rules_are_tried_on_a_mapped_file(tmp_path: Path) -> None:
    shape = SHAPES["european_cards"](tmp_path, SEED)
    rules = tmp_path / "rules.txt"
    rules.write_text("block if ::V1:: > 0\n", encoding="utf-8")
    result = run(
        "rules backtest", rules, *shape.paths, "--map", "european_cards", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = orjson.loads(result.stdout)
    assert told["charges_scored"] == shape.charges
    assert told["files"] == [str(path) for path in shape.paths]
