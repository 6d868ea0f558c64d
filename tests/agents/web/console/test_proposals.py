"""Rules by four eyes: proposed by one manager, put in force or declined by another."""

from __future__ import annotations

import asyncio
import html
import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
import pytest

from agents.policy.proposals import ProposalBook
from agents.web.console.backtests import Backtests
from schemas.proposals import RulesProposal, encode_proposal
from tests.agents.web.console.conftest import ROLES
from tests.agents.web.console.installation import Installation
from tests.agents.web.console.made_work import work
from tests.agents.web.console.test_hostile_text import HOSTILE, check
from tests.agents.web.console.test_rules import TEXT, manager, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agents.web.console.browser import Answer, Browser


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path, four_eyes=True)
    for name, role in ROLES.items():
        made.add_user(name, role)
    yield made
    made.close()


def number_of(answer: Answer) -> str:
    """Return the id of the proposal that an answer leads to."""
    assert answer.status == 303, answer.text
    [number] = re.findall(r"^/rules/proposal\?id=([0-9a-f]{16})$", answer.header("location"))
    return str(number)


def text_of(answer: Answer) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


async def proposed(browser: Browser, text: str = TEXT, made_from: int = 0) -> str:
    return number_of(await browser.post("/rules", **put(text, made_from)))


def test_another_manager_puts_a_proposal_in_force(installation: Installation) -> None:
    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        records = installation.policy.rules().records
        number = await proposed(mia)
        assert records == {}
        page = await ann.get("/rules")
        assert f"/rules/proposal?id={number}" in page.text
        page = await ann.get(f"/rules/proposal?id={number}")
        assert "+block if :card_country: != :ip_country:" in html.unescape(page.text)
        assert "Put in force" in page.text
        own = await mia.get(f"/rules/proposal?id={number}")
        assert "Put in force" not in own.text
        assert "Withdraw" in own.text
        refused = await mia.post("/rules/proposal/approve", id=number, note="")
        assert refused.status == 409
        assert "nobody puts in force what they have proposed themselves" in refused.text
        assert records == {}
        done = await ann.post("/rules/proposal/approve", id=number, note="agreed")
        assert (done.status, done.header("location")) == (303, "/rules?merchant=%2A")
        record = records["*"]
        assert (record.version, record.text, record.by) == (1, TEXT, "mia")
        assert record.note == "why; approved by ann"
        page = await mia.get(f"/rules/proposal?id={number}")
        assert "Put in force by ann as version 1" in text_of(page)
        assert "formaction" not in page.text
        for decision in ("approve", "decline"):
            again = await ann.post(f"/rules/proposal/{decision}", id=number, note="x")
            assert again.status == 409
            assert "ann has approved it already" in again.text
        assert records["*"].version == 1
        audit = text_of(await ann.get("/audit"))
        assert "mia rules proposed *, proposal " + number + " why" in audit
        assert "ann rules approved *, version 1 proposed by mia; agreed" in audit
        assert "mia rules changed *, version 1 why; approved by ann" in audit

    asyncio.run(play())


def test_a_proposal_is_declined_with_a_note_or_withdrawn(installation: Installation) -> None:
    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        first, second = await proposed(mia), await proposed(mia, "block if :risk: > 9")
        silent = await ann.post("/rules/proposal/decline", id=first, note=" ")
        assert silent.status == 422
        assert len(installation.policy.proposals().waiting) == 2
        assert (await ann.post("/rules/proposal/decline", id=first, note="too wide")).status == 303
        assert (await mia.post("/rules/proposal/decline", id=second, note="oh")).status == 303
        page = text_of(await mia.get(f"/rules/proposal?id={first}"))
        assert "Declined by ann" in page
        assert "too wide" in page
        page = text_of(await ann.get(f"/rules/proposal?id={second}"))
        assert "Withdrawn by mia" in page
        assert (await ann.post("/rules/proposal/approve", id=second, note="")).status == 409
        assert installation.policy.rules().records == {}
        assert installation.policy.proposals().waiting == []
        audit = text_of(await ann.get("/audit"))
        assert f"ann rules declined *, proposal {first} proposed by mia; too wide" in audit

    asyncio.run(play())


def test_a_stale_proposal_is_not_put_in_force_but_taken_up_again(
    installation: Installation,
) -> None:
    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        records = installation.policy.rules().records
        stale, other = await proposed(mia), await proposed(mia, "block if :risk: > 9")
        await ann.post("/rules/proposal/approve", id=other, note="")
        page = await ann.get(f"/rules/proposal?id={stale}")
        assert "made from version 0, and version 1 by mia is in force by now" in text_of(page)
        assert "formaction" not in page.text
        assert "-block if :risk: > 9" in html.unescape(page.text)
        refused = await ann.post("/rules/proposal/approve", id=stale, note="")
        assert refused.status == 409
        assert "this was made from version 0" in refused.text
        assert records["*"].version == 1
        page = await ann.get(f"/rules?merchant=*&proposal={stale}")
        assert page.status == 200
        assert 'name="made_from" value="1"' in page.text
        assert TEXT in html.unescape(page.text)
        again = await proposed(ann, TEXT, 1)
        assert (await mia.post("/rules/proposal/approve", id=again, note="")).status == 303
        assert (records["*"].version, records["*"].text, records["*"].by) == (2, TEXT, "ann")
        late = await ann.post("/rules", **put("review if :risk: > 5", 1))
        assert late.status == 409
        assert "version 2 by ann is there" in html.unescape(late.text)
        wrong = await ann.post("/rules", **put("block when :risk:", 2))
        assert wrong.status == 409
        assert "1 mistake" in wrong.text
        assert len(installation.policy.proposals().waiting) == 1  # the stale one

    asyncio.run(play())


