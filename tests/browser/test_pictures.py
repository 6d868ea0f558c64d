"""The pictures of the pages that people read about: an installation with weeks of charges."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from agents.web.console.worker_lag import Lag, WorkerLag
from tests.browser.conftest import SHOTS
from tests.browser.lived_in import RULES, live

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation

BYTES_MAX = 150_000
COLOURS = 128


def take(page: Page, name: str) -> None:
    """Take a picture of what is on the screen, with a palette in place of true colours."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    file = SHOTS / "pictures" / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size <= BYTES_MAX


@pytest.fixture
def fill(tmp_path: Path) -> Callable[[Installation], None]:
    return partial(live, directory=tmp_path)


def test_pictures_of_an_installation_in_use(
    visit: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerLag, "lags", lambda _: [Lag("charges", 4, 2)])
    size: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"}
    mia, bob, eve = (visit(name, **size) for name in ("mia", "bob", "eve"))
    mia.goto("/rules")
    for text, note in (
        (RULES.partition("# quick")[0].replace("review", "shadow review"), "see what it matches"),
        (RULES, "it was right in nine of ten; and see who is in a hurry"),
    ):
        mia.fill("[name=text]", text)
        mia.fill("[name=note]", note)
        mia.click("text=Put in force")
    mia.goto("/rules")
    mia.wait_for_selector("text=Doubly robust")
    take(mia, "rules")
    bob.goto("/?days=7")
    take(bob, "overview")
    for person in (eve, bob):
        person.goto("/reviews?sort=risk")
        person.keyboard.press("s")
        person.wait_for_selector("#around")
    bob.set_viewport_size({"width": 1280, "height": 1500})
    take(bob, "charge")
    bob.set_viewport_size(size["viewport"])
    bob.goto("/reviews?sort=newest")
    take(bob, "reviews")
