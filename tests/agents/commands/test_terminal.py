"""Text of events on a terminal: nothing in it is acted upon, wherever it is shown."""

import logging
import re
import unicodedata
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.commands import chargewatch, watch
from agents.demo.closing import summary
from agents.demo.ledger import Flagged
from agents.demo.views import live_view
from agents.worker.logs import LineFormatter
from schemas.printable import printable, printable_json
from schemas.rejected import InvalidEvent
from tests.agents.demo.made_up_run import LIVE_BEGAN, Run

OWN_STYLE = re.compile(r"\x1b\[[0-9;]*m")
TITLE = "Shop\x1b]0;owned\x07\x1b[2JX"
HOSTILE = [
    TITLE,
    "\x1b[31mred\x1b[0m",
    "\x9b31mC1",
    "\x9d0;title\x9c",
    "back\x08\x08\x08\x7f",
    "line\r\nfeed\x00\x0b\x0c",
    "exe\u202efdp",
    "\u2066isolated\u2069\u200e\u200f\ufeff",
    "\u2028separator\u2029",
]


def is_safe(text: str) -> bool:
    """Judge by the categories of Unicode, but for what is allowed to join letters."""
    return not any(
        unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF"}
        or unicodedata.bidirectional(c) in {"LRI", "RLI", "FSI", "PDI"}
        or c in "\u200e\u200f\ufeff"
        for c in text
    )


@given(st.text())
def test_any_text(text: str) -> None:
    shown = printable(text)
    assert is_safe(shown)
    if is_safe(text) and not any(unicodedata.category(c) == "Cf" for c in text):
        assert shown == text


@given(st.dictionaries(st.text(max_size=5), st.text() | st.integers(0, 9), max_size=3))
def test_json_says_the_same(event: dict[str, Any]) -> None:
    for option in (0, orjson.OPT_INDENT_2):
        value = orjson.dumps(event, option=option)
        shown = printable_json(value)
        assert is_safe(shown)
        assert orjson.loads(shown) == event


class _Message:
    def __init__(self, event: dict[str, Any]) -> None:
        self._value = orjson.dumps(event)

    def value(self) -> bytes:
        return self._value


class _Scored:
    """A subscriber of scored events that were made by somebody else, and then Ctrl-C."""

    events: list[dict[str, Any]] = []  # noqa: RUF012 - set by each test

    def __init__(self, *_: object, **__: object) -> None:
        self._read = False

    def __enter__(self) -> "_Scored":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, _: float) -> list[_Message]:
        if self._read:
            raise KeyboardInterrupt
        self._read = True
        return [_Message(event) for event in self.events]


def scored(text: str) -> dict[str, Any]:
    return {
        "charge": text,
        "card": text,
        "merchant": text,
        "amount": 1999,
        "currency": text,
        "created": 1.75e9,
        "score": 0.91,
        "action": "block",
        "reasons": [{"feature": "f", "value": 9.0, "text": text}],
        "note": text,
    }


@pytest.mark.parametrize("option", [[], ["--json"]])
@pytest.mark.parametrize("text", HOSTILE)
def test_watch(monkeypatch: pytest.MonkeyPatch, option: list[str], text: str) -> None:
    monkeypatch.setattr(watch, "connect", lambda *_: (None, {}))
    monkeypatch.setattr(watch, "Subscriber", _Scored)
    monkeypatch.setattr(_Scored, "events", [scored(text), scored("usd")])
    result = CliRunner().invoke(
        chargewatch, ["watch", *option], env={"KAFKA_BOOTSTRAP_SERVERS": "x:1"}, color=True
    )
    assert result.exit_code == 0
    lines = result.stdout.split("\n")
    assert len(lines) == 3, "a line for each event"
    if option:
        assert all(is_safe(line) for line in lines)
        assert orjson.loads(lines[0]) == scored(text)
    else:
        assert all(is_safe(OWN_STYLE.sub("", line)) for line in lines)
        assert len(OWN_STYLE.findall(lines[0])) == len(OWN_STYLE.findall(lines[1]))
        assert lines[0].count(printable(text)) == 3


def test_backtest(tmp_path: Path) -> None:
    """The first input of each reason is told: as many files as texts."""
    good = {
        "id": "ch_1", "created": 1.75e9, "amount": 1999, "currency": "usd", "card": "card_1",
        "merchant": "m",
    }  # fmt: skip
    for text in ("".join(HOSTILE), "\N{RIGHT-TO-LEFT OVERRIDE}\x9b"):
        file = tmp_path / "charges.jsonl"
        events = [
            good | {"currency": text[:3]},
            good | {"amount": text},
            good | {"merchant": text},
        ]
        file.write_bytes(b"\n".join(map(orjson.dumps, events)))
        command = ["backtest", str(file), "--out", str(tmp_path / "s.jsonl")]
        refused = CliRunner().invoke(chargewatch, command, color=True)
        assert refused.exit_code == 1
        assert all(is_safe(line) for line in refused.stderr.split("\n"))
        result = CliRunner().invoke(chargewatch, [*command, "--allow-rejected"], color=True)
        assert result.exit_code == 0, result.output
        assert all(is_safe(OWN_STYLE.sub("", line)) for line in result.stdout.split("\n"))
        assert "range 1, first" in result.stdout
        assert "type 1, first" in result.stdout


@pytest.mark.parametrize("text", HOSTILE)
def test_errors_and_log_lines(tmp_path: Path, text: str) -> None:
    assert is_safe(str(InvalidEvent("range", f"currency: got {text}")))
    name = text.replace("\x00", "")
    result = CliRunner().invoke(chargewatch, ["publish", f"{tmp_path}/{name}.jsonl"], color=True)
    assert result.exit_code in {1, 2}
    assert all(is_safe(line) for line in result.output.split("\n")[:-1])
    try:
        raise ValueError(text)
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("n", 30, "", 0, "got %s", (text,), info)
    line, *traceback = LineFormatter("%(levelname)s %(message)s").format(record).split("\n")
    assert line == f"WARNING got {printable(text)}"
    assert all(map(is_safe, traceback))


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(6)


@pytest.mark.parametrize("text", [*HOSTILE, "[red]markup[/red]", "[link=file:///x]y[/link]"])
def test_the_demo(run: Run, text: str) -> None:
    live = run.figures.live(LIVE_BEGAN, LIVE_BEGAN + 20.0)
    flagged = live.latest[0].event | {"reasons": [{"text": text}], "currency": text}
    live.latest[:] = [Flagged(flagged, None)]
    run.ledger.reasons.clear()
    run.ledger.rejected([f"currency: got {text}"])
    report = run.report()
    out = StringIO()
    console = Console(file=out, width=200, height=60, force_terminal=True)
    console.print(live_view(live, run.play.scenario, 40), summary(report))
    shown = OWN_STYLE.sub("", out.getvalue())
    assert all(map(is_safe, shown.split("\n")))
    assert shown.count(printable(text)) >= 2
    assert f"minor units of {printable(text.upper())}" in shown
