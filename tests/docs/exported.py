"""The metrics of an installation, as its processes register them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from agents.telemetry import certificates, kafka_clients
from agents.telemetry.batch_histogram import BatchHistogram
from agents.telemetry.series import Series
from agents.web import metrics_page
from agents.web.api import metrics as of_api
from agents.web.console import metrics as of_console
from agents.worker import gauges, latencies
from agents.worker import metrics as of_worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

PAGES = {
    "agents/worker/README.md": (of_worker, gauges, latencies),
    "agents/web/api/README.md": (of_api,),
    "agents/web/console/README.md": (of_console,),
    "deploy/monitoring/README.md": (kafka_clients, certificates, metrics_page),
}
"""The modules of metrics by the page that has them in its table; the last is of all processes."""

SUFFIXES = {"counter": "_total", "info": "_info"}
_SERIES = {"histogram": ("_bucket", "_sum", "_count")}


class Exported(NamedTuple):
    """A metric: what it is called in an expression, its type, and its labels."""

    name: str
    type: str
    labels: Sequence[str]

    @property
    def series(self) -> dict[str, set[str]]:
        """The labels of its series, by their names."""
        own = {"version"} if self.type == "info" else set(self.labels)
        return {
            self.name + suffix: own | ({"le"} if suffix == "_bucket" else set())
            for suffix in _SERIES.get(self.type, ("",))
        }


def metrics_of(modules: Sequence[ModuleType]) -> list[Exported]:
    """Return the metrics that modules register, those of a worker's latencies among them."""
    known = [each for module in modules for each in vars(module).values()]
    if latencies in modules:
        known.append(latencies.Latencies(CollectorRegistry()))
    found = []
    for each in known:
        if isinstance(each, MetricWrapperBase):
            families, labels = each.describe(), each._labelnames
        elif isinstance(each, Series | BatchHistogram):
            families, labels = each.collect(), tuple(each.labels)
        else:
            continue
        found += [
            Exported(family.name + SUFFIXES.get(family.type, ""), family.type, labels)
            for family in families
        ]
    return found


def lacking(shown: str, page: str) -> set[str]:
    """Return the metrics of a page that a process does not export.

    Parameters
    ----------
    shown
        What a process exports.
    page
        That has its own in a table.
    """
    exported = set(re.findall(r"^# TYPE (\w+) ", shown, re.MULTILINE))
    return {each.name for each in metrics_of(PAGES[page])} - exported
