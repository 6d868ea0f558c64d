"""What people do by the console, in a browser: the short form of these tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from tests.agents.web.console.installation import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation


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
    assert "-shadow block if :amount_usd: > 500" in page.inner_text("main")
    page.click("text=Put version 1 in force again")
    page.wait_for_selector("text=Version 3 is in force")
    assert installation.policy.rules().records["*"].text.startswith("# large")


def test_a_charge_is_found_by_the_beginning_of_its_id(visit: Callable[..., Page]) -> None:
    page = visit("vic")
    page.keyboard.press("/")
    page.keyboard.type("ch_0042")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.click("a:has-text('ch_0042_made')")
    page.wait_for_selector("h1:has-text('at acct_0')")
    assert "ch_0042_made" in page.inner_text("main")


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
    page.click("tr:has-text('published again') >> text=Look")
    assert "Published again as ch_rejected by mia" in page.inner_text("main")


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
