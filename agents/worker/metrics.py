"""What a worker tells Prometheus: names in base units, no card or merchant in a label."""

from collections.abc import Iterator, Mapping, Sequence
from time import monotonic, time

import numpy as np
import numpy.typing as npt
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from agents.evaluation import matured_sums
from agents.policy.active_rules import ActiveRule, ActiveRules
from agents.rules.figures import BANDS_EUR, Figures
from agents.stages.merchant_output import MerchantOutput
from agents.stages.tasks import TaskStages
from schemas.edits import EVERYONE
from schemas.scored import ACTIONS, BY_MODEL, BY_RULE
from streams.engine.engine import Engine
from streams.engine.task import SOURCES
from streams.events.decoding import Finding
from streams.events.rejected import Rejected
from streams.events.rows import Rows
from streams.wire.examples import IMPUTED

SCORED = Counter("chargewatch_scored", "Charges scored, by intervention", ["action"])
REJECTED = Counter("chargewatch_rejected", "Inputs that could not be used, by reason", ["reason"])
FINDINGS = Counter(
    "chargewatch_findings",
    "Fields of inputs that were ignored, masked, or look like a card number; inputs left out",
    ["finding", "field"],
)
EXAMPLES = Counter("chargewatch_examples", "Labelled charges passed to the learner", ["label"])
MATURED_CHARGES = Counter(
    "chargewatch_matured_charges",
    "Charges whose label horizon has passed, by the action that the model chose",
    ["action"],
)
MATURED_COVERED = Counter(
    "chargewatch_matured_covered",
    "Those of them that went through by their action, or could be drawn for the holdout",
    ["action"],
)
MATURED_EXPECTED = Counter(
    "chargewatch_matured_expected", "Frauds among them that their scores imply", ["action"]
)
MATURED_FRAUDS = Counter(
    "chargewatch_matured_frauds", "Frauds seen among them, by inverse propensity", ["action"]
)
MATURED_EXPECTED_OF_SEEN = Counter(
    "chargewatch_matured_expected_of_seen",
    "Frauds that scores imply among those whose label is seen, by inverse propensity",
    ["action"],
)
MATURED_SEEN = Counter(
    "chargewatch_matured_seen", "Those whose label is seen, by inverse propensity", ["action"]
)
MATURED_SEEN_SQUARES = Counter(
    "chargewatch_matured_seen_squares", "Squares of the inverse propensities", ["action"]
)
MATURED_LABELS = Counter("chargewatch_matured_labels", "How many labels are seen", ["action"])
DISPUTED_BLOCKS = Counter(
    "chargewatch_disputed_blocks",
    "Charges disputed as fraud that were blocked, as far as is known",
)
RULE_MATCHES = Counter(
    "chargewatch_rule_matches",
    "Charges that a rule matched; those of merchants together, but of the rules for all each",
    ["rule", "action", "shadow"],
)
RULE_DECISIONS = Counter("chargewatch_rule_decisions", "Charges that a rule decided", ["rule"])
RULE_LABELS = Counter(
    "chargewatch_rule_seen",
    "Charges that a rule matched, past their horizon and with a label, by inverse propensity",
    ["rule"],
)
RULE_FRAUDS = Counter(
    "chargewatch_rule_frauds", "Those of them that are frauds, by inverse propensity", ["rule"]
)
POLICY_REJECTED = Counter(
    "chargewatch_policy_rejected",
    "Records of rules, lists, merchants' settings and fraud rates that could not be used, by topic",
    ["topic"],
)
SIGNALS_MISSING = Counter(
    "chargewatch_signals_missing", "Charges without a signal of the producer's own", ["signal"]
)
DRIFT = Counter("chargewatch_drift", "Quantities found to have shifted", ["signal"])
COMMITS = Counter("chargewatch_commits", "Commits that made work count")
ABORTS = Counter("chargewatch_aborts", "Transactions that failed, whose work was done again")
COMMIT_SECONDS = Histogram(
    "chargewatch_commit_seconds",
    "Duration of a commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
)

