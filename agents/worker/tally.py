"""What a worker notes of the charges that it scores: for its metrics, its checks, and traces."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

import numpy as np

from agents.worker import latencies, metrics
from agents.worker.actions_check import ActionsCheck
from agents.worker.signals_check import SignalsCheck
from schemas.scored import ACTIONS
from streams.events.rows import CHARGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.policy.active_rules import ActiveRules
    from agents.stages.merchant_output import MerchantOutput
    from agents.telemetry.traces import Traces
    from streams.events.rows import Rows
    from streams.features.spec import Feature


class Tally:
    """Takes what the merchant stage gave, batch by batch; most is counted once a second.

    Parameters
    ----------
    of_charges
        How long they took.
    features
        The columns of the vectors.
    traces_url
        Where spans go; empty for none.
    """

    def __init__(
        self, of_charges: latencies.Latencies, features: Sequence[Feature], traces_url: str
    ) -> None:
        self._latencies = of_charges
        self._scored = metrics.ScoredCharges()
        self._matured: list[Rows] = []
        self._actions_check = ActionsCheck()
        self._signals_check = SignalsCheck(features)
        self._traces = _traces(traces_url)

    def add(self, output: MerchantOutput, events: Rows, began: float, rules: ActiveRules) -> None:
        """Note what was scored now.

        Parameters
        ----------
        output
            Of the merchant stage.
        events
            EVENT[N] that it was given, with the charges that it has scored.
        began
            When the stage took them, Unix seconds.
        rules
            In force.
        """
        charges = np.flatnonzero(events["kind"] == CHARGE)
        published = events["published"][charges]
        metrics.count_output(output)
        if rules:
            metrics.count_rules(output, rules)
        self._scored.add(output.answers, events["amount"][charges])
        if len(output.matured):
            self._matured.append(output.matured)
        self._actions_check.add(output.disputed_blocks)
        missing = self._signals_check.add(events["created"][charges], output.answers["vector"])
        metrics.count_missing(self._signals_check.names, missing)
        latencies.count_stage("merchant", published)
        self._latencies.add(published)
        if self._traces is not None and output.headers is not None:
            actions = (ACTIONS[code] for code in output.actions.tolist())
            self._traces.add(output.headers, published.tolist(), began, actions, time())

    def count(self, rules: ActiveRules) -> None:
        """Count what takes as long for many batches as for one."""
        self._scored.count()
        if self._matured:
            matured = np.concatenate(self._matured)
            metrics.count_matured(matured)
            metrics.count_matured_rules(matured, rules)
            self._matured.clear()

    def close(self) -> None:
        """Let spans be taken, for a moment."""
        if self._traces is not None:
            self._traces.close()


def _traces(url: str) -> Traces | None:
    if not url:
        return None
    from agents.telemetry.traces import Traces  # noqa: PLC0415 - it is installed where it is wanted

    return Traces.to(url)
