"""The console served on this machine, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from agents.web.serving import Address, server
from streams.kafka.editor import Written
from tests.agents.web.console.conftest import ROLES
from tests.agents.web.console.installation import (
    NAMES,
    PASSWORD,
    Installation,
    charge_of,
    scored,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

SHOTS = Path("build/browser")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",  # which root cannot have
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
"""It asks nobody for anything but the console."""
CHARGES = 60


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a browser; while it is there, no other test of its thread may run an event loop."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, "no Chromium or Chrome on PATH: `apt-get install chromium` has one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def fill() -> Callable[[Installation], None]:
    """Return what puts charges into the console."""
    return put_some_charges


@pytest.fixture
def installation(tmp_path: Path, fill: Callable[[Installation], None]) -> Iterator[Installation]:
    made = Installation(tmp_path)
    for name, role in ROLES.items():
        made.add_user(name, role)
    fill(made)
    yield made
    made.close()


@pytest.fixture
def url(installation: Installation) -> Iterator[str]:
    address = Address("console", "127.0.0.1", 0)
    serving = server(installation.app(), address, 1)
    with address.listen() as listening:
        thread = Thread(target=lambda: asyncio.run(serving.serve([listening])), daemon=True)
        thread.start()
        yield address.url(listening)
        serving.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Callable[..., Page]]:
    with visiting(chromium, url) as sign_in:
        yield sign_in


@contextmanager
def visiting(chromium: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """Give what signs somebody in; in the end nothing was asked of others, and nothing wrong."""
    opened, wrong = [], list[str]()

    def sign_in(name: str, **options: object) -> Page:
        settings = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "Asia/Tokyo"}
        context = chromium.new_context(base_url=url, **(settings | options))  # type: ignore[arg-type]
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on(
            "request", lambda each: None if each.url.startswith(url) else wrong.append(each.url)
        )
        page.on("pageerror", lambda each: wrong.append(str(each)))
        page.on("dialog", lambda each: wrong.append(each.message))
        page.on("console", lambda each: wrong.append(each.text) if _is_policy(each.text) else None)
        page.goto("/sign-in")
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.click("text=Sign in >> nth=-1")
        page.wait_for_url(f"{url}/")
        return page

    yield sign_in
    for context in opened:
        context.close()
    assert wrong == []


def _is_policy(text: str) -> bool:
    return "Content Security Policy" in text


def put_some_charges(installation: Installation) -> None:
    """Put charges of some cards, and what became of them, into the console."""
    now = time.time()
    for number in range(CHARGES):
        charge, card = f"ch_{number:04d}_made", f"card_{number % 7}_with_its_token"
        same = {"card": card, "merchant": f"acct_{number % 3}",
                "created": now - 9000.0 * (CHARGES - number),
                "amount": 500 * (1 + number * 37 % 101)}  # fmt: skip
        more = {"device": f"dev_{number % 11}", "email": f"em_{number % 13}", "cvc_check": "fail"}
        action = ("review", "review", "allow", "block", "challenge")[number % 5]
        put = installation.put
        put([Written(NAMES.charges, card.encode(), charge_of(charge, **same, **more))])
        scored_charge = scored(charge, **same, action=action, risk=40 + number % 60)
        put([Written(NAMES.scored, card.encode(), scored_charge)])
    header = [("error", b"amount: expected an integer, got a string"), ("topic", b"charges"),
              ("partition", b"0"), ("offset", b"5")]  # fmt: skip
    rejected = charge_of("ch_rejected", amount="19.99")
    installation.put([Written(NAMES.rejected, b"card_1", rejected)], header)