LAG_MESSAGES = Gauge("chargewatch_lag_messages", "Messages not yet taken, by input", ["source"])
LAG_SECONDS = Gauge(
    "chargewatch_lag_seconds", "Age of the newest scored charge while others wait, else 0"
)
DISPUTES_WAITING = Gauge(
    "chargewatch_disputes_waiting",
    "Disputes and outcomes that wait: for their charge to come, or for charges to reach their time",
    ["until"],
)
CHARGES_WAITING = Gauge(
    "chargewatch_charges_waiting",
    "Charges that wait for what they share with others, and what waits behind them",
)
TASKS = Gauge("chargewatch_tasks", "Tasks of this worker, by state", ["state"])
RESTORED_RECORDS = Gauge("chargewatch_restored_records", "Records read by restores under way")
RESTORE_LEFT = Gauge("chargewatch_restore_left_records", "Records that these still have to read")
STATE_BYTES = Gauge("chargewatch_state_bytes", "Size of the local databases on disk")
FRAUD_RATE = Gauge(
    "chargewatch_fraud_rate",
    "Value of fraud over value charged, of remote card payments above the band before, in 90 days",
    ["band"],
)
MODEL = Info("chargewatch_model", "The model that scores")
MODEL_AGE_SECONDS = Gauge("chargewatch_model_age_seconds", "Time since its snapshot came")

_SCORED_AS = [SCORED.labels(action) for action in ACTIONS]
_MATURED = {
    matured_sums.CHARGES: MATURED_CHARGES,
    matured_sums.COVERED: MATURED_COVERED,
    matured_sums.EXPECTED: MATURED_EXPECTED,
    matured_sums.FRAUDS: MATURED_FRAUDS,
    matured_sums.EXPECTED_OF_SEEN: MATURED_EXPECTED_OF_SEEN,
    matured_sums.SEEN: MATURED_SEEN,
    matured_sums.SEEN_SQUARES: MATURED_SEEN_SQUARES,
    matured_sums.LABELS: MATURED_LABELS,
}
"""By the sum that each counts."""

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0, 30.0)


class Latencies(Collector):
    """How long charges took from the log of `charges` until their scored event could be seen.

    A histogram that takes whole batches. A batch only counts once it is committed, unless its
    scored events are seen at once.

    Parameters
    ----------
    registry
        Where it is collected.
    is_seen_at_once
        Whether scored events are seen before they are committed.

    Attributes
    ----------
    newest
        When the broker had the newest charge that was scored, Unix seconds.

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
        self._is_seen_at_once = is_seen_at_once
        self._counts = np.zeros(len(LATENCY_BUCKETS_S) + 1, np.int64)
        self._sum_s = 0.0
        self._waiting: list[npt.NDArray[np.float64]] = []
        self._sealed: list[npt.NDArray[np.float64]] = []
        self.newest = 0.0
        registry.register(self)

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
        self.newest = max(self.newest, float(published.max(initial=0.0)))
        seconds = np.maximum(now - published, 0.0)
        places = np.searchsorted(LATENCY_BUCKETS_S, seconds)
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum_s += float(seconds.sum())

    def forget(self) -> None:
        """Forget what does not count yet: it comes again."""
        self._sealed, self._waiting = [], []

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        bounds = [*map(str, LATENCY_BUCKETS_S), "+Inf"]
        yield HistogramMetricFamily(
            "chargewatch_end_to_end_seconds",
            "From a charge in the log of its topic until its scored event can be seen",
            buckets=list(zip(bounds, np.cumsum(self._counts).tolist(), strict=True)),
            sum_value=self._sum_s,
        )


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


def show_tasks(engine: Engine, newest_scored: float, now: float) -> None:
    """Show the lag, the restores and the state of a worker's tasks."""
    tasks = list(engine.tasks.values())
    restores = list(engine.restoring.values())
    for source in SOURCES:
        LAG_MESSAGES.labels(source).set(sum(task.buffers[source].lag for task in tasks))
    waits = any(buffer.lag for task in tasks for buffer in task.buffers.values())
    LAG_SECONDS.set(now - newest_scored if waits and newest_scored else 0.0)
    TASKS.labels("running").set(len(tasks))
    TASKS.labels("restoring").set(len(restores))
    TASKS.labels("standby").set(len(engine.copied))
    RESTORED_RECORDS.set(sum(restore.records for restore in restores))
    RESTORE_LEFT.set(sum(restore.end - restore.position for restore in restores))
    STATE_BYTES.set(sum(task.state.store.size_bytes for task in tasks))


