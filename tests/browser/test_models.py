"""Models in a browser: how well they are calibrated is looked at, and a challenger is promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.control import decode_champion
from tests.browser.test_figures import put_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation


def is_in_sight(page: Page, selector: str) -> None:
    """Check that nobody has to scroll sideways to something."""
    place, frame = page.locator(selector).bounding_box(), page.locator("main").bounding_box()
    assert place is not None
    assert frame is not None
    assert place["x"] + place["width"] <= frame["x"] + frame["width"]


def test_a_challenger_is_promoted_frozen_and_rolled_back(
    visit: Callable[..., Page], installation: Installation
) -> None:
    put_figures(installation)
    page = visit("mia")
    page.goto("/models")
    page.wait_for_selector("#calibration-told")
    assert page.locator("svg[aria-label^='Calibration of']").count() == 2
    assert page.inner_text("tbody tr:first-child td:first-child") == "additive"
    is_in_sight(page, "button:text('Promote linear')")
    page.click("text=Promote linear")
    page.wait_for_selector("text=linear scores")
    assert page.locator("tbody tr").first.inner_text().split()[:2] == ["linear", "champion"]
    page.click("text=Freeze")
    page.wait_for_selector("text=linear scores, frozen")
    page.click("text=Unfreeze")
    page.wait_for_selector("button:has-text('Freeze:')")
    page.click("text=Roll back to additive")
    page.wait_for_selector("text=additive scores, frozen")
    champion = decode_champion(installation.written[-1][-1].value or b"")
    assert champion.name == "additive"
