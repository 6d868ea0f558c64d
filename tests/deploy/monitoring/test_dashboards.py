"""Dashboards and alerts: as their script makes them, of what is exported, all in the runbook."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.settings.schema import Settings
from deploy.monitoring import check
from deploy.monitoring.dashboards import DASHBOARDS, FOLDER, text_of
from deploy.monitoring.panels import Dashboard, as_json, expressions
from tests.docs.exported import PAGES, metrics_of
from tests.docs.pages import anchors
from tests.docs.pages import text_of as page_text

MONITORING = Path("deploy/monitoring")
HERE = FOLDER.parent

TARGETS = {"job", "instance"}
"""Labels that Prometheus gives every series."""

BUILT_IN = {
    "up": set[str](),
    "ALERTS": {"alertname", "alertstate"},
    "process_cpu_seconds_total": set[str](),
    "process_resident_memory_bytes": set[str](),
}
"""Series of Prometheus itself, and of its library in every process of ours."""

NAME = re.compile(r"(?<![\w\"$.])[a-zA-Z_]\w*")
MATCHERS = re.compile(r"([a-zA-Z_]\w*)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
STRINGS = re.compile(r'"[^"]*"')


@cache
def exported() -> dict[str, set[str]]:
    """Return the labels of every series, by name."""
    found = [each for modules in PAGES.values() for each in metrics_of(modules)]
    ours = {name: labels for each in found for name, labels in each.series.items()}
    return {name: labels | TARGETS for name, labels in (ours | BUILT_IN).items()}


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((HERE / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def every_expression() -> list[str]:
    of_alerts = [alert["expr"] for alert in alerts()]
    return [*of_alerts, *(each for dashboard in DASHBOARDS for each in expressions(dashboard))]


def series_in(expression: str) -> set[str]:
    """Return the series that an expression asks for."""
    bare = GROUPED.sub("", STRINGS.sub("", re.sub(r"\[[^\]]*\]|\{[^}]*\}", "", expression)))
    return {name for name in NAME.findall(bare) if "_" in name} & _names_of_series(bare)


def _names_of_series(bare: str) -> set[str]:
    """Return the names that are not called: `rate(x)` asks for `x`."""
    return {name for name in NAME.findall(bare) if not re.search(rf"\b{name}\s*\(", bare)}


def labels_in(expression: str) -> set[str]:
    """Return the labels that an expression matches and groups by."""
    matched = {
        part.strip() for _, inner in MATCHERS.findall(expression)
        for part in re.findall(r"([a-zA-Z_]\w*)\s*(?:=|!=)", STRINGS.sub("", inner))
    }  # fmt: skip
    grouped = {each.strip() for inner in GROUPED.findall(expression) for each in inner.split(",")}
    return matched | grouped


def test_series_and_labels_are_found_in_an_expression() -> None:
    expression = (
        'histogram_quantile(0.9, sum by (le, stage) (rate(a_bucket{job=~"x_y",b!="c"}[5m])))'
        " and on_top > 1"
    )
    assert series_in(expression) == {"a_bucket", "on_top"}
    assert labels_in(expression) == {"le", "stage", "job", "b"}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_the_json_is_what_the_script_makes(dashboard: Dashboard) -> None:
    """`python -m deploy.monitoring.dashboards` writes it."""
    assert (FOLDER / f"{dashboard.name}.json").read_text(encoding="utf-8") == text_of(dashboard)


def test_there_are_no_other_dashboards() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {each.name for each in DASHBOARDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_panels_have_places_of_their_own(dashboard: Dashboard) -> None:
    taken = set[tuple[int, int]]()
    numbers = set[int]()
    for panel in as_json(dashboard)["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        numbers.add(panel["id"])
        assert panel["type"] == "row" or panel["description"].endswith(".")
    assert len(numbers) == len(as_json(dashboard)["panels"])


@pytest.mark.parametrize("expression", every_expression())
def test_what_is_asked_for_is_exported(expression: str) -> None:
    names = series_in(expression) | {n for n in NAME.findall(expression) if n in BUILT_IN}
    assert names - exported().keys() == set()
    assert names
    assert labels_in(expression) - set().union(*(exported()[name] for name in names)) == set()


def test_every_metric_is_somewhere_on_a_dashboard_or_in_an_alert() -> None:
    asked = {name for expression in every_expression() for name in series_in(expression)}
    metrics = [each for modules in PAGES.values() for each in metrics_of(modules)]
    assert {each.name for each in metrics if not each.series.keys() & asked} == UNSEEN


UNSEEN = {
    "chargewatch_matured_covered_total",  # an estimate on the worker's page, for whom it is enough
    "chargewatch_state_records",
}
"""Metrics that nobody looks at but by a question of their own."""


def test_every_alert_is_in_the_runbook_and_the_other_way_round() -> None:
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names))
    text = page_text(MONITORING / "runbook.md")
    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == names
    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert page == "runbook.md"
        assert anchor == alert["alert"].lower()
        assert anchor in anchors(MONITORING / page)
        assert alert["labels"]["severity"] in {"page", "ticket"}
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        for part in ("**Means**", "**Look at**", "**Do**"):
            assert part in section, section.splitlines()[0]


def test_panels_that_the_runbook_names_are_there() -> None:
    titles = {panel.title for each in DASHBOARDS for row in each.rows for panel in row.panels}
    titles |= {row.title for each in DASHBOARDS for row in each.rows}
    pages = {"Health", "Models", "Rejected", "Roll back", "audit"}
    named = set(
        re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", page_text(MONITORING / "runbook.md"))
    )
    assert len(named) > 20
    assert {name for name in named - pages if not any(t.startswith(name) for t in titles)} == set()


def test_every_alert_fires_in_a_test_of_it() -> None:
    tried = set[str]()
    for file in check.ALERT_TESTS:
        for test in yaml.safe_load((HERE / file).read_text(encoding="utf-8"))["tests"]:
            for sample in (s for each in test["promql_expr_test"] for s in each["exp_samples"]):
                tried |= set(re.findall(r'alertname="(\w+)"', sample["labels"]))
    assert tried == {alert["alert"] for alert in alerts()}


def test_prometheus_asks_every_process_at_the_port_of_its_settings() -> None:
    document = yaml.safe_load((HERE / "prometheus.yml").read_text(encoding="utf-8"))
    ports = {}
    for job in document["scrape_configs"]:
        [place] = job.get("dns_sd_configs") or job["static_configs"]
        target = place.get("targets", [f":{place.get('port')}"])[0]
        ports[job["job_name"]] = int(target.rpartition(":")[2])
    settings = Settings()
    assert ports == {
        "chargewatch-worker": settings.web_port,
        "chargewatch-api": settings.api_port,
        "chargewatch-console": settings.console_port,
    }
    assert document["rule_files"] == ["alerts.yml"]


def test_what_promtool_checks_has_every_expression() -> None:
    """`python -m deploy.monitoring.check`."""
    [group] = json.loads(check.as_rules())["groups"]
    assert len(group["rules"]) == sum(len(expressions(each)) for each in DASHBOARDS)
    assert not [rule for rule in group["rules"] if "$" in rule["expr"]]
