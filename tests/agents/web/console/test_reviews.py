"""Reviews: claimed, decided, noted; the first claim wins, and everything is an event."""

from __future__ import annotations

import asyncio
import html
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson

from schemas.reviews import decode_review
from schemas.validation import parse_outcome
from streams.kafka.editor import Written
from tests.agents.web.console.browser import Browser
from tests.agents.web.console.installation import NAMES, charge_of, scored
from tests.docs.exported import lacking

if TYPE_CHECKING:
    from tests.agents.web.console.browser import Answer
    from tests.agents.web.console.installation import Installation


def wait_for_review(installation: Installation, *charges: str, **changed: object) -> None:
    for charge in charges:
        card = f"card_of_{charge}".encode()
        installation.put([Written(NAMES.scored, card, scored(charge, **changed))])


async def analyst(installation: Installation, name: str = "bob") -> Browser:
    browser = Browser(installation.app())
    await browser.sign_in(name)
    return browser


def of(charge: str, **more: str) -> dict[str, str]:
    return {"charge": charge, "card": f"card_of_{charge}", "before": "", "queue": "", **more}


def went_to(answer: Answer) -> str:
    """Return the charge that a browser is sent to."""
    assert answer.status == 303, answer.text
    return parse_qs(urlsplit(answer.header("location")).query).get("id", [""])[0]


def outcomes(installation: Installation) -> list[dict[str, Any]]:
    return [
        orjson.loads(each.value or b"")
        for records in installation.written
        for each in records
        if each.topic == NAMES.outcomes
    ]


def test_a_verdict_is_an_outcome_with_its_line_in_the_audit_log(
    installation: Installation,
) -> None:
    async def play() -> None:
        wait_for_review(installation, "c1", "c2")
        bob = await analyst(installation)
        began = time.time()
        assert went_to(await bob.post("/charge/verdict", **of("c1"), verdict="fraud")) == "c1"
        [records] = [each for each in installation.written if len(each) == 2]
        audit, record = records
        assert audit.topic == NAMES.audit
        event, _ = parse_outcome(record.value, record.key, time.time() + 60)
        assert record.key == b"card_of_c1"
        assert (event.charge, event.card, event.merchant) == ("c1", "card_of_c1", "shop")
        assert event.outcome == "review_fraud"
        assert began - 1 <= event.created <= time.time()
        act = installation.log.acts[-1]
        assert (act.by, act.action, act.subject, act.note) == ("bob", "verdict", "c1", "fraud")
        page = html.unescape((await bob.get("/charge?id=c1&card=card_of_c1")).text)
        assert "c1 found to be fraud" in page
        assert "review fraud by bob" in page
        queue = await bob.get("/reviews")
        assert "1 of 1 that wait" in queue.text
        assert "c2" in queue.text

    asyncio.run(play())


def test_the_queue_is_worked_off_one_by_one(installation: Installation) -> None:
    async def play() -> None:
        for number in range(4):
            wait_for_review(installation, f"c{number}", risk=90 + number)
        bob = await analyst(installation)
        queue = {"queue": "sort=risk"}
        assert went_to(await bob.post("/reviews/next", **queue)) == "c3"
        told = await bob.post("/charge/verdict", **of("c3", **queue), verdict="genuine")
        assert went_to(told) == "c2"
        assert went_to(await bob.post("/reviews/next", **of("c2", **queue))) == "c1"  # left
        told = await bob.post("/charge/verdict", **of("c1", **queue), verdict="fraud")
        assert went_to(told) == "c0"
        last = await bob.post("/charge/verdict", **of("c0", **queue), verdict="fraud")
        assert last.header("location") == "/reviews?sort=risk"
        assert "Nothing else waits" in (await bob.get("/reviews?sort=risk")).text
        assert [each["charge"] for each in outcomes(installation)] == ["c3", "c1", "c0"]
        claims = [
            decode_review(each.value or b"")
            for records in installation.written
            for each in records
            if each.topic == NAMES.reviews
        ]
        assert [(each.kind, each.charge) for each in claims] == [
            ("claim", "c3"), ("claim", "c2"), ("release", "c2"), ("claim", "c1"), ("claim", "c0"),
        ]  # fmt: skip

    asyncio.run(play())


