"""Backtests of rules by the console: the same figures as the command's, and every way they end."""

from __future__ import annotations

import asyncio
import html
import re
import time
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from click.testing import CliRunner

from agents.commands.rules_backtest import command
from agents.settings.schema import Settings
from agents.web.console.backtests import AT_A_TIME, Backtests
from streams.durations import DAY_S
from tests.agents.web.console.made_backtest import NOW, START, try_on_files, write_history
from tests.agents.web.console.made_work import work
from tests.agents.web.console.test_rules import manager

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.agents.web.console.browser import Answer, Browser
    from tests.agents.web.console.installation import Installation

RULES = """# big: Large amounts
block if :amount_usd: > 150
# risky:
shadow block if :risk: >= 80
# absurd: <b>
review if :amount_usd: > 1e8
"""
SETTINGS = {"snapshot_every_examples": 20, "negative_rate": 1.0, "label_horizon_days": 2.0}
TIMES = {"seconds", "charges_per_second", "peak_rss_mb"}


def asked(text: str = RULES, merchant: str = "*", days: str = "0") -> dict[str, str]:
    return {"merchant": merchant, "text": text, "days": days}


async def until(browser: Browser, is_so: Callable[[str], bool]) -> Answer:
    deadline = time.monotonic() + 120.0
    while not is_so((got := await browser.get("/rules/backtest")).text):
        assert time.monotonic() < deadline, got.text
        await asyncio.sleep(0.05)
    return got


async def ended(browser: Browser) -> str:
    got = await until(browser, lambda text: "hx-get" not in text)
    return html.unescape(re.sub(r"\s+", " ", got.text))


def works(installation: Installation) -> None:
    """Have backtests be what `made_work` does."""
    installation.backtests = Backtests(partial(work, installation.directory))


