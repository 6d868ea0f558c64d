"""The closed loop: a backtest whose actions are carried out.

What is stopped is never disputed. Challenges and reviews end by the rates of the cost table, drawn
by a hash of the charge, and come back as outcomes (`agents.acting.fates`).

So a model meets what it has brought about: a replay that leaves the disputes of what would have
been stopped in place shows only how well it ranks.

The loop is closed once in each interval in which one model scores: what comes back is made at the
end of it at the earliest. So the same charges, with the outcomes and disputes that came, give a
worker the same to decide on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import orjson

from agents.acting.fates import draw_of, fate, outcome_payload
from agents.backtest.backtest import MODEL_INTERVAL_S, Backtest, Step
from agents.backtest.model_spans import interval_ends
from agents.models.kinds import DEFAULT
from schemas.scored import ALLOW
from streams.events.batch import TimedBatch
from streams.events.decoding import decode_outcomes
from streams.events.origin import Origin, decode_label_tail
from streams.events.rejected import Input
from streams.events.rows import CHARGE, charge_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from agents.policy.active_rules import ActiveRules
    from agents.settings.schema import Settings

_SOURCE = "closed loop"


class ClosedLoop:
    """A backtest with its actions carried out, over events in the order of their time.

    Parameters
    ----------
    settings
        As for a worker.
    clock
        Gives `scored_at`, Unix seconds.
    frauds
        Hashes of the charges that would be disputed as fraudulent.
    rules
        That decide beside the model.
    kind
        Of the model.

    Attributes
    ----------
    backtest
        What scores and learns.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        frauds: Collection[bytes],
        rules: ActiveRules | None = None,
        kind: str = DEFAULT,
    ) -> None:
        self.backtest = Backtest(settings, clock, actions="enforced", rules=rules, kind=kind)
        self._outcomes: list[bytes] = []
        self._disputes: list[bytes] = []
        self._costs = settings.costs
        self._rules = settings.input_rules
        self._frauds = frauds
        self._stopped: set[bytes] = set()
        self._told = 0
        self._coming = TimedBatch()
        self._held = TimedBatch()

    def run(self, events: TimedBatch) -> Iterator[Step]:
        """Score and learn, a step for each interval; no event may be older than earlier ones.

        The last interval waits for more: what comes back of it does so in the next.
        """
        events = _joined(self._held, events)
        ends = [0, *interval_ends(events.times, MODEL_INTERVAL_S)[:-1].tolist()]
        for start, end in pairwise(ends):
            yield from self._interval(events.part(start, end))
        self._held = events.part(ends[-1], len(events))

    def end(self) -> Iterator[Step]:
        """Do as `run` with the last interval, and what comes back after it."""
        yield from self._interval(self._held)
        yield from self._interval(TimedBatch())
        yield from self.backtest.end()

    def taken(self) -> tuple[list[bytes], list[bytes]]:
        """Take the payloads of the outcomes, and of the disputes that came, since the last call."""
        taken = self._outcomes, self._disputes
        self._outcomes, self._disputes = [], []
        return taken

    def _interval(self, events: TimedBatch) -> Iterator[Step]:
        """Score and learn the events of one interval, and what came back of those before."""
        newest = float(events.times[-1]) if len(events) else 0.0
        ends_at = (newest // MODEL_INTERVAL_S + 1.0) * MODEL_INTERVAL_S
        events = _joined(self._coming, self._left(events))
        self._coming = TimedBatch()
        for step in self.backtest.run(events):
            yield step
            self._coming = _joined(self._coming, self._carried_out(step, ends_at))

    def _left(self, events: TimedBatch) -> TimedBatch:
        """Return events without the disputes of what was stopped."""
        rows = events.batch.rows
        labels = np.flatnonzero(rows["kind"] != CHARGE)
        comes = np.ones(len(events), np.bool_)
        for place, charge in zip(labels.tolist(), charge_hashes(rows[labels]), strict=True):
            comes[place] = charge not in self._stopped
            if comes[place]:
                self._disputes.append(decode_label_tail(events.batch.tails[place])[2])
        if comes.all():
            return events
        places = np.flatnonzero(comes)
        return TimedBatch(events.times[places], events.batch.at(places))

    def _carried_out(self, step: Step, ends_at: float) -> TimedBatch:
        """Carry the actions of a step out; return the outcomes, made when its interval ends."""
        told = []
        is_acted_on = (step.output.actions != ALLOW) & (step.charges["duplicate"] == 0)
        places = np.flatnonzero(is_acted_on)
        for place, charge in zip(places.tolist(), charge_hashes(step.charges[places]), strict=True):
            action, is_fraud = int(step.output.actions[place]), charge in self._frauds
            found = fate(action, draw_of(charge), self._costs, is_fraud=is_fraud)
            if found.is_stopped:
                self._stopped.add(charge)
            if found.outcome is not None:
                known_at = max(float(step.charges["created"][place]) + found.after_s, ends_at)
                told.append(self._outcome(found.outcome, known_at, step.output.scored[place]))
        self._outcomes += [received.value or b"" for received in told]
        decoded = decode_outcomes(told, np.inf, self._rules)
        assert not decoded.rejected
        created = decoded.batch.rows["created"]
        order = np.argsort(created, kind="stable")
        return TimedBatch(created[order], decoded.batch.at(order))

    def _outcome(self, outcome: str, known_at: float, scored: bytes) -> Input:
        event = orjson.loads(scored)
        self._told += 1
        payload = outcome_payload(f"outcome-{self._told}", event, outcome, known_at)
        return Input(event["card"].encode(), payload, Origin(_SOURCE, 0, self._told - 1))


def _joined(first: TimedBatch, second: TimedBatch) -> TimedBatch:
    """Merge two batches by time, either of which may be empty."""
    parts = [part for part in (first, second) if len(part)]
    return TimedBatch.merged(parts) if parts else TimedBatch()
