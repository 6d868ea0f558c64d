"""Rules by the console: tried, put in force, refused, switched, rolled back."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING

import numpy as np

from agents.policy.active_rules import ActiveRule
from agents.rules.rule_set import parse
from schemas.scored import ALLOW
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE, UNSEEN
from tests.agents.web.console.browser import Browser

if TYPE_CHECKING:
    from tests.agents.web.console.installation import Installation

TEXT = """# abroad: Far away
block if :card_country: != :ip_country:

shadow review if :amount_usd: > 100 and :card: in @watched
"""


async def manager(installation: Installation, name: str = "mia") -> Browser:
    browser = Browser(installation.app())
    await browser.sign_in(name)
    return browser


def put(text: str, made_from: int = 0, merchant: str = "*") -> dict[str, str]:
    return {"merchant": merchant, "text": text, "made_from": str(made_from), "note": "why"}


def test_a_text_is_tried_and_nothing_is_changed(installation: Installation) -> None:
    async def play() -> None:
        mia = await manager(installation)
        right = await mia.post("/rules/check", merchant="*", text=TEXT)
        assert "No mistakes: 2 rules, 1 in shadow" in right.text
        assert "@watched has no entries" in right.text
        assert "<html" not in right.text
        wrong = await mia.post("/rules/check", merchant="*", text="block if :amout: > 5\nblock")
        told = html.unescape(wrong.text)
        assert "2 mistakes" in told
        assert "line 1, column 10" in told
        assert "did you mean :amount:?" in told
        assert installation.policy.rules().records == {}

    asyncio.run(play())


def test_a_set_is_put_in_force_from_the_version_it_was_made_from(
    installation: Installation,
) -> None:
    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        records = installation.policy.rules().records
        sent = TEXT.replace("\n", "\r\n")  # as browsers send it
        assert (await mia.post("/rules", **put(sent))).status == 303
        record = records["*"]
        assert (record.version, record.text, record.by, record.note) == (1, TEXT, "mia", "why")
        page = await mia.get("/rules")
        assert "Version 1 is in force" in page.text
        assert "Version 1 is in force" not in (await mia.get("/rules")).text  # told once
        assert (await mia.post("/rules", **put("block if :risk: > 98", 1))).status == 303
        stale = await ann.post("/rules", **put("review if :risk: > 5", 1))
        assert stale.status == 409
        told = html.unescape(stale.text)
        assert "version 2 by mia is there, and this was made from version 1" in told
        assert "review if :risk: > 5" in told  # what was written is not lost
        assert "-block if :risk: > 98" in told
        assert 'name="made_from" value="2"' in stale.text  # and may be put, by whoever has seen it
        wrong = await ann.post("/rules", **put("block when :risk:", 2))
        assert wrong.status == 409
        assert "block when :risk:" in wrong.text
        assert records["*"].version == 2

    asyncio.run(play())


def test_a_rule_is_told_by_what_became_of_the_charges_it_matched(
    installation: Installation,
) -> None:
    async def play() -> None:
        mia = await manager(installation)
        assert (await mia.post("/rules", **put(TEXT))).status == 303
        asked = "/rules/figures?merchant=*"
        assert "abroad" not in (await mia.get(asked)).text
        rows = np.zeros(9, MATURED_CHARGE)
        rows["propensity"], rows["counts"], rows["action"] = 1.0, 1.0, ALLOW
        rows["card"], rows["created"] = np.arange(9), 1.75e9
        rows["seen"] = [FRAUD] * 3 + [GENUINE] * 4 + [UNSEEN] * 2
        rows["rules"][:7, 0] = ActiveRule.of(parse(TEXT).rules[0], "*").hash
        installation.matched.add(rows)
        cells = re.findall(r"<td[^>]*>([^<]*)</td>", (await mia.get(asked)).text)
        assert cells[:4] == ["abroad", "7", "7", "3"]
        assert cells[4].startswith("42.9%"), "three of seven"

    asyncio.run(play())


def test_a_rule_is_switched_and_a_version_put_in_force_again(installation: Installation) -> None:
    async def play() -> None:
        mia = await manager(installation)
        records = installation.policy.rules().records
        await mia.post("/rules", **put(TEXT))
        switch = {"merchant": "*", "rule": "abroad", "made_from": "1"}
        assert (await mia.post("/rules/shadow", **switch)).status == 303
        assert "\nshadow block if :card_country: != :ip_country:\n" in records["*"].text
        assert records["*"].text.startswith("# abroad: Far away\n")
        assert (await mia.post("/rules/shadow", **switch)).status == 409  # made from 1
        assert (await mia.post("/rules/shadow", **{**switch, "made_from": "2"})).status == 303
        assert records["*"].text == TEXT
        gone = await mia.post("/rules/shadow", **{**switch, "made_from": "3", "rule": "x"})
        assert gone.status == 404
        back = {"merchant": "*", "version": "2", "made_from": "3"}
        assert (await mia.post("/rules/rollback", **back)).status == 303
        assert (records["*"].version, records["*"].note) == (4, "back to version 2")
        version = await mia.get("/rules/version?merchant=*&version=2")
        assert "+shadow block if" in html.unescape(version.text)
        assert (await mia.get("/rules/version?merchant=*&version=9")).status == 404
        assert (await mia.get("/rules/version?merchant=*&version=x")).status == 404
        page = await mia.get("/rules")
        assert [f"version={number}" in page.text for number in (1, 2, 3, 4)] == [True] * 4

    asyncio.run(play())


def test_rules_of_one_merchant_are_its_own(installation: Installation) -> None:
    async def play() -> None:
        mia = await manager(installation)
        name = 'm/1 "ü"&x'
        assert (await mia.post("/rules", **put("block if :risk: > 9", 0, name))).status == 303
        page = await mia.get("/rules?merchant=m%2F1+%22%C3%BC%22%26x")
        assert "block if" in page.text
        assert "No rules yet" in (await mia.get("/rules")).text
        assert (await mia.get("/rules?merchant=")).status == 422

    asyncio.run(play())


def test_a_viewer_reads_and_has_no_editor(installation: Installation) -> None:
    async def play() -> None:
        mia, vic = await manager(installation), await manager(installation, "vic")
        await mia.post("/rules", **put(TEXT))
        page = await vic.get("/rules")
        assert ":card_country: != :ip_country:" in html.unescape(page.text)
        assert "<textarea" not in page.text
        assert "To shadow" not in page.text

    asyncio.run(play())


def test_lists_and_settings_of_merchants(installation: Installation) -> None:
    async def play() -> None:
        mia = await manager(installation)
        entry = {"list": "watched", "value": "tok_1", "from": "2026-01-02T03:04", "note": "odd"}
        assert (await mia.post("/lists", **entry)).status == 303
        [made] = installation.policy.lists().entries.values()
        assert (made.start, made.until, made.by, made.note) == (1767323040.0, None, "mia", "odd")
        for wrong in (
            {"value": "4242424242424242"}, {"list": "a b"}, {"until": "2025-01-01T00:00"},
        ):  # fmt: skip
            got = await mia.post("/lists", **{**entry, **wrong})
            assert got.status == 422, wrong
            assert "4242424242424242" not in got.text
        gone = {"list": "watched", "value": "tok_1", "version": "2"}
        assert (await mia.post("/lists/remove", **gone)).status == 409
        assert (await mia.post("/lists/remove", **{**gone, "version": "1"})).status == 303
        assert installation.policy.lists().entries == {}
        records = installation.policy.merchants().records
        setting = {"merchant": "m1", "made_from": "0", "block_at": "95", "margin_share": "0.5"}
        assert (await mia.post("/merchants", **setting, preset="protect")).status == 303
        assert (records["m1"].block_at, records["m1"].costs) == (95, {"margin_share": 0.5})
        assert records["m1"].preset == "protect"
        page = await mia.get("/merchants?merchant=m1")
        assert 'value="0.5"' in page.text
        for wrong in ({"block_at": "900"}, {"margin_share": "7"}, {"fallback": "x"}):
            got = await mia.post("/merchants", **{**setting, "made_from": "1", **wrong})
            assert got.status == 422, wrong
            assert next(iter(wrong)) in got.text
        assert (await mia.post("/merchants", **setting)).status == 422  # made from 0
        assert (await mia.post("/merchants", merchant="m1", made_from="1")).status == 303
        assert (records["m1"].block_at, records["m1"].costs) == (None, {})

    asyncio.run(play())