def test_it_tells_what_the_command_tells(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_history(tmp_path)
    settings = Settings(**SETTINGS)  # type: ignore[arg-type]
    installation.backtests = Backtests(partial(try_on_files, tmp_path, settings))
    now = START + 8.5 * DAY_S
    monkeypatch.setattr("agents.web.console.visit.time", SimpleNamespace(time=lambda: now))
    (tmp_path / "rules.txt").write_text(RULES)
    (tmp_path / "now.txt").write_text(NOW)
    more = ["--from", f"{now - 7 * DAY_S:.0f}"]
    by_command = CliRunner().invoke(
        command,
        [
            *map(str, (tmp_path / "rules.txt", *files)), "--json", "--label-horizon", "2",
            "--instead-of", str(tmp_path / "now.txt"), *more,
        ],
        env={"CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "20", "CHARGEWATCH_NEGATIVE_RATE": "1"},
    )  # fmt: skip
    assert by_command.exit_code == 0, by_command.output
    expected = orjson.loads(by_command.stdout)

    async def play() -> None:
        mia = await manager(installation)
        begun = await mia.post("/rules/backtest", **asked(days="7"))
        assert "Cancel" in begun.text
        assert "<html" not in begun.text
        text = await ended(mia)
        told: dict[str, Any] = dict(installation.backtests.of("mia").told)  # type: ignore[union-attr]
        same = {k: v for k, v in orjson.loads(orjson.dumps(told)).items() if k not in TIMES}
        assert same.pop("in_force") == 1
        assert same.pop("objections") == []
        assert same == {k: expected[k] for k in same}
        assert expected["all"]["charges"] > 500
        counted = expected["all"]["charges"]
        assert f"Done: {counted:,} charges" in text
        assert "decided twice, with version 1 that is in force and with these" in text
        big = expected["rules"][0]["matched"]
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", text)
        at = cells.index("block if :amount_usd: > 150")
        assert cells[at + 1 : at + 4] == [
            f"{big[name]:,}" for name in ("charges", "frauds", "genuine")
        ]
        assert "absurd matches no charge." in text
        assert "are younger than 2 days at the end of the history" in text
        assert "were stopped or refunded" in text
        blocked = [
            sum(row["charges"] for row in expected["transitions"] if row[side] == "block")
            for side in ("before", "after")
        ]
        at = cells.index("block")
        assert cells[at + 1 : at + 3] == [f"{count:,}" for count in blocked]
        assert blocked[0] < blocked[1]
        page = await mia.get("/rules")
        assert f"Done: {counted:,} charges" in page.text, "it is there when the page is read again"
        assert f"Done: {counted:,} charges" not in (await mia.get("/rules?merchant=m1")).text
        assert "of another text" in page.text, "what is in force was not tried"
        other = await mia.post("/rules/check", merchant="*", text="block if :risk: > 3")
        assert "of another text" in other.text
        assert (
            "of another text" not in (await mia.post("/rules/check", merchant="*", text=RULES)).text
        )

    asyncio.run(play())


def test_a_text_with_mistakes_is_not_tried(installation: Installation) -> None:
    async def play() -> None:
        mia = await manager(installation)
        got = html.unescape(
            (await mia.post("/rules/backtest", **asked("block if :amout: > 5"))).text
        )
        assert "1 mistake: nothing was tried" in got
        assert "did you mean :amount:?" in got
        assert installation.backtests.of("mia") is None
        assert (await mia.post("/rules/backtest", **asked(days="-3"))).status == 422
        assert (await mia.post("/rules/backtest", **asked(merchant=""))).status == 422

    asyncio.run(play())


def test_without_charges_it_says_what_to_do(installation: Installation) -> None:
    async def play() -> None:
        mia = await manager(installation)
        await mia.post("/rules/backtest", **asked())
        text = await ended(mia)
        assert "No backtest: topic charges: holds no charges" in text
        assert "wait until they come" in text

    asyncio.run(play())


def test_one_at_a_time_of_each_user_and_some_of_all(installation: Installation) -> None:
    """The rest wait, and whoever has cancelled may ask again."""
    works(installation)
    names = ["mia", "ann", "max", "moe"]
    for name in names[2:]:
        installation.add_user(name, "manager")
    assert len(names) > AT_A_TIME + 1

    async def play() -> None:
        browsers = [await manager(installation, name) for name in names]
        waits = asked(merchant="waits")
        for browser in browsers:
            await browser.post("/rules/backtest", **waits)
        running = browsers[:AT_A_TIME]
        for browser in running:
            got = await until(browser, lambda text: "3 of 10 events" in text)
            assert 'value="3" max="10"' in got.text
            assert 'hx-trigger="load delay:1s"' in got.text
        again = await running[0].post("/rules/backtest", **asked(merchant="m2"))
        assert "a backtest of yours still runs" in again.text
        waiting = browsers[AT_A_TIME:]
        for browser in waiting:
            assert "Waiting for another backtest" in (await browser.get("/rules/backtest")).text
        assert "Cancelled" in (await waiting[0].post("/rules/backtest/cancel")).text
        assert "Cancelled" in (await running[0].post("/rules/backtest/cancel")).text
        await until(waiting[1], lambda text: "3 of 10 events" in text)
        await running[0].post("/rules/backtest", **asked("block if :risk: > 9", "fails"))
        for browser in (running[1], waiting[1]):
            await browser.post("/rules/backtest/cancel")
        assert "No backtest: topic charges: holds no charges" in await ended(running[0])

    asyncio.run(play())


@pytest.mark.parametrize(
    ("what", "told"),
    [("dies", "its process ended with exit code -9"), ("is wrong", "exit code 1: the log")],
)
def test_a_backtest_that_dies_is_told(installation: Installation, what: str, told: str) -> None:
    works(installation)

    async def play() -> None:
        mia = await manager(installation)
        await mia.post("/rules/backtest", **asked(merchant=what))
        assert told in await ended(mia)

    asyncio.run(play())


def test_all_end_when_the_console_stops(installation: Installation) -> None:
    works(installation)

    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        for browser in (mia, ann):
            await browser.post("/rules/backtest", **asked(merchant="waits"))
        await until(mia, lambda text: "3 of 10" in text)
        began = time.monotonic()
        await asyncio.to_thread(installation.backtests.close)
        assert time.monotonic() - began < 20.0
        assert installation.backtests.of("mia").state == "cancelled"  # type: ignore[union-attr]
        assert installation.backtests.of("ann").state == "cancelled"  # type: ignore[union-attr]

    asyncio.run(play())


def test_nobody_sees_the_backtest_of_another(installation: Installation) -> None:
    works(installation)

    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        await mia.post("/rules/backtest", **asked(merchant="fails"))
        assert "holds no charges" in await ended(mia)
        assert "holds no charges" not in (await ann.get("/rules/backtest")).text

    asyncio.run(play())
