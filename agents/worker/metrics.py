"""What a worker counts: names in base units, no card or merchant in a label."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client import Counter

from agents.evaluation import matured_sums
from agents.policy.active_rules import ActiveRule, ActiveRules
from agents.stages.merchant_output import MerchantOutput
from agents.telemetry.batch_histogram import BatchHistogram
from schemas.edits import EVERYONE
from schemas.scored import ACTIONS, ALLOW, BY_MODEL, BY_RULE, BY_TEST_CARD
from streams.events.decoding import Finding
from streams.events.rejected import Rejected
from streams.events.rows import Rows
from streams.wire.examples import IMPUTED

SCORED = Counter("chargewatch_scored", "Charges scored, by intervention", ["action"])
SCORED_USD = Counter("chargewatch_scored_usd", "Their amounts, in US dollars", ["action"])
DECIDED = Counter("chargewatch_decided", "Charges scored, by what decided", ["by"])
HOLDOUT = Counter(
    "chargewatch_holdout", "Charges drawn to go through, by what would have been done", ["action"]
)
HOLDOUT_USD = Counter("chargewatch_holdout_usd", "Their amounts, in US dollars", ["action"])
SCORES = BatchHistogram(
    "chargewatch_scores",
    "Scores of charges",
    (0.0001, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9),
)
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

_DECIDED_BY = {BY_MODEL: "model", BY_RULE: "rule", BY_TEST_CARD: "test_card"}
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


def begin(signals: Iterable[str], topics: Iterable[str]) -> None:
    """Show 0 of what has not been counted: else the first count would be no increase.

    Parameters
    ----------
    signals
        That are watched for drift.
    topics
        Of what merchants decide.
    """
    for action in ACTIONS:
        for counter in (SCORED, SCORED_USD, HOLDOUT, HOLDOUT_USD, *_MATURED.values()):
            counter.labels(action)
    for counter, values in (
        (DECIDED, (*_DECIDED_BY.values(), "holdout")),
        (EXAMPLES, ("fraud", "imputed", "good")),
        (DRIFT, signals),
        (POLICY_REJECTED, topics),
    ):
        for value in values:
            counter.labels(value)


class ScoredCharges:
    """Counts how charges were answered, many batches at a time: that takes as long as for one.

    Examples
    --------
    >>> ScoredCharges().count()  # of none
    """

    def __init__(self) -> None:
        self._batches: list[tuple[npt.NDArray[Any], ...]] = []

    def add(self, answers: Rows, usd: npt.NDArray[np.float64]) -> None:
        """Add charges, PENDING[N], of f8[N] US dollars."""
        SCORES.observe(answers["score"].copy())
        self._batches.append((*(answers[name].copy() for name in _COUNTED), usd))

    def count(self) -> None:
        """Count what was added."""
        batches, self._batches = self._batches, []
        if not batches:
            return
        actions, withheld, by, usd = map(np.concatenate, zip(*batches, strict=True))
        _count_actions(actions, usd, SCORED, SCORED_USD)
        drawn = withheld != ALLOW
        _count_actions(withheld[drawn], usd[drawn], HOLDOUT, HOLDOUT_USD)
        DECIDED.labels("holdout").inc(int(np.count_nonzero(drawn)))
        for code, count in enumerate(np.bincount(by[~drawn]).tolist()):
            if count:
                DECIDED.labels(_DECIDED_BY[code]).inc(count)


_COUNTED = ("action", "withheld", "decided_by")


def _count_actions(
    actions: npt.NDArray[np.uint8], usd: npt.NDArray[np.float64], charges: Counter, amounts: Counter
) -> None:
    """Count N charges by their actions, and the US dollars of them."""
    counts, sums = np.bincount(actions), np.bincount(actions, usd)
    for code in np.flatnonzero(counts).tolist():
        charges.labels(ACTIONS[code]).inc(int(counts[code]))
        amounts.labels(ACTIONS[code]).inc(float(sums[code]))


def count_output(output: MerchantOutput) -> None:
    """Count what the merchant stage gave besides."""
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
