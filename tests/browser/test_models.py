"""Models in a browser: how well they are calibrated is looked at, and a challenger is promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from schemas.control import decode_champion
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE
from tests.agents.web.console.test_models import put_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation


def matured(count: int) -> np.ndarray:
    """Return charges that went through, with scores that are too high by half."""
    rng = np.random.default_rng(4)
    rows = np.zeros(count, MATURED_CHARGE)
    rows["counts"], rows["propensity"], rows["created"] = 1.0, 1.0, 1.75e9
    rows["score"] = 1.0 / (1.0 + np.exp(-rng.uniform(-9.0, 4.0, count)))
    rows["seen"] = np.where(rng.random(count) < rows["score"] / 1.5, FRAUD, GENUINE)
    return rows


def test_a_challenger_is_promoted_frozen_and_rolled_back(
    visit: Callable[..., Page], installation: Installation
) -> None:
    put_models(installation)
    installation.matched.add(matured(5000))
    page = visit("mia")
    page.goto("/models")
    page.wait_for_selector("#calibration-told")
    assert page.locator("svg[aria-label^='Calibration of']").count() == 2
    assert page.inner_text("tbody tr:first-child td:first-child") == "additive"
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
