"""What a worker tells Prometheus: names in base units, no card or merchant in a label."""

from collections.abc import Sequence

import numpy as np
from prometheus_client import Counter, Histogram

from agents.decisions import ACTIONS
from agents.merchant import MerchantOutput
from streams.decoding import Rejected

SCORED = Counter("chargewatch_scored", "Charges scored, by intervention", ["action"])
REJECTED = Counter("chargewatch_rejected", "Inputs that could not be used, by reason", ["reason"])
EXAMPLES = Counter("chargewatch_examples", "Labelled charges passed to the learner", ["label"])
COMMITS = Counter("chargewatch_commits", "Commits that made work count")
COMMIT_SECONDS = Histogram(
    "chargewatch_commit_seconds",
    "Duration of a commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
)


def count_output(output: MerchantOutput) -> None:
    """Count what the merchant stage gave."""
    for code, count in enumerate(np.bincount(output.actions, minlength=len(ACTIONS)).tolist()):
        SCORED.labels(ACTIONS[code]).inc(count)
    positives = int(output.examples["label"].sum())
    EXAMPLES.labels("fraud").inc(positives)
    EXAMPLES.labels("good").inc(len(output.examples) - positives)
    count_rejected(output.rejected)


def count_rejected(rejected: Sequence[Rejected]) -> None:
    """Count inputs that could not be used."""
    for copy in rejected:
        REJECTED.labels(copy.reason).inc()
