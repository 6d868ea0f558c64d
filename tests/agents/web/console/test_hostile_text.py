"""Strings that would like to be something else, in every field: pages show them as they are."""

from __future__ import annotations

import asyncio
import html
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
import pytest

from schemas.charge import Charge
from schemas.printable import printable
from streams.features.entities import FEATURES
from streams.kafka.editor import Written
from tests.agents.web.console.browser import Browser
from tests.agents.web.console.installation import NAMES, charge_of, scored

if TYPE_CHECKING:
    from tests.agents.web.console.installation import Installation

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</textarea></title><svg onload=alert(1)>",
    "{{ 7*7 }}{% include 'base.html' %}",
    "';DROP TABLE charges;--",
    "a\x1b[2J\u202egnp\x00",
    "%_\\",
    "\U0001f600 ü",
)
_TAGS = {
    "a", "b", "body", "br", "button", "circle", "code", "datalist", "dd", "details", "dialog",
    "div", "dl", "dt", "form", "h1", "h2", "h3", "head", "header", "html", "input", "kbd", "label",
    "li", "line", "link", "main", "meta", "nav", "ol", "option", "p", "path", "pre",
    "progress", "rect",
    "script", "section", "select", "span", "strong", "summary", "svg", "table", "tbody", "td",
    "text", "textarea", "th", "thead", "time", "title", "tr", "ul",
}  # fmt: skip


class Strict(HTMLParser):
    """Notes what a browser would run, or load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.wrong.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.wrong.append(f"{tag} {name}")
            is_address = name in {"href", "src", "action", "formaction", "hx-get", "hx-post"}
            if is_address and not (value or "").startswith(("/", "#")):
                self.wrong.append(f"{tag} {name}={value}")
            if tag == "script" and name not in {"src", "defer"}:
                self.wrong.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and data.strip():
            self.wrong.append(f"{self.cdata_elem}: {data}")
        self.text.append(data)


def check(page: str) -> str:
    """Return what a page says, given that nothing in it is run."""
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.wrong == []
    return "".join(parser.text)


def put_everywhere(installation: Installation, text: str) -> None:
    """Put a text into every field of charges, and of all that is about them."""
    put = installation.put
    optional = {
        name: text
        for name in Charge.__struct_fields__
        if name not in {"id", "created", "amount", "currency", "card", "merchant"}
    }
    same = {"card": text, "merchant": text}
    key = text.encode()
    put([Written(NAMES.charges, key, charge_of(text, **same, **optional, **{text: text}))])
    reasons = [{"feature": text, "value": 1.0, "text": text}]
    rules = [{"id": text, "action": "review", "shadow": True}]
    more = {"reasons": reasons, "rules": rules, "rule_set": text, "model": text, text: text,
            "decided_by": f"rule:{text}", "ignored": [text], "masked": [text]}  # fmt: skip
    put([Written(NAMES.scored, key, scored(text, **same, **more))])
    put([Written(NAMES.scored, key, scored(f"{text}2", **same, action="block"))])
    about = {"charge": text, "card": text, "merchant": text, "created": time.time()}
    dispute = {"id": text, **about, "reason": text}
    outcome = {"id": text, **about, "outcome": "authorized", "by": text}
    put([Written(NAMES.disputes, key, orjson.dumps(dispute))])
    put([Written(NAMES.outcomes, key, orjson.dumps(outcome))])
    header = text.encode()
    names = ("error", "topic", "partition", "offset")
    put(
        [Written(NAMES.rejected, key, key)],
        list(zip(names, (header, header, b"0", b"1"), strict=True)),
    )
    vector = {feature.name: 1.0 for feature in FEATURES}
    installation.vectors.kept[text] = installation.vectors.kept[f"{text}2"] = vector


def pages_with(text: str) -> list[str]:
    """Return pages that show a text, or are asked for by it."""
    value = quote(text, safe="")
    return [
        "/", "/reviews", f"/reviews?merchant={value}&sort={value}", f"/charge?id={value}",
        f"/charge?id={value}&card={value}&queue={value}", f"/search?id={value}",
        f"/search?id={value[:3]}", f"/history?kind=card&value={value}", "/rejected/0/0",
        f"/history?kind=merchant&value={value}", f"/history?kind=email&value={value}",
        f"/history?kind={value}&value={value}", "/rejected", f"/rejected?reason={value}",
        f"/rules?merchant={value}", f"/lists?list=watched&begins={value}",
        "/lists?list=watched", f"/lists?list={value}", f"/merchants?merchant={value}",
        "/audit", f"/audit?by={value}", f"/aggregates?kind=card&id={value}",
        f"/aggregates?kind={value}&id={value}", f"/merchants/holds?merchant={value}",
        f"/rules/version?merchant={value}&version={value}", f"/sign-in?next={value}", "/models",
        f"/{value}",
    ]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_text_on_every_page(installation: Installation, text: str) -> None:
    async def play() -> None:
        put_everywhere(installation, text)
        app = installation.app()
        bob, mia = Browser(app), Browser(app)
        await bob.sign_in("bob")
        await mia.sign_in("ann")
        form = {"charge": text, "card": text, "text": text}
        assert (await bob.post("/charge/note", **form, queue="")).status == 303
        await mia.post("/lists", list="watched", value=text, note=text)
        await mia.post("/rules", merchant=text, text=f"# a: {text}", made_from="0", note=text)
        await mia.post("/merchants", merchant=text, block_at=text, made_from="0", note=text)
        for path in pages_with(text):
            page = await mia.get(path)
            assert page.status in {200, 303, 404, 422}, (path, page.status)
            told = check(page.text)
            assert not any(raw in told for raw in ("\x1b", "\u202e", "\x00")), path
            if path.startswith("/charge"):
                assert printable(text) in told
        for path, fields in (
            ("/rules/check", {"merchant": text, "text": text}),
            ("/rules", {"merchant": text, "text": text, "made_from": "0"}),
            ("/rejected/0/0", {"payload": text}),
            ("/merchants", {"merchant": "m", "made_from": text}),
            ("/users", {"name": text, "role": "viewer", "password": text * 20}),
            ("/models", {"decision": "promote", "model": text}),
            ("/sign-in", {"name": text, "password": text, "next": text}),
        ):  # fmt: skip
            check((await mia.post(path, **fields)).text)

    asyncio.run(play())


def test_a_rejected_input_is_published_again_when_it_is_mended(
    installation: Installation,
) -> None:
    async def play() -> None:
        payload = charge_of("c9", amount="19.99")
        headers = [("error", b"amount: expected an integer"), ("topic", b"charges"),
                   ("partition", b"0"), ("offset", b"5")]  # fmt: skip
        installation.put([Written(NAMES.rejected, b"card_of_c9", payload)], headers)
        mia = Browser(installation.app())
        await mia.sign_in("mia")
        page = await mia.get("/rejected/0/0")
        assert '"19.99"' in html.unescape(page.text)
        again = await mia.post("/rejected/0/0", payload=payload.decode())
        assert again.status == 422
        assert "amount: expected an integer" in html.unescape(again.text)
        before = len(installation.written)
        mended = payload.decode().replace('"19.99"', "1999")
        assert (await mia.post("/rejected/0/0", payload=mended)).status == 303
        [records] = installation.written[before:]
        assert [each.topic for each in records] == [NAMES.audit, NAMES.charges]
        assert (records[1].key, records[1].value) == (b"card_of_c9", mended.encode())

    asyncio.run(play())
