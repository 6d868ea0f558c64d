"""`chargewatch backtest` on files of other layouts, and on those that little can be used of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from streams.events.files import write_events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START = 1_790_000_000.0

Event = dict[str, Any]


def charge(number: int, **fields: Any) -> Event:
    return {
        "id": f"ch_{number}",
        "created": START + 60.5 * number,
        "amount": 1999 + number,
        "currency": "usd",
        "card": f"card_{number % 7}",
        "merchant": f"acct_{number % 3}",
        **fields,
    }


def dispute(number: int, **fields: Any) -> Event:
    return {
        "id": f"dp_{number}",
        "charge": f"ch_{number}",
        "card": f"card_{number % 7}",
        "merchant": f"acct_{number % 3}",
        "created": START + 60.5 * number + 86_400,
        "reason": "fraudulent",
        **fields,
    }


CHARGES = [charge(number) for number in range(40)]
DISPUTES = [dispute(number) for number in range(0, 40, 5)]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(chargewatch, ["backtest", *map(str, arguments)])


def refused(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stderr.count("Error: ") == 1
    message = result.stderr[result.stderr.index("Error: ") :]
    assert message.count("\n") == 1
    return message


def written(path: Path, events: Sequence[Event | bytes]) -> Path:
    write_events(path, [e if isinstance(e, bytes) else orjson.dumps(e) for e in events])
    return path


def scores(path: Path) -> list[Event]:
    return [
        {name: value for name, value in orjson.loads(line).items() if name != "scored_at"}
        for line in path.read_bytes().splitlines()
    ]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """Return a file of the disputes, and the scores of plain files."""
    directory = tmp_path_factory.mktemp("plain")
    disputes = written(directory / "d.jsonl", DISPUTES)
    out = directory / "s.jsonl"
    result = run(written(directory / "c.jsonl", CHARGES), disputes, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(scores(out)) == len(CHARGES)
    return disputes, scores(out)


@pytest.mark.parametrize("layout", ["array.json", "mark.ndjson", "pretty.json", "times.parquet"])
def test_layouts_give_the_same_scores(
    tmp_path: Path, plain: tuple[Path, list[Event]], layout: str
) -> None:
    disputes, wanted = plain
    path = tmp_path / layout
    if layout == "array.json":
        path.write_text(json.dumps(CHARGES), encoding="utf-8")
    elif layout == "mark.ndjson":
        path.write_text("\r\n".join(map(json.dumps, CHARGES)), encoding="utf-8-sig")
    elif layout == "pretty.json":
        path.write_text(json.dumps(CHARGES, indent=4), encoding="utf-8-sig")
    else:
        columns: dict[str, Any] = {name: [c[name] for c in CHARGES] for name in CHARGES[0]}
        columns["created"] = pa.array(
            [round(time * 1000) for time in columns["created"]], pa.timestamp("ms")
        )
        pq.write_table(pa.table(columns), path)
    out = tmp_path / "s.jsonl"
    result = run(path, disputes, "--out", out)
    assert result.exit_code == 0, result.output
    assert scores(out) == wanted


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"created": 1_790_000_000_000}, "looks like milliseconds: divide by 1,000"),
        ({"created": 1.79e15}, "looks like microseconds: divide by 1,000,000"),
        ({"created": "2026-09-21 14:13:20"}, "Unix seconds (1790000000 if it is UTC)"),
        ({"amount": "19.99"}, "looks like major units"),
        ({"specversion": "1.0", "type": "t", "card": None}, "a CloudEvent"),
        ({"charge": "ch_1", "reason": "fraudulent"}, "the order is CHARGES DISPUTES"),
    ],
)
def test_a_file_of_no_use_is_told_of_at_once(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    events = [{k: v for k, v in {**c, **change}.items() if v is not None} for c in CHARGES]
    out = tmp_path / "s.jsonl"
    message = refused(written(tmp_path / "c.jsonl", events), "--out", out)
    assert said in message
    assert "--allow-rejected" in message
    assert not out.exists()


def test_what_is_of_no_use_only_later_is_told_of_at_the_end(tmp_path: Path) -> None:
    good = [charge(number) for number in range(1000)]
    bad = [charge(number, amount=-1) for number in range(1001)]
    path = written(tmp_path / "c.jsonl", [*good, *bad])
    arguments = (path, "--out", tmp_path / "s.jsonl", "--report", tmp_path / "report")
    message = refused(*arguments)
    assert "c.jsonl: 1,001 of 2,001 events cannot be used: range 1,001; event 1,001: amount: " in (
        message.replace("event 1001", "event 1,001")
    )
    assert len(scores(tmp_path / "s.jsonl")) == 1000
    assert orjson.loads((tmp_path / "report" / "metrics.json").read_bytes())["charges"] == 1000
    assert run(*arguments, "--allow-rejected").exit_code == 0


def test_disputes_that_find_no_charge_are_of_no_use(tmp_path: Path) -> None:
    """Once charges have passed them by the time that a dispute is waited with."""
    days = [START + 86_400.0 * number for number in range(20)]
    charges = written(tmp_path / "c.jsonl", [charge(n, created=days[n]) for n in range(20)])
    known = [dispute(number, created=days[number + 1]) for number in range(3)]
    unknown = [dispute(number, charge=f"never_{number}", created=days[1]) for number in range(3)]
    disputes = written(tmp_path / "d.jsonl", [*unknown, *known[:2]])
    message = refused(charges, disputes, "--out", tmp_path / "s.jsonl")
    assert "d.jsonl: 3 of 5 events cannot be used: unknown_charge 3; event 1: " in message
    disputes = written(tmp_path / "d.jsonl", [*unknown, *known])
    assert run(charges, disputes, "--out", tmp_path / "s.jsonl").exit_code == 0


def test_odd_events_cost_no_other(tmp_path: Path, plain: tuple[Path, list[Event]]) -> None:
    disputes, wanted = plain
    odd: list[Event | bytes] = [b"no JSON", b"[1]", charge(50, created="soon")]
    out = tmp_path / "s.jsonl"
    result = run(written(tmp_path / "c.jsonl", [*CHARGES, *odd]), disputes, "--out", out)
    assert result.exit_code == 0, result.output
    assert "3 inputs rejected:" in result.output
    assert scores(out) == wanted
