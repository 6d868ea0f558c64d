"""The report: one page that needs nothing else, says what was measured, and can be read aloud."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import orjson
import pytest

from agents.drift.monitor import Finished, Shift
from agents.drift.quantities import WATCH, Quantity
from agents.evaluation.drift import drift_summary
from agents.evaluation.outcomes import Outcomes, Segment
from agents.evaluation.report import report_page
from agents.evaluation.summary import evaluate
from agents.settings.costs import Costs
from streams.durations import DAY_S
from tests.agents.evaluation.test_metrics import outcomes_of

FACTS: dict[str, Any] = {
    "files": ["/data/charges <1>.parquet", "disputes.jsonl"],
    "model": "linear-0000000200",
    "label_horizon_days": 7.0,
    "charges_scored": 1234,
    "duplicates": 17,
    "rejected": {"json": 3, "range": 1},
    "drift": {"days": [], "signals": {}, "events": []},
    "still_disputable": 12,
    "seconds": 2.5,
    "charges_per_second": 493.6,
    "peak_rss_mb": 321.0,
}
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page's text, tables and images; a tag that is not closed in its place is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str | None] = []
        self.rows: list[list[str]] = []
        self.scopes: list[str | None] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [given[name] for name in ("href", "src") if name in given]
        if tag == "img":
            self.images.append(given)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "th":
            self.scopes.append(given.get("scope"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text.append(data)
        if self.open and self.open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data

    def row(self, name: str) -> list[str]:
        """Return the cells of the one row of that name."""
        (row,) = [row for row in self.rows if row[0] == name]
        return row[1:]


def page_of(outcomes: Outcomes, **facts: Any) -> tuple[str, Page, dict[str, Any]]:
    metrics = {**FACTS, **evaluate(outcomes, Costs()), **facts}
    html = report_page(outcomes, metrics)
    return html, Page(html), metrics


@pytest.fixture(scope="module")
def usual() -> tuple[str, Page, dict[str, Any]]:
    return page_of(outcomes_of(1))


def test_it_needs_nothing_beside_itself(usual: tuple[str, Page, dict[str, Any]]) -> None:
    html, page, _ = usual
    assert page.links
    assert all(link is not None and link.startswith("data:image/") for link in page.links)
    assert "<script" not in html
    assert "@import" not in html
    assert "url(" not in html
    for image in page.images:
        assert image["src"] is not None
        svg = base64.b64decode(image["src"].partition("base64,")[2])
        hrefs = [
            value
            for element in ET.fromstring(svg).iter()
            for name, value in element.attrib.items()
            if name.endswith("href")
        ]
        assert all(href.startswith("#") for href in hrefs)


def test_every_plot_has_words_and_every_heading_of_a_table_a_scope(
    usual: tuple[str, Page, dict[str, Any]],
) -> None:
    html, page, metrics = usual
    assert len(page.images) == 6
    assert all(len(image["alt"] or "") > 30 for image in page.images)
    assert any(f"{metrics['average_precision']:.3f}" in (i["alt"] or "") for i in page.images)
    assert set(page.scopes) == {"row", "col", "rowgroup"}
    assert html.startswith("<!DOCTYPE html>\n<html lang='en'>")
    assert html.count("<h1>") == 1
    assert html.count("<caption>") == html.count("<table>")


def test_it_says_what_was_measured(usual: tuple[str, Page, dict[str, Any]]) -> None:
    _, page, metrics = usual
    text = " ".join(page.text)
    for name in ("average_precision", "auc_roc", "card_precision_at_100"):
        assert f" {metrics[name]:.3f} " in text
    assert f"{100 * metrics['calibration_error']:.3f} pp" in text
    for rate in ("0.001", "0.005", "0.01"):
        assert f"{metrics['recall_at_block_rate'][rate]:.1%}" in text
    money = metrics["money"]
    assert f"${money['cost_of_nothing']:,.0f}" in text
    for action in ("allow", "challenge", "review", "block"):
        chosen = metrics["actions"][action]
        assert page.row(action)[1] == f"{chosen['charges']:,}"
        assert page.row(action)[3] == f"{chosen['frauds']:,}"
    for part in metrics["by_day"]:
        assert page.row(part["day"])[:2] == [f"{part['charges']:,}", f"{part['frauds']:,}"]
    for name, part in metrics["by_segment"]["channel"].items():
        assert page.row(name)[4] == f"{part['average_precision']:.3f}"
    for place, part in enumerate(metrics["calibration"], 1):
        assert page.row(f"{place} of 10")[3] == f"{part['observed']:.3%}"
    assert page.row("Rejected inputs") == ["4: json 3, range 1; see rejected.jsonl"]
    assert page.row("Duplicate charges")[0].startswith("17,")
    assert "Backtest of charges <1>.parquet" in text
    assert re.search(r"12 of these charges \(4\.00%\) are younger than 7 days", text)


def test_same_outcomes_make_the_same_page(usual: tuple[str, Page, dict[str, Any]]) -> None:
    assert page_of(outcomes_of(1))[0] == usual[0]


@pytest.mark.parametrize("fraud", [False, True])
def test_charges_of_one_kind_only(fraud: bool) -> None:
    outcomes = outcomes_of(3, 50)
    outcomes.fraud[:] = fraud
    _, page, _ = page_of(outcomes)
    text = " ".join(page.text)
    assert ("None of these charges was disputed" in text) == (not fraud)
    assert "n/a" in text


def test_no_charges_at_all() -> None:
    _, page, _ = page_of(outcomes_of(3, 0), still_disputable=0, model=None, rejected={})
    assert "No charge was made in the period." in page.text
    assert page.row("Rejected inputs") == ["none"]
    assert page.images == []


def test_one_charge_and_equal_scores() -> None:
    outcomes = outcomes_of(5, 3)
    outcomes.score[:] = 0.003
    outcomes.fraud[0] = True
    _, page, _ = page_of(outcomes)
    assert len(page.images) == 6
    _, page, _ = page_of(outcomes.only(np.array([True, False, False])))
    assert len(page.images) == 4


def test_drift_is_drawn_and_listed() -> None:
    shift = Shift(quantity("amount"), 20_004 * DAY_S, 20_002 * DAY_S, 21.5, 35.25)
    finished = [
        Finished(
            day * DAY_S,
            (day + 1) * DAY_S,
            WATCH.quantities,
            np.full(len(WATCH.quantities), 0.25),
            [],
        )
        for day in range(20_000, 20_004)
    ]
    finished[0].means[:] = np.nan
    finished[3].shifts.append(shift)
    drift = drift_summary(finished)
    html, page, _ = page_of(outcomes_of(1), drift=drift)
    assert "<h2>Drift</h2>" in html
    assert page.row("amount") == ["2024-10-08", "2024-10-06", "21.5", "35.25", "reference currency"]
    (alt,) = [i["alt"] or "" for i in page.images if "Feature amount" in (i["alt"] or "")]
    assert alt.endswith("on each of 4 days; 1 shift was found.")
    assert orjson.loads(orjson.dumps(drift)) == drift
    assert drift["days"] == ["2024-10-04", "2024-10-05", "2024-10-06", "2024-10-07"]
    assert drift["signals"]["score"]["values"] == [None, 0.25, 0.25, 0.25]
    assert [event["signal"] for event in drift["events"]] == ["amount"]


def quantity(name: str) -> Quantity:
    (found,) = [each for each in WATCH.quantities if each.name == name]
    return found


def test_a_name_from_the_outside_stays_text() -> None:
    outcomes = outcomes_of(6, 40)
    hostile = Segment(["<script>alert(1)</script>", "'\">"], np.arange(40) % 2)
    outcomes = dataclasses.replace(outcomes, segments={"channel": hostile})
    html, page, _ = page_of(outcomes)
    assert "<script" not in html
    assert "<script>alert(1)</script>" in " ".join(page.text)
