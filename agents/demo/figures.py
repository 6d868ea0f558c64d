"""What the ledger says in figures: how it goes, how well it went, how long it took."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agents.demo.balance import Balance, balance
from agents.demo.ledger import Counts, Flagged, Learned, Ledger, ScoredCharges
from agents.demo.scenario import Play
from agents.evaluation.metrics import average_precision
from agents.evaluation.outcomes import Outcomes
from agents.settings.costs import Costs
from schemas.scored import ACTIONS
from streams.durations import DAY_S

_WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class HistoryNow:
    """How far the history is.

    Attributes
    ----------
    share
        Of its event time, from 0 to 1.
    stream_time
        Newest event time scored, Unix seconds.
    charges_per_s
        Scored on average so far, a second of the wall clock.
    """

    share: float
    stream_time: float
    charges_per_s: float
    counts: Counts
    model: Learned


@dataclass(frozen=True, slots=True)
class ActionCount:
    """How many charges got an action, their worth, and how many of them were fraud."""

    action: str
    charges: int
    amount: float
    frauds: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Time from sending a charge to reading its scored event, of so many charges."""

    charges: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class LiveNow:
    """How the live part goes."""

    elapsed_s: float
    stream_time: float
    charges_per_s: float
    counts: Counts
    model: Learned
    actions: list[ActionCount]
    average_precision: float | None
    prior_average_precision: float | None
    balance: Balance
    latency: Latency | None
    latest: list[Flagged]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of event time and how well it was scored.

    Attributes
    ----------
    start
        Unix seconds.
    prior_share
        Share of its charges that the prior scored, having no model yet.
    """

    start: float
    charges: int
    frauds: int
    prior_share: float
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo ends with; every figure is of its own run.

    Attributes
    ----------
    reasons
        Why inputs were rejected, an example of each reason, and how many there were.
    outcomes_taken
        How many of the outcomes the worker has taken.
    live, actions, balance, latency
        Of the live part.
    """

    counts: Counts
    answered_once: int
    outcomes_taken: int
    reasons: list[tuple[str, int]]
    history_charges_per_s: float
    live_s: float
    model: Learned
    weeks: list[Part]
    live: Part
    actions: list[ActionCount]
    balance: Balance
    latency: Latency


class Figures:
    """Reads the ledger of a play.

    Parameters
    ----------
    ledger
        Of this play.
    play
        Tells when the live part began in event time.
    costs
        The worker's cost table.
    """

    def __init__(self, ledger: Ledger, play: Play, costs: Costs) -> None:
        self._ledger = ledger
        self._play = play
        self._costs = costs

    def history(self, elapsed_s: float) -> HistoryNow:
        """Say how far the history is, so many seconds after its beginning."""
        counts, play = self._ledger.counts, self._play
        done_s = max(0.0, self._ledger.stream_time - play.start)
        return HistoryNow(
            share=min(1.0, done_s / play.history_s),
            stream_time=max(play.start, self._ledger.stream_time),
            charges_per_s=counts.scored / max(elapsed_s, 1e-3),
            counts=counts,
            model=self._ledger.newest_model(),
        )

    def live(self, began_at: float, now: float) -> LiveNow:
        """Say how the live part goes; times in seconds of the ledger's clock."""
        scored = self._ledger.scored_charges(self._play.live_start)
        outcomes = scored.outcomes()
        elapsed_s = now - began_at
        return LiveNow(
            elapsed_s=elapsed_s,
            stream_time=self._ledger.stream_time,
            charges_per_s=len(outcomes) / max(elapsed_s, 1e-3),
            counts=self._ledger.counts,
            model=self._ledger.newest_model(),
            actions=action_counts(outcomes),
            average_precision=average_precision(outcomes.score, outcomes.fraud),
            prior_average_precision=self._prior_average_precision,
            balance=balance(outcomes, scored.stopped == 1, scored.held_out == 1, self._costs),
            latency=latency(scored.seconds[scored.sent_at >= began_at]),
            latest=self._ledger.latest_flagged(),
        )

    @cached_property
    def _prior_average_precision(self) -> float | None:
        """Of what the prior scored in the history, which is over once this is asked for."""
        scored = self._ledger.scored_charges(self._play.start)
        outcomes = scored.outcomes()
        rows = (scored.by_prior == 1) & (scored.created < self._play.live_start)
        return average_precision(outcomes.score[rows], outcomes.fraud[rows])

    def report(
        self, history_s: float, live_began_at: float, live_s: float, outcomes_taken: int
    ) -> Report:
        """Sum the whole run up."""
        scored = self._ledger.scored_charges(self._play.start)
        outcomes = scored.outcomes()
        is_live = outcomes.created >= self._play.live_start
        live = outcomes.only(is_live)
        took = latency(scored.seconds[scored.sent_at >= live_began_at])
        assert took is not None, "the live part has charges"
        history = int(np.count_nonzero(~is_live))
        return Report(
            counts=replace(self._ledger.counts),  # which may go on
            answered_once=self._ledger.answered_once(),
            outcomes_taken=outcomes_taken,
            reasons=[
                (self._ledger.examples[reason], count)
                for reason, count in self._ledger.reasons.most_common()
            ],
            history_charges_per_s=history / history_s,
            live_s=live_s,
            model=self._ledger.newest_model(),
            weeks=_weeks(scored, outcomes, self._play),
            live=_part(self._play.live_start, scored, outcomes, is_live),
            actions=action_counts(live),
            balance=balance(
                live, scored.stopped[is_live] == 1, scored.held_out[is_live] == 1, self._costs
            ),
            latency=took,
        )


def action_counts(outcomes: Outcomes) -> list[ActionCount]:
    """Count charges, their worth and frauds by action."""
    parts = [outcomes.only(outcomes.action == code) for code in range(len(ACTIONS))]
    return [
        ActionCount(name, len(part), float(part.amount.sum()), int(np.count_nonzero(part.fraud)))
        for name, part in zip(ACTIONS, parts, strict=True)
    ]


def latency(seconds: npt.NDArray[np.float64]) -> Latency | None:
    """Sum latencies up; None of none.

    >>> latency(np.array([0.010, 0.020, 0.030]))
    Latency(charges=3, p50_ms=20.0, p99_ms=29.8, max_ms=30.0)
    """
    if not len(seconds):
        return None
    p50, p99, most = (round(float(ms), 3) for ms in np.percentile(seconds * 1e3, (50, 99, 100)))
    return Latency(len(seconds), p50, p99, most)


def _weeks(scored: ScoredCharges, outcomes: Outcomes, play: Play) -> list[Part]:
    """Cut the history into weeks; the last one may be shorter."""
    week = np.floor((outcomes.created - play.start) / _WEEK_S)
    in_history = outcomes.created < play.live_start
    return [
        _part(play.start + number * _WEEK_S, scored, outcomes, in_history & (week == number))
        for number in np.unique(week[in_history]).tolist()
    ]


def _part(
    start: float, scored: ScoredCharges, outcomes: Outcomes, rows: npt.NDArray[np.bool_]
) -> Part:
    return Part(
        start=start,
        charges=int(np.count_nonzero(rows)),
        frauds=int(np.count_nonzero(outcomes.fraud[rows])),
        prior_share=float(np.mean(scored.by_prior[rows])),
        average_precision=average_precision(outcomes.score[rows], outcomes.fraud[rows]),
    )