def test_switching_a_rule_and_rolling_back_are_proposed_too(installation: Installation) -> None:
    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        records = installation.policy.rules().records
        await ann.post("/rules/proposal/approve", id=await proposed(mia), note="")
        switch = {"merchant": "*", "rule": "abroad", "made_from": "1"}
        number = number_of(await mia.post("/rules/shadow", **switch))
        assert records["*"].text == TEXT
        page = await ann.get(f"/rules/proposal?id={number}")
        assert "abroad: in shadow" in page.text
        await ann.post("/rules/proposal/approve", id=number, note="")
        assert "\nshadow block if :card_country:" in records["*"].text
        back = {"merchant": "*", "version": "1", "made_from": "2"}
        number = number_of(await ann.post("/rules/rollback", **back))
        assert records["*"].version == 2
        assert (await ann.post("/rules/proposal/approve", id=number, note="")).status == 409
        await mia.post("/rules/proposal/approve", id=number, note="")
        assert (records["*"].version, records["*"].text) == (3, TEXT)
        assert records["*"].note == "back to version 1; approved by mia"

    asyncio.run(play())


def test_who_may_do_what_with_a_proposal(installation: Installation) -> None:
    async def play() -> None:
        mia, bob = await manager(installation), await manager(installation, "bob")
        number = await proposed(mia)
        page = await bob.get(f"/rules/proposal?id={number}")
        assert page.status == 200
        assert '<form method="post" action="/rules' not in page.text
        for what in ("approve", "decline"):
            assert (await bob.post(f"/rules/proposal/{what}", id=number, note="x")).status == 403
        gone = await mia.get("/rules/proposal?id=0000000000000000")
        assert gone.status == 404
        gone = await mia.get("/rules?merchant=*&proposal=0000000000000000")
        assert gone.status == 404
        gone = await mia.post("/rules/proposal/approve", id="0000000000000000", note="")
        assert gone.status == 409
        assert "no such proposal" in gone.text

    asyncio.run(play())


def test_it_is_an_option(tmp_path: Path) -> None:
    """What waits when it is switched off can still be decided."""
    both = Installation(tmp_path, four_eyes=True)
    both.add_user("mia", "manager")
    both.add_user("ann", "administrator")

    async def play() -> None:
        mia = await manager(both)
        number = await proposed(mia)
        both.settings = both.settings.__class__()
        both._console = both._console._replace(settings=both.settings)
        mia, ann = await manager(both), await manager(both, "ann")
        assert (await mia.post("/rules", **put("block if :risk: > 9"))).status == 303
        assert both.policy.rules().records["*"].version == 1
        assert number in (await ann.get("/rules")).text
        assert (await ann.post("/rules/proposal/decline", id=number, note="old")).status == 303

    asyncio.run(play())
    both.close()


def test_a_record_that_is_none_is_passed_over() -> None:
    book, good = ProposalBook(), RulesProposal("0" * 16, "*", "", 0, "mia", 5.0)
    book.take(good.id.encode(), encode_proposal(good))
    book.take(b"1" * 16, encode_proposal(good))
    book.take(b"2" * 16, b"{}")
    book.take(b"3" * 16, b"\xff")
    assert list(book.records) == [good.id]
    book.take(good.id.encode(), None)
    assert book.records == {}


def test_a_long_note_has_both_names_all_the_same(installation: Installation) -> None:
    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        sent = {**put(TEXT), "note": "x" * 1000}
        number = number_of(await mia.post("/rules", **sent))
        assert (await ann.post("/rules/proposal/approve", id=number, note="y" * 1000)).status == 303
        note = installation.policy.rules().records["*"].note
        assert len(note) == 1000
        assert note.endswith("; approved by ann")

    asyncio.run(play())


def test_hostile_text_is_text_in_proposals_and_backtests(installation: Installation) -> None:
    """Whatever the name of a merchant, a note, and a text of rules are."""
    installation.backtests = Backtests(partial(work, installation.directory))

    async def play() -> None:
        mia, ann = await manager(installation), await manager(installation, "ann")
        for text in HOSTILE:
            if not text.isprintable():  # no rules are written with it
                continue
            rules = f"# a: {text}\nblock if :card: = {orjson.dumps(text).decode()}"
            sent = {"merchant": text, "text": rules, "made_from": "0", "note": text}
            number = number_of(await mia.post("/rules", **sent))
            value = quote(text, safe="")
            for path in (
                f"/rules/proposal?id={number}", f"/rules?merchant={value}&proposal={number}",
                f"/rules?merchant={value}", f"/rules/proposal?id={value}",
            ):  # fmt: skip
                told = check((await ann.get(path)).text)
                assert path.endswith(value) or text in told, path
            check((await ann.post("/rules/backtest", merchant=text, text=rules, days="0")).text)
            while "hx-get" in (shown := (await ann.get("/rules/backtest")).text):
                check(shown)
            assert text in check(shown)
            await ann.post("/rules/proposal/decline", id=number, note=text)
            assert text in check((await mia.get(f"/rules/proposal?id={number}")).text)
        check((await ann.get("/audit")).text)

    asyncio.run(play())
