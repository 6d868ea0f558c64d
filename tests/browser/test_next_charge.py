"""A rule that is written in a browser, and the charges that real workers decide by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.browser.conftest import visiting
from tests.integration.conftest import kafka, prefix  # noqa: F401 - fixtures
from tests.integration.gateway import Gateway, charge
from tests.integration.test_console import let_in, send

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.integration.kafka import Kafka


def test_a_rule_decides_the_next_charge_until_it_is_rolled_back(
    chromium: Browser,
    kafka: Kafka,  # noqa: F811
    prefix: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    with Gateway(kafka, prefix, tmp_path) as gateway:
        let_in(gateway, "mia")
        gateway.worker()
        console = gateway.console()
        with visiting(chromium, f"http://127.0.0.1:{console.port}") as visit:
            mia = visit("mia")
            decided_at_first = _decided(mia, gateway, "first")
            _put_in_force(mia, "# all: all\nreview if :amount: > 5")
            _until_decided(mia, gateway, "rule:all")
            mia.goto("/reviews?sort=newest")
            assert mia.locator("tr[data-row]").count() >= 1
            _put_in_force(mia, "")
            _until_decided(mia, gateway, decided_at_first)


def _put_in_force(page: Page, text: str) -> None:
    page.goto("/rules")
    page.fill("[name=text]", text)
    page.click("text=Put in force")
    page.wait_for_selector("text=is in force")


def _until_decided(page: Page, gateway: Gateway, by: str) -> None:
    """Send charges until one is decided so: a rule counts within a moment."""
    deadline = time.monotonic() + 60.0
    while _decided(page, gateway, str(time.time_ns())) != by:
        assert time.monotonic() < deadline, by


def _decided(page: Page, gateway: Gateway, number: str) -> str:
    """Send a charge, and return what decided it, as its page says."""
    send(gateway, [charge(number)])
    gateway.scored_of(f"ch_{number}")
    page.goto(f"/charge?id=ch_{number}")
    while not page.locator("#why").count():  # until the read model has it
        page.reload()
    decided = page.inner_text("dd:has-text('decided by')").partition("decided by ")[2]
    return decided.partition(";")[0].strip()