def show_waiting(stages: Sequence[TaskStages]) -> None:
    """Show how many charges, disputes and outcomes wait in a worker's tasks, and for what."""
    CHARGES_WAITING.set(sum(stage.waiting for stage in stages))
    waiting = [stage.card.waiting for stage in stages]
    DISPUTES_WAITING.labels("charge").set(sum(each.for_charge for each in waiting))
    DISPUTES_WAITING.labels("time").set(sum(each.for_time for each in waiting))


def show_model(version: str, age_s: float) -> None:
    """Show which model scores."""
    MODEL.info({"version": version})
    MODEL_AGE_SECONDS.set(age_s)


def show_fraud_rates(figures: Figures) -> None:
    """Show the fraud rates of the installation; NaN while nothing was charged in a band."""
    for band, rate in zip(BANDS_EUR, figures.fraud_rates, strict=True):
        FRAUD_RATE.labels(str(band)).set(rate)


def count_output(output: MerchantOutput) -> None:
    """Count what the merchant stage gave."""
    for code, count in enumerate(np.bincount(output.actions).tolist()):
        if count:
            _SCORED_AS[code].inc(count)
    if len(output.examples):
        positives = output.examples["label"] == 1
        imputed = int(np.count_nonzero(output.examples["source"] == IMPUTED))
        EXAMPLES.labels("fraud").inc(int(np.count_nonzero(positives)) - imputed)
        EXAMPLES.labels("imputed").inc(imputed)
        EXAMPLES.labels("good").inc(int(np.count_nonzero(~positives)))
    DISPUTED_BLOCKS.inc(output.disputed_blocks)
    for shift in output.shifts:
        DRIFT.labels(shift.quantity.name).inc()


def count_rules(output: MerchantOutput, rules: ActiveRules) -> None:
    """Count which rules matched, and which of them decided."""
    answers = output.answers
    for hash_, count in _by_rule(answers["rules"].ravel()):
        if found := rules.by_hash.get(hash_):
            shadow = "yes" if found.rule.is_shadow else "no"
            RULE_MATCHES.labels(_named(found), found.rule.action, shadow).inc(count)
    decided = answers["rules"][answers["decided_by"] == BY_RULE, 0]
    for hash_, count in _by_rule(decided):
        if found := rules.by_hash.get(hash_):
            RULE_DECISIONS.labels(_named(found)).inc(count)


def count_matured_rules(charges: Rows, rules: ActiveRules) -> None:
    """Count what became of the charges that rules in force matched, MATURED_CHARGE[N]."""
    for hash_, _ in _by_rule(charges["rules"].ravel()):
        if found := rules.by_hash.get(hash_):
            matched = charges[(charges["rules"] == hash_).any(axis=1)]
            sums = matured_sums.sums_of(matched).sum(axis=(0, 1))
            RULE_LABELS.labels(_named(found)).inc(sums[matured_sums.SEEN])
            RULE_FRAUDS.labels(_named(found)).inc(sums[matured_sums.FRAUDS])


def _by_rule(hashes: npt.NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """Yield each rule's hash, and how often it is there."""
    found, counts = np.unique(hashes[hashes != 0], return_counts=True)
    yield from zip(found.tolist(), counts.tolist(), strict=True)


def _named(active: ActiveRule) -> str:
    """Return what a rule is called in a label: no merchant is in one."""
    return active.rule.label if active.merchant == EVERYONE else "of a merchant"


def count_matured(charges: Rows) -> None:
    """Count what is told of charges at their horizon, MATURED_CHARGE[N].

    It takes as long for a thousand of them as for one.
    """
    of_model = charges[charges["decided_by"] == BY_MODEL]
    sums = matured_sums.sums_of(of_model).sum(axis=1)
    for action, of_action in zip(ACTIONS, sums.tolist(), strict=True):
        for place, counter in _MATURED.items():
            counter.labels(action).inc(of_action[place])


def count_rejected(rejected: Sequence[Rejected]) -> None:
    """Count inputs that could not be used."""
    for copy in rejected:
        REJECTED.labels(copy.reason).inc()


def count_missing(signals: Sequence[str], missing: npt.NDArray[np.int64]) -> None:
    """Count the charges that lack each signal."""
    for name, count in zip(signals, missing.tolist(), strict=True):
        if count:
            SIGNALS_MISSING.labels(name).inc(count)


def count_findings(findings: Mapping[tuple[Finding, str], int]) -> None:
    """Count what was found in the fields of valid inputs."""
    for labels, count in findings.items():
        FINDINGS.labels(*labels).inc(count)
