"""A rule on its way into force, in a browser: written, tried, proposed, agreed to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from agents.settings.schema import Settings
from agents.web.console.backtests import Backtests
from tests.agents.web.console.conftest import ROLES
from tests.agents.web.console.installation import Installation
from tests.agents.web.console.made_backtest import try_on_files, write_history
from tests.browser.looking import KINDS, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

RULES = """# large: A large amount
block if :amount_usd: > 150
# risky:
shadow review if :risk: > 80"""
BACKTEST_MS = 120_000


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    made = Installation(tmp_path, four_eyes=getattr(request, "param", False))
    for name, role in ROLES.items():
        made.add_user(name, role)
    write_history(tmp_path)
    settings = Settings(label_horizon_days=2.0, snapshot_every_examples=20, negative_rate=1.0)
    made.backtests = Backtests(partial(try_on_files, tmp_path, settings))
    yield made
    made.close()


def backtest(page: Page) -> None:
    page.click("button:text-is('Backtest')")
    page.wait_for_selector("#cancel-backtest")
    page.wait_for_selector("#backtest >> text=decided twice", timeout=BACKTEST_MS)


def test_a_rule_is_written_tried_and_put_in_force(
    visit: Callable[..., Page], installation: Installation
) -> None:
    page = visit("mia")
    page.goto("/rules")
    page.keyboard.press("e")
    page.keyboard.type("block if :amout_usd: > 150")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.wait_for_selector("#backtest >> text=nothing was tried")
    page.fill("[name=text]", RULES)
    page.wait_for_selector("text=No mistakes: 2 rules, 1 in shadow")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.wait_for_selector("progress")
    page.focus("#cancel-backtest")
    page.wait_for_selector("#backtest >> text=Scoring", timeout=BACKTEST_MS)
    assert page.evaluate("document.activeElement.id") == "cancel-backtest"
    page.keyboard.press("Enter")
    page.wait_for_selector("#backtest >> text=Cancelled")
    page.keyboard.press("b")
    page.wait_for_selector("#backtest >> text=decided twice", timeout=BACKTEST_MS)
    told = page.inner_text("#backtest")
    assert "Frauds stopped" in told
    assert "Genuine charges refused" in told
    assert "What each rule matches" in told
    assert page.input_value("[name=text]") == RULES, "what is written stays"
    assert installation.policy.rules().records == {}, "and nothing is changed"
    page.fill("[name=note]", "as tried")
    page.click("text=Put in force")
    page.wait_for_selector("text=Version 1 is in force")
    assert installation.policy.rules().records["*"].text == RULES
    assert "decided twice" in page.inner_text("#backtest")


@pytest.mark.parametrize("installation", [True], indirect=True)
def test_a_rule_needs_a_second_manager(
    visit: Callable[..., Page], installation: Installation
) -> None:
    mia, ann = visit("mia"), visit("ann")
    mia.goto("/rules")
    mia.fill("[name=text]", RULES)
    mia.fill("[name=note]", "after last night")
    mia.click("button:text-is('Propose')")
    mia.wait_for_selector("text=Proposed: another manager")
    assert mia.locator("button:text-is('Put in force')").count() == 0
    ann.goto("/rules")
    ann.click("text=Look")
    assert "+block if :amount_usd: > 150" in ann.inner_text(".diff")
    assert "after last night" in ann.inner_text("main")
    backtest(ann)
    assert installation.policy.rules().records == {}
    ann.fill("[name=note]", "agreed")
    ann.click("button:text-is('Put in force')")
    ann.wait_for_selector("text=Version 1 is in force")
    mia.reload()
    assert "Put in force by ann" in mia.inner_text("main")
    mia.goto("/rules")
    mia.click("button:has-text('To shadow')")
    mia.wait_for_selector("text=large: in shadow")
    ann.goto("/rules")
    ann.click("text=Look")
    ann.fill("[name=note]", "not today")
    ann.click("button:text-is('Decline')")
    ann.wait_for_selector("text=Declined by ann")
    assert installation.policy.rules().records["*"].version == 1
    ann.goto("/audit")
    assert "proposed by mia; agreed" in ann.inner_text("main")


@pytest.mark.parametrize("installation", [True], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_reports_and_proposals_are_accessible_and_fit(
    visit: Callable[..., Page], kind: str
) -> None:
    wide = visit("mia")
    wide.goto("/rules")
    wide.fill("[name=text]", RULES)
    wide.fill("[name=note]", "after last night")
    wide.click("button:text-is('Propose')")
    wide.wait_for_selector("text=Proposed: another manager")
    page = visit("ann", **KINDS[kind])
    page.goto("/rules")
    page.fill("[name=text]", RULES)
    page.wait_for_selector("text=No mistakes")
    page.click("button:text-is('Backtest')")
    page.wait_for_selector("progress")
    wrong = look(page, "rules-backtest", kind)
    page.wait_for_selector("#backtest >> text=decided twice", timeout=BACKTEST_MS)
    for each in page.locator("#backtest summary").all():
        each.click()
    wrong += look(page, "rules-report", kind)
    page.click("text=Look")
    page.wait_for_selector("h1:has-text('Proposal')")
    wrong += look(page, "rules-proposal", kind)
    assert not wrong, "\n".join(wrong)
