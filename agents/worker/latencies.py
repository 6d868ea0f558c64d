"""How long charges take to their score, by stage, and what becomes of commits."""

from time import monotonic, time

import numpy as np
import numpy.typing as npt
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from agents.telemetry.batch_histogram import BatchHistogram
from agents.worker.turn import AGENTS

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0, 30.0)

STAGE_SECONDS = BatchHistogram(
    "chargewatch_stage_seconds",
    "From a charge in the log of its topic until a stage has done its part",
    LATENCY_BUCKETS_S,
    ["stage"],
    [("card",), ("merchant",)],
)
BUSY_SECONDS = Counter("chargewatch_busy_seconds", "Time in which a stage computed", ["stage"])
BUSY = {stage: BUSY_SECONDS.labels(stage) for stage in AGENTS}
COMMITS = Counter("chargewatch_commits", "Commits that made work count")
ABORTS = Counter("chargewatch_aborts", "Transactions that failed, whose work was done again")
COMMIT_SECONDS = Histogram(
    "chargewatch_commit_seconds",
    "Duration of a commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
)


def count_stage(stage: str, published: npt.NDArray[np.float64]) -> None:
    """Count charges that a stage is done with now, by when the broker had them, Unix seconds."""
    STAGE_SECONDS.observe(np.maximum(time() - published, 0.0), stage)


class Latencies(BatchHistogram):
    """How long charges took from the log of `charges` until their scored event could be seen.

    A histogram that takes whole batches. A batch only counts once it is committed, unless its
    scored events are seen at once.

    Parameters
    ----------
    registry
        Where it is collected.
    is_seen_at_once
        Whether scored events are seen before they are committed.

    Examples
    --------
    >>> latencies = Latencies(CollectorRegistry())
    >>> latencies.add(np.array([100.0, 100.9]))
    >>> latencies.seal()
    >>> latencies.count(101.0)
    >>> [family] = latencies.collect()
    >>> [(s.labels["le"], s.value) for s in family.samples[-6:-2]]
    [('1.0', 2), ('5.0', 2), ('30.0', 2), ('+Inf', 2)]
    """

    def __init__(
        self, registry: CollectorRegistry = REGISTRY, *, is_seen_at_once: bool = False
    ) -> None:
        super().__init__(
            "chargewatch_end_to_end_seconds",
            "From a charge in the log of its topic until its scored event can be seen",
            LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._is_seen_at_once = is_seen_at_once
        self._waiting: list[npt.NDArray[np.float64]] = []
        self._sealed: list[npt.NDArray[np.float64]] = []

    def add(self, published: npt.NDArray[np.float64]) -> None:
        """Add charges that are scored now, by when the broker had them, Unix seconds."""
        if self._is_seen_at_once:
            self._count(published, time())
        else:
            self._waiting.append(published)

    def seal(self) -> None:
        """Let what was added be in the commit that begins."""
        self._sealed, self._waiting = self._waiting, []

    def count(self, now: float) -> None:
        """Count what was sealed as committed now."""
        if self._sealed:
            self._count(np.concatenate(self._sealed), now)
        self._sealed = []

    def _count(self, published: npt.NDArray[np.float64], now: float) -> None:
        self.observe(np.maximum(now - published, 0.0))

    def forget(self) -> None:
        """Forget what does not count yet: it comes again."""
        self._sealed, self._waiting = [], []


class CommitObserver:
    """Shows what becomes of commits; see `streams.engine.application.Observer`.

    Parameters
    ----------
    latencies
        Of the charges in them.
    """

    def __init__(self, latencies: Latencies) -> None:
        self._latencies = latencies
        self._began_at = 0.0

    def sealed(self) -> None:
        """See `streams.engine.application.Observer.sealed`."""
        self._latencies.seal()
        self._began_at = monotonic()

    def committed(self) -> None:
        """See `streams.engine.application.Observer.committed`."""
        self._latencies.count(time())
        COMMITS.inc()
        COMMIT_SECONDS.observe(monotonic() - self._began_at)

    def undone(self) -> None:
        """See `streams.engine.application.Observer.undone`."""
        self._latencies.forget()
        ABORTS.inc()
