"""Every page in a browser: in light and dark, at 200%, on a phone, and with hostile text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.agents.web.console.test_hostile_text import HOSTILE, pages_with, put_everywhere
from tests.browser.looking import KINDS, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation

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
    page = visit("ann", **KINDS[kind])
    by(page, "card_1_with_its_token")
    wrong: list[str] = []
    for name, path in PAGES.items():
        if name == "sign-in":
            page.context.clear_cookies()
        page.goto(path)
        wrong += look(page, name, kind)
    assert not wrong, "\n".join(wrong)


def test_times_are_in_the_readers_zone(visit: Callable[..., Page]) -> None:
    page = visit("bob")
    page.goto("/charge?id=ch_0059_made")
    time = page.locator("time").first
    shown, at = time.inner_text(), time.get_attribute("datetime")
    assert at is not None
    hour = (int(at[11:13]) + 9) % 24  # Tokyo
    assert re.search(rf"\b0?{hour % 12 or 12}:", shown), (shown, at)


def test_on_a_phone_the_header_leaves_room(visit: Callable[..., Page]) -> None:
    page = visit("ann", **KINDS["phone"])
    for path in ("/", "/users"):
        page.goto(path)
        here = page.locator("header nav [aria-current]").bounding_box()
        header = page.locator("header").bounding_box()
        assert here is not None
        assert header is not None
        assert header["height"] <= 120, "of 800"
        assert 0 <= here["x"] <= 390 - here["width"], "the page that is open is in sight"
    for path, rows in (("/users", "tbody tr"), ("/?days=7", "table.days tbody tr")):
        page.goto(path)
        heights = {
            row.bounding_box()["height"]  # type: ignore[index]
            for row in page.locator(rows).all()
        }
        assert max(heights) < 60, "a name, and a day, is a line"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_runs_nothing(
    visit: Callable[..., Page], installation: Installation, text: str
) -> None:
    put_everywhere(installation, text)
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
    for path in pages_with(text):
        page.goto(path)
        if page.locator("[hx-get]").count():
            page.wait_for_load_state("networkidle")
