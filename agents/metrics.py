"""What a worker tells Prometheus: names in base units, no card or merchant in a label."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from agents.decisions import ACTIONS
from agents.merchant import MerchantOutput
from streams.decoding import Rejected

SCORED = Counter("chargewatch_scored", "Charges scored, by intervention", ["action"])
REJECTED = Counter("chargewatch_rejected", "Inputs that could not be used, by reason", ["reason"])
EXAMPLES = Counter("chargewatch_examples", "Labelled charges passed to the learner", ["label"])
COMMITS = Counter("chargewatch_commits", "Commits that made work count")
ABORTS = Counter("chargewatch_aborts", "Transactions that failed, whose work was done again")
COMMIT_SECONDS = Histogram(
    "chargewatch_commit_seconds",
    "Duration of a commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
)

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0, 30.0)


class Latencies(Collector):
    """How long charges took from the log of `charges` to the commit of their scored event.

    A histogram that takes whole batches, and a batch only counts once it is committed.

    Examples
    --------
    >>> latencies = Latencies(CollectorRegistry())
    >>> latencies.add(np.array([100.0, 100.9]))
    >>> latencies.settle(101.0, counts=True)
    >>> [family] = latencies.collect()
    >>> [(s.labels["le"], s.value) for s in family.samples[-6:-2]]
    [('1.0', 2), ('5.0', 2), ('30.0', 2), ('+Inf', 2)]
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._counts = np.zeros(len(LATENCY_BUCKETS_S) + 1, np.int64)
        self._sum_s = 0.0
        self._waiting: list[npt.NDArray[np.float64]] = []
        registry.register(self)

    def add(self, published: npt.NDArray[np.float64]) -> None:
        """Add charges, by when the broker had them, Unix seconds."""
        self._waiting.append(published)

    def settle(self, now: float, *, counts: bool) -> None:
        """Count what was added as committed now, or forget it."""
        if counts and self._waiting:
            seconds = np.maximum(now - np.concatenate(self._waiting), 0.0)
            places = np.searchsorted(LATENCY_BUCKETS_S, seconds)
            self._counts += np.bincount(places, minlength=len(self._counts))
            self._sum_s += float(seconds.sum())
        self._waiting.clear()

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        bounds = [*map(str, LATENCY_BUCKETS_S), "+Inf"]
        yield HistogramMetricFamily(
            "chargewatch_end_to_end_seconds",
            "From a charge in the log of its topic to its scored event being committed",
            buckets=list(zip(bounds, np.cumsum(self._counts).tolist(), strict=True)),
            sum_value=self._sum_s,
        )


def count_output(output: MerchantOutput) -> None:
    """Count what the merchant stage gave."""
    for code, count in enumerate(np.bincount(output.actions, minlength=len(ACTIONS)).tolist()):
        SCORED.labels(ACTIONS[code]).inc(count)
    positives = int(output.examples["label"].sum())
    EXAMPLES.labels("fraud").inc(positives)
    EXAMPLES.labels("good").inc(len(output.examples) - positives)


def count_rejected(rejected: Sequence[Rejected]) -> None:
    """Count inputs that could not be used."""
    for copy in rejected:
        REJECTED.labels(copy.reason).inc()
