"""Figures in a browser: how fast and how right scores are, and what the worker counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.merchants import MerchantSettings
from streams.features.entities import FEATURES
from streams.kafka.editor import Written
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE
from tests.agents.web.console.installation import NAMES, charge_of, scored
from tests.agents.web.console.test_models import put_models
from tests.browser.looking import KINDS, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.agents.web.console.installation import Installation

CARD = "card_fast"
PAGES = {
    "latencies": ("/?days=7", "text=99th percentile"),
    "calibration": ("/models", "#calibration-told"),
    "counted-card": ("/history?kind=card&value=card_fast", "text=spent on this card"),
    "counted-merchant": ("/history?kind=merchant&value=corner", "text=review at"),
}


def put_figures(installation: Installation) -> None:
    """Put charges that were scored as they came into a console, and what is told of them."""
    now = time.time()
    for number in range(40):
        charge, created = f"ch_fast_{number}", now - 7000.0 * (39 - number)
        same, put_at = {"card": CARD, "merchant": "corner", "created": created}, created + 0.1
        installation.put(
            [Written(NAMES.charges, CARD.encode(), charge_of(charge, **same))], None, put_at
        )
        took_s = 0.03 + 0.002 * number
        event = Written(NAMES.scored, CARD.encode(), scored(charge, **same))
        installation.put([event], None, put_at + took_s)
    installation.vectors.kept["ch_fast_39"] = {each.name: 3.0 for each in FEATURES}
    put_models(installation)
    rng = np.random.default_rng(4)
    rows = np.zeros(5000, MATURED_CHARGE)
    rows["counts"], rows["propensity"], rows["created"] = 1.0, 1.0, 1.75e9
    rows["score"] = 1.0 / (1.0 + np.exp(-rng.uniform(-9.0, 4.0, len(rows))))
    rows["seen"] = np.where(rng.random(len(rows)) < rows["score"] / 1.5, FRAUD, GENUINE)
    installation.matched.add(rows)
    installation.policy.edit_merchants(
        lambda _: MerchantSettings("corner", 1, review_at=80, by="mia", at=now)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_accessible_and_fit(
    visit: Callable[..., Page], installation: Installation, kind: str
) -> None:
    put_figures(installation)
    page = visit("bob", **KINDS[kind])
    wrong: list[str] = []
    for name, (path, told) in PAGES.items():
        page.goto(path)
        page.wait_for_selector(told)
        wrong += look(page, name, kind)
    assert not wrong, "\n".join(wrong)
