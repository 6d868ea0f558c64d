"""A metric whose series come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client import CollectorRegistry

    Family = GaugeMetricFamily | CounterMetricFamily


class Series(Collector):
    """A metric that has just the series that were shown last, all of one moment.

    That of a task that has left is gone, where a `prometheus_client.Gauge` has it for ever.

    Parameters
    ----------
    name, documentation, labels
        Of the metric.
    family
        A gauge, or a counter of which somebody else counts.
    registry
        Where it is collected.

    Examples
    --------
    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> lag = Series("lag", "Messages", ["task"], registry=registry)
    >>> lag.show({("0",): 3.0, ("1",): 2.0})
    >>> lag.show({("1",): 1.0})
    >>> [registry.get_sample_value("lag", {"task": task}) for task in "01"]
    [None, 1.0]
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        family: type[Family] = GaugeMetricFamily,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self.labels = labels
        self._family = family
        self._values: Mapping[tuple[str, ...], float] = {}
        registry.register(self)

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Have just these series, by the values of their labels."""
        self._values = values

    def collect(self) -> Iterator[Family]:
        """See `prometheus_client.registry.Collector`."""
        family = self._family(self._name, self._documentation, labels=self.labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family
