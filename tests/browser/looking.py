"""A page as people see it: a screenshot, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.conftest import SHOTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "zoomed": {"viewport": {"width": 640, "height": 450}},  # what 1280 pixels are at 200%
    "phone": {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True},
}
"""How people look at a page."""

AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def look(page: Page, name: str, kind: str) -> list[str]:
    """Keep a picture of a page; return what does not fit, and what some people cannot use."""
    page.wait_for_load_state("networkidle")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{kind}.png", full_page=True)
    needed, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    wrong = [f"{name}: {needed} pixels wide"] if needed > there else []
    told = page.evaluate(f"{AXE}; axe.run()")
    assert told["passes"]
    return wrong + [
        f"{name}: {each['id']} at {node['target']}"
        for each in told["violations"]
        for node in each["nodes"][:2]
    ]
