"""Grafana's panels, as far as the dashboards need them, and how they are laid out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

SCHEMA_VERSION: Final = 41
"""Of dashboards, which Grafana 12 writes and later ones read."""

_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_COLUMNS: Final = 24
_HEIGHT: Final = 8


@dataclass(frozen=True)
class Query:
    """An expression, and how its series are named, with labels in braces."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes
    ----------
    title, description
        What it shows, and how it is read.
    queries
        What is in it.
    unit
        As Grafana calls it: `s`, `short`, `percentunit`, `bytes`, `currencyUSD`.
    kind
        `timeseries`, `stat`, `heatmap` or `bargauge`.
    width
        Of 24 columns.
    limits
        From which value on it is yellow, and red; none for neither.
    is_stacked
        Whether series lie on one another.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    limits: tuple[float, float] | None = None
    is_stacked: bool = False


@dataclass(frozen=True)
class Row:
    """Panels that belong together, under a title."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A page of panels.

    Attributes
    ----------
    name
        Of its file, and its address in Grafana.
    title, description
        What it is, and for whom.
    rows
        In their order.
    span
        Which time it shows at first, such as `now-6h`.
    """

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]
    span: str = "now-6h"
    tags: tuple[str, ...] = field(default=("chargewatch",))


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in dashboard.rows:
        panels.append(_row(row, len(panels) + 1, top))
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left = top + _HEIGHT, 0
            place = {"h": _HEIGHT, "w": panel.width, "x": left, "y": top}
            panels.append(_panel(panel, len(panels) + 1, place))
            left += panel.width
        top += _HEIGHT
    return {
        "uid": f"chargewatch-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": list(dashboard.tags),
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": dashboard.span, "to": "now"},
        "templating": {"list": [_source_variable()]},
        "annotations": {"list": [_alerts()]},
        "links": [{"type": "dashboards", "tags": ["chargewatch"], "title": "Chargewatch",
                   "asDropdown": True}],
        "panels": panels,
    }  # fmt: skip


def expressions(dashboard: Dashboard) -> list[str]:
    """Return every expression of a dashboard."""
    return [query.expression for row in dashboard.rows for p in row.panels for query in p.queries]


def quantiles(metric: str, by: str = "", where: str = "") -> tuple[Query, ...]:
    """Return the median and the 99th percentile of a histogram, for each value of a label."""
    labels = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by ({labels}) "
            f"(rate({metric}_bucket{where}[$__rate_interval])))",
            f"p{round(100 * q)}{legend}",
        )
        for q in (0.5, 0.99)
    )


def _source_variable() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus",
            "refresh": 1}  # fmt: skip


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "expr": 'max by (alertname) (ALERTS{alertname=~"Chargewatch.*",alertstate="firing"})',
        "iconColor": "red",
        "titleFormat": "{{alertname}}",
    }


def _row(row: Row, number: int, top: int) -> dict[str, Any]:
    place = {"h": 1, "w": _COLUMNS, "x": 0, "y": top}
    return {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place,
            "panels": []}  # fmt: skip


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [_target(panel, *each) for each in zip("ABCDEFGH", panel.queries, strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _target(panel: Panel, letter: str, query: Query) -> dict[str, Any]:
    is_now = panel.kind in {"stat", "bargauge"}
    return {
        "refId": letter,
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "format": "heatmap" if panel.kind == "heatmap" else "time_series",
        "instant": is_now,
        "range": not is_now,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limits is not None:
        colours = ("yellow", "red")
        steps += [{"color": c, "value": v} for c, v in zip(colours, panel.limits, strict=True)]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
    }
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 20 if panel.is_stacked else 0,
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.limits is None else "dashed"},
        }
    return defaults


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
    },
    "bargauge": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal",
        "displayMode": "basic",
    },
    "heatmap": {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "yAxis": {"unit": "short"},
    },
}
