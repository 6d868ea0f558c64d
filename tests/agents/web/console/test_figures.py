"""Figures of the console: how soon charges are scored, what the worker counts, what is set."""

from __future__ import annotations

import asyncio
import html
import re
import time
from typing import TYPE_CHECKING, Any

from schemas.merchants import MerchantSettings
from streams.features.entities import FEATURES
from streams.kafka.editor import Written
from tests.agents.web.console.browser import Browser
from tests.agents.web.console.installation import NAMES, charge_of, scored

if TYPE_CHECKING:
    from tests.agents.web.console.installation import Installation

CARD = "card_with_its_token"


def put(installation: Installation, charge: str, put_at: float, took_s: float, **of: Any) -> None:
    same = {"card": CARD, "created": put_at - 1.0, **of}
    record = Written(NAMES.charges, CARD.encode(), charge_of(charge, **same))
    installation.put([record], None, put_at)
    record = Written(NAMES.scored, CARD.encode(), scored(charge, **same))
    installation.put([record], None, put_at + took_s)


def test_latencies_of_now_and_by_day(installation: Installation) -> None:
    async def play() -> None:
        vic = Browser(installation.app())
        await vic.sign_in("vic")
        assert "No charge in these days was put on its topic" in (await vic.get("/")).text
        assert "no charge was scored in the last 5 minutes" in (await vic.get("/now")).text
        now = time.time()
        for number in range(100):
            put(installation, f"live_{number}", now - 60.0, 0.1 if number < 98 else 2.0)
        put(installation, "old", now - 2 * 86_400.0, 60.0)
        put(installation, "of_history", now - 60.0, 30.0, created=now - 86_400.0)
        page = (await vic.get("/")).text
        section = page[page.index('id="latency"') :]
        rows = re.findall(r"<td>([^<]*)</td>" + r'<td class="number">([^<]*)</td>' * 3, section)
        days = [time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (now - 61, now - 172_801)]
        assert [row[:2] for row in rows] == [(days[0], "100"), (days[1], "1")]
        assert 100 <= int(rows[0][2].removesuffix(" ms")) <= 110
        assert 2.0 <= float(rows[0][3].removesuffix(" s")) <= 2.2
        told = (await vic.get("/now")).text
        assert "median of 101 charges scored" in told, "that of a history was scored now, too"
        assert "the brokers do not answer" in told

    asyncio.run(play())


def test_what_the_worker_had_counted_at_the_latest_charge(installation: Installation) -> None:
    async def play() -> None:
        now = time.time()
        for number in range(3):
            put(installation, f"c{number}", now - 100.0 + number, 0.1)
        vector = {feature.name: 0.0 for feature in FEATURES}
        of_it = {"card_count_1h": 7.0, "card_sum_30d": 12.5, "card_age": 7200.0}
        installation.vectors.kept["c2"] = vector | of_it | {"merchant_count_1h": 9.0}
        for name, address in (("bob", f"value={CARD}"), ("vic", "of=c1")):
            browser = Browser(installation.app())
            await browser.sign_in(name)
            page = (await browser.get(f"/history?kind=card&{address}")).text
            [part] = re.findall(r'hx-get="(/aggregates[^"]+)"', page)
            assert (CARD in part) == (name == "bob")
            told = (await browser.get(html.unescape(part))).text
            rows = re.findall(r"<tr><td>([^<]*)</td>(.*?)</tr>", told)
            cells = {what: re.findall(r">([^<]*)</td>", row) for what, row in rows}
            assert cells["charges on this card"] == ["0", "7", "0", "0", "0"]
            assert cells["spent on this card"][-1] == "12.50"
            assert "the card was first seen 2 hours ago" in told
            assert "merchant_count" not in told
            assert ">c2</a>" in told
            assert CARD not in told or name == "bob"
        gone = (await browser.get("/aggregates?kind=card&id=c1")).text
        assert "is not kept any more" in gone
        assert (await browser.get("/aggregates?kind=card&id=nothing")).status == 404
        assert (await browser.get("/aggregates?kind=shop&id=c1")).status == 404

    asyncio.run(play())


def test_a_merchants_page_has_what_it_has_set(installation: Installation) -> None:
    async def play() -> None:
        put(installation, "c", time.time(), 0.1, merchant="corner")
        vic = Browser(installation.app())
        await vic.sign_in("vic")
        page = (await vic.get("/history?kind=merchant&value=corner")).text
        [part] = re.findall(r'hx-get="(/merchants/holds[^"]+)"', page)
        assert "Nothing is set for it" in (await vic.get(part)).text
        made = MerchantSettings("corner", 1, review_at=80, costs={"review_cost_usd": 2.5}, by="mia")
        installation.policy.edit_merchants(lambda _: made)
        told = (await vic.get(part)).text
        assert re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", told) == [
            ("review at", "80"),
            ("review cost usd", "2.5"),
        ]

    asyncio.run(play())