def test_the_first_claim_wins_and_the_other_is_told(installation: Installation) -> None:
    async def play() -> None:
        wait_for_review(installation, "c1", "c2")
        bob, eve = await analyst(installation), await analyst(installation, "eve")
        assert went_to(await bob.post("/charge/claim", **of("c1"))) == "c1"
        for path in ("/charge/claim", "/charge/verdict"):
            refused = await eve.post(path, **of("c1"), verdict="fraud")
            assert refused.status == 409
            assert "bob works at this charge" in refused.text
        assert outcomes(installation) == []
        page = await eve.get("/charge?id=c1")
        assert "bob works at this charge until" in page.text
        assert 'data-key="f"' not in page.text
        assert went_to(await eve.post("/reviews/next", queue="")) == "c2"
        done = await eve.post("/reviews/marked", marked=['["c1","card_of_c1"]'], verdict="fraud")
        assert done.status == 303
        assert "1 were left" in (await eve.get("/reviews")).text
        assert outcomes(installation) == []
        assert (await bob.post("/charge/claim", **of("c1"), kind="release")).status == 303
        assert (await eve.post("/charge/claim", **of("c1"))).status == 303
        assert (await bob.post("/charge/verdict", **of("c1"), verdict="fraud")).status == 409

    asyncio.run(play())


def test_a_verdict_that_others_have_given_meanwhile_stays(installation: Installation) -> None:
    async def play() -> None:
        wait_for_review(installation, "c1")
        bob, eve = await analyst(installation), await analyst(installation, "eve")
        assert (await bob.post("/charge/verdict", **of("c1"), verdict="fraud")).status == 303
        late = await eve.post("/charge/verdict", **of("c1"), verdict="genuine")
        assert late.status == 409
        assert "meanwhile it was found to be fraud" in late.text
        seen = {**of("c1"), "before": "fraud", "verdict": "genuine"}
        assert (await eve.post("/charge/verdict", **seen)).status == 303
        assert [each["outcome"] for each in outcomes(installation)] == [
            "review_fraud", "review_genuine",
        ]  # fmt: skip

    asyncio.run(play())


def test_many_are_decided_at_once_all_in_one_transaction(installation: Installation) -> None:
    async def play() -> None:
        wait_for_review(installation, *(f"c{number}" for number in range(5)))
        bob = await analyst(installation)
        marked = [f'["c{number}","card_of_c{number}"]' for number in (0, 2, 4)]
        before = len(installation.written)
        assert (await bob.post("/reviews/marked", marked=marked, verdict="genuine")).status == 303
        assert len(installation.written) == before + 1
        assert {each["charge"] for each in outcomes(installation)} == {"c0", "c2", "c4"}
        assert "2 of 2 that wait" in (await bob.get("/reviews")).text
        for wrong in ({"marked": ["x"]}, {"marked": ["[1]"]}, {"marked": marked, "verdict": "x"}):
            got = await bob.post("/reviews/marked", **{"verdict": "fraud", **wrong})
            assert got.status == 422, wrong

    asyncio.run(play())


def test_while_kafka_is_away_pages_are_shown_and_nothing_is_done(
    installation: Installation,
) -> None:
    async def play() -> None:
        wait_for_review(installation, "c1")
        bob = await analyst(installation)
        installation.is_away = True
        assert "1 of 1 that wait" in (await bob.get("/reviews")).text
        before = len(installation.written)
        for path in ("/charge/verdict", "/charge/claim", "/charge/note", "/reviews/next"):
            refused = await bob.post(path, **of("c1"), verdict="fraud", text="x")
            assert refused.status == 503
            assert "Kafka does not answer: nothing was done" in refused.text
        assert len(installation.written) == before
        installation.is_away = False
        assert (await bob.post("/charge/verdict", **of("c1"), verdict="fraud")).status == 303

    asyncio.run(play())


def test_the_queue_is_filtered(installation: Installation) -> None:
    async def play() -> None:
        now = time.time()
        wait_for_review(installation, "c1", merchant="other", risk=50, created=now - 9000)
        wait_for_review(installation, "c2", amount=500_000, risk=99)
        bob = await analyst(installation)
        for query, found in {
            "merchant=other": "c1", "risk_min=90": "c2", "usd_min=1000": "c2", "older_h=2": "c1",
            "newer_h=2": "c2",
            "risk_min=90&merchant=other": "", "risk_min=nonsense": "c1 c2", "sort=x": "c1 c2",
            "after=nonsense": None, "usd_min=1e999": "c1 c2",
        }.items():  # fmt: skip
            got = await bob.get(f"/reviews?{query}")
            if found is None:
                assert got.status == 303
                continue
            assert got.status == 200, query
            shown = {each for each in ("c1", "c2") if f">{each}</a>" in got.text}
            assert shown == set(found.split()), query

    asyncio.run(play())


