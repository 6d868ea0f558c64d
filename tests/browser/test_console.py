"""What people do by the console, in a browser: with the keyboard, in light and dark, on a phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.kafka.editor import Written
from tests.agents.web.console.installation import NAMES, charge_of, scored
from tests.agents.web.console.test_hostile_text import HOSTILE
from tests.browser.conftest import SHOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation

AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
PAGES = {
    "overview": "/?days=7",
    "reviews": "/reviews",
    "charge": "/charge?id=ch_0050_made&queue=sort%3Drisk",
    "card": "/history?kind=card&value=card_1_with_its_token",
    "merchant": "/history?kind=merchant&value=acct_1",
    "search": "/search?id=c",
    "rules": "/rules",
    "version": "/rules/version?merchant=*&version=2",
    "lists": "/lists?list=watched",
    "merchants": "/merchants",
    "models": "/models",
    "rejected": "/rejected",
    "rejected-input": "/rejected/0/0",
    "audit": "/audit",
    "health": "/health",
    "users": "/users",
    "password": "/password",
    "problem": "/nothing",
    "sign-in": "/sign-in",
}
KINDS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "zoomed": {"viewport": {"width": 640, "height": 450}},  # what 1280 pixels are at 200%
    "phone": {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True},
}


def by(page: Page, name: str) -> None:
    """Write by hand what a page has to show."""
    page.goto("/rules")
    for text in ("# far: Abroad\nblock if :card_country: != :ip_country:", "review if :risk: > 90"):
        page.fill("[name=text]", text)
        page.click("text=Put in force")
    page.goto("/lists")
    page.fill("[name=list]", "watched")
    page.fill("[name=value]", name)
    page.click("button:text('Put on the list')")


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_accessible_and_fits(visit: Callable[..., Page], kind: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = visit("ann", **KINDS[kind])
    by(page, "card_1_with_its_token")
    wrong: list[str] = []
    for name, path in PAGES.items():
        if name == "sign-in":
            page.context.clear_cookies()
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=SHOTS / f"{name}-{kind}.png", full_page=True)
        needed, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if needed > there:
            wrong.append(f"{name}: {needed} pixels wide")
        told = page.evaluate(f"{AXE}; axe.run()")
        assert told["passes"]
        wrong += [
            f"{name}: {each['id']} at {node['target']}"
            for each in told["violations"]
            for node in each["nodes"][:2]
        ]
    assert not wrong, "\n".join(wrong)


def test_ten_reviews_are_worked_off_by_keyboard(
    visit: Callable[..., Page], installation: Installation
) -> None:
    page = visit("bob")
    page.goto("/reviews?sort=risk")
    page.keyboard.press("s")
    page.wait_for_url(re.compile("/charge"))
    seen = []
    for number in range(10):
        seen.append(page.inner_text("p strong"))
        with page.expect_navigation():
            page.keyboard.press("f" if number % 2 else "g")
    outcomes = [
        orjson.loads(each.value or b"")
        for records in installation.written
        for each in records
        if each.topic == NAMES.outcomes
    ]
    assert [each["charge"] for each in outcomes] == seen
    assert len(set(seen)) == 10
    assert [each["outcome"] for each in outcomes] == ["review_genuine", "review_fraud"] * 5
    assert {each["by"] for each in outcomes} == {"bob"}
    page.keyboard.press("n")
    page.keyboard.type("ask the merchant")
    page.keyboard.press("Escape")
    page.click("text=Add the note")
    assert "ask the merchant" in page.inner_text(".note")
    page.keyboard.press("?")
    assert "back to the queue" in page.inner_text("#keys")
    page.keyboard.press("Escape")
    with page.expect_navigation():
        page.keyboard.press("q")
    for key in ("j", "j", "k", "x"):
        page.keyboard.press(key)
    assert page.locator("input[name=marked]:checked").count() == 1
    assert page.locator("tr[data-row]").first.locator("input").is_checked()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "/charge" in page.url


def test_a_rule_is_tried_as_it_is_written_and_rolled_back(
    visit: Callable[..., Page], installation: Installation
) -> None:
    page = visit("mia")
    page.goto("/rules")
    page.keyboard.press("e")
    page.keyboard.type("block if :amout_usd: > 5")
    page.wait_for_selector("text=did you mean")
    page.fill("[name=text]", "# large: A large amount\nblock if :amount_usd: > 500")
    page.wait_for_selector("text=No mistakes: 1 rule")
    assert "+block if :amount_usd: > 500" in page.inner_text("#checked")
    page.fill("[name=note]", "after last night")
    page.click("text=Put in force")
    page.wait_for_selector("text=Version 1 is in force")
    page.click("button:has-text('To shadow')")
    page.wait_for_selector("text=in shadow")
    page.click("td a:text-is('1')")
    page.click("text=Put version 1 in force again")
    page.wait_for_selector("text=Version 3 is in force")
    assert installation.policy.rules().records["*"].text.startswith("# large")


def test_times_are_in_the_readers_zone(visit: Callable[..., Page]) -> None:
    page = visit("bob")
    page.goto("/charge?id=ch_0059_made")
    time = page.locator("time").first
    shown, at = time.inner_text(), time.get_attribute("datetime")
    assert at is not None
    hour = (int(at[11:13]) + 9) % 24  # Tokyo
    assert re.search(rf"\b0?{hour % 12 or 12}:", shown), (shown, at)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_runs_nothing(
    visit: Callable[..., Page], installation: Installation, text: str
) -> None:
    same = {"card": text, "merchant": text}
    more = {"device": text, "ip": text, "email": text, text: text}
    installation.put([Written(NAMES.charges, text.encode(), charge_of(text, **same, **more))])
    reasons = [{"feature": text, "value": 1.0, "text": text}]
    installation.put(
        [Written(NAMES.scored, text.encode(), scored(text, **same, reasons=reasons, model=text))]
    )
    page = visit("ann")
    page.goto("/reviews?sort=newest")
    page.locator("tr[data-row] a").first.click()
    page.wait_for_selector("#around")
    page.locator("dl.facts a").first.click()
    page.wait_for_selector("h1")
    page.fill("[name=id]", text)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto("/rules")
    page.fill("[name=text]", f"# {text}\nblock if {text}")
    page.wait_for_selector("#checked p")
    page.fill("[name=note]", text)
    with page.expect_navigation():
        page.click("text=Put in force")
    page.goto("/audit")


def test_a_role_is_refused_what_it_may_not_do(
    visit: Callable[..., Page], installation: Installation
) -> None:
    page = visit("vic")
    page.goto("/charge?id=ch_0050_made")
    assert page.locator("main form").count() == 0
    page.goto("/users")
    assert "needs the role administrator" in page.inner_text("[role=alert]")
    page.goto("/rejected/0/0")
    assert page.locator("main form").count() == 0
    assert installation.policy.rules().records == {}


def test_a_rejected_input_is_mended_and_published(
    visit: Callable[..., Page], installation: Installation
) -> None:
    page = visit("mia")
    page.goto("/rejected")
    page.click("text=Look")
    page.click("text=Publish to charges")
    page.wait_for_selector("text=Not published")
    payload = page.input_value("[name=payload]")
    page.fill("[name=payload]", payload.replace('"19.99"', "1999"))
    page.click("text=Publish to charges")
    page.wait_for_selector("text=ch_rejected is on charges again")
    assert installation.written[-1][-1].topic == NAMES.charges
