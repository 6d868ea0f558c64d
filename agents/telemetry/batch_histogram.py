"""A histogram that takes whole batches."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from prometheus_client import REGISTRY
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry


_UNCOUNTED_MAX = 1000


class BatchHistogram(Collector):
    """A histogram that counts arrays of values, many of them at a time: when it is asked.

    To observe some takes about as long as for one value, where to count them takes ten times that.

    Parameters
    ----------
    name, documentation
        Of the metric.
    bounds
        Of its buckets, rising.
    labels, series
        Names of the labels, and their values: all that there are.
    registry
        Where it is collected.

    Examples
    --------
    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> seconds = BatchHistogram("s", "Time", (1.0, 2.0), ["of"], [("a",)], registry)
    >>> seconds.observe(np.array([0.5, 1.0, 5.0]), "a")
    >>> registry.get_sample_value("s_bucket", {"of": "a", "le": "1.0"})
    2
    >>> [registry.get_sample_value(f"s_{what}", {"of": "a"}) for what in ("count", "sum")]
    [3, 6.5]
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        bounds: Sequence[float],
        labels: Sequence[str] = (),
        series: Sequence[tuple[str, ...]] = ((),),
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self.labels = labels
        self._counts = {values: np.zeros(len(bounds) + 1, np.int64) for values in series}
        self._sums = dict.fromkeys(series, 0.0)
        self._uncounted = {values: deque[NDArray[np.float64]]() for values in series}
        self._counting = Lock()
        registry.register(self)

    def observe(self, values: NDArray[np.float64], *labels: str) -> None:
        """Count N values, f8[N], in the series of these labels; they are not to change."""
        uncounted = self._uncounted[labels]
        uncounted.append(values)
        if len(uncounted) > _UNCOUNTED_MAX:
            self._fold(labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        bounds = [*map(str, self._bounds), "+Inf"]
        family = HistogramMetricFamily(self._name, self._documentation, labels=self.labels)
        for labels, counts in self._counts.items():
            self._fold(labels)
            buckets = list(zip(bounds, np.cumsum(counts).tolist(), strict=True))
            family.add_metric(labels, buckets, self._sums[labels])
        yield family

    def _fold(self, labels: tuple[str, ...]) -> None:
        uncounted = self._uncounted[labels]
        with self._counting:  # in the thread of whoever asks, or observes
            if batches := [uncounted.popleft() for _ in range(len(uncounted))]:
                values = np.concatenate(batches)
                places = np.searchsorted(self._bounds, values)
                self._counts[labels] += np.bincount(places, minlength=len(self._bounds) + 1)
                self._sums[labels] += float(values.sum())