def test_those_that_are_due_can_be_told_from_those_that_are_overdue(
    installation: Installation,
) -> None:
    async def play() -> None:
        wait_for_review(installation, "c1", "c2", created=time.time() - 30 * 3600.0)
        bob = await analyst(installation)
        assert "none is still in time." in (await bob.get("/reviews")).text
        wait_for_review(installation, "c3", created=time.time() - 3 * 3600.0)
        page = (await bob.get("/reviews?sort=risk")).text
        assert page.count('class="overdue"') == 2
        [link] = re.findall(r'<a href="([^"]+)"[^>]*>1 still in time</a>', page)
        shown = (await bob.get(html.unescape(link))).text
        assert "1 of 3 that wait. Due within 4 hours:" in shown
        assert "all are still in time." in shown
        assert re.findall(r">(c\d)</a>", shown) == ["c3"]

    asyncio.run(play())


def test_notes_have_no_card_numbers(installation: Installation) -> None:
    async def play() -> None:
        wait_for_review(installation, "c1")
        bob = await analyst(installation)
        note = of("c1", text="called them: 4242 4242 4242 4242 is theirs")
        assert (await bob.post("/charge/note", **note)).status == 303
        page = (await bob.get("/charge?id=c1")).text
        assert "called them: **** **** **** **** is theirs" in page
        assert all(b"4242" not in (each.value or b"") for r in installation.written for each in r)
        assert (await bob.post("/charge/note", **of("c1", text="  "))).status == 303

    asyncio.run(play())


def test_viewers_see_no_token_of_a_card(installation: Installation) -> None:
    async def play() -> None:
        card, device = "card_of_c1_with_a_long_token", "device_with_a_long_token"
        installation.put(
            [
                Written(NAMES.charges, card.encode(), charge_of("c1", card=card, device=device)),
                Written(NAMES.scored, card.encode(), scored("c1", card=card)),
                Written(NAMES.scored, card.encode(), scored("c2", card=card)),
            ]
        )
        vic, bob = await analyst(installation, "vic"), await analyst(installation)
        paths = (
            "/reviews", "/charge?id=c1", "/history?kind=card&of=c1", "/history?kind=device&of=c1",
            "/history?kind=merchant&value=shop", "/search?id=card", "/search?id=c",
        )  # fmt: skip
        for path in paths:
            got = await vic.get(path)
            assert got.status == 200, path
            assert card not in got.text, path
            assert device not in got.text, path
        assert "card…oken" in (await vic.get("/charge?id=c1")).text
        assert "2</b><span>charges" in (await vic.get("/history?kind=card&of=c1")).text
        assert (await vic.get("/search?id=c1")).header("location") == "/charge?id=c1"
        page = (await bob.get("/charge?id=c1")).text
        assert card in page
        assert device in page

    asyncio.run(play())


def test_what_there_is_not(installation: Installation) -> None:
    async def play() -> None:
        bob = await analyst(installation)
        for path in (
            "/charge?id=x", "/charge", "/history?kind=card%27", "/rejected/0/7",
            "/rejected/99999999999/0", "/nothing", "/history?kind=card&value=x&after=!!",
        ):  # fmt: skip
            assert (await bob.get(path)).status == 404, path
        for path in ("/", "/reviews", "/search", "/search?id=x", "/rejected", "/health", "/models"):
            got = await bob.get(path)
            assert got.status == 200, path
            assert 'class="empty"' in got.text or path == "/health", path
        assert (await bob.post("/charge/verdict", **of("x"), verdict="fraud")).status == 404

    asyncio.run(play())


def test_metrics_tell_of_the_queue(installation: Installation) -> None:
    async def play() -> None:
        browser = Browser(installation.app())
        made = time.time() - 7200.0
        wait_for_review(installation, "c1", "c2", created=made)
        text = (await browser.get("/metrics")).text
        assert "\nchargewatch_console_reviews_waiting 2.0\n" in text
        [age] = re.findall(r"\nchargewatch_console_oldest_review_seconds (\S+)", text)
        assert 7200.0 <= float(age) < 7300.0
        page = 'page="GET /sign-in",status="200"'
        before = requests_in(text, page)
        await browser.get("/sign-in")
        after = requests_in((await browser.get("/metrics")).text, page)
        assert after == before + 1.0
        assert lacking(text, "agents/web/console/README.md") == set()

    asyncio.run(play())


def requests_in(text: str, labels: str) -> float:
    found = re.findall(rf"\nchargewatch_console_requests_total{{{labels}}} (\S+)", text)
    return float(found[0]) if found else 0.0
