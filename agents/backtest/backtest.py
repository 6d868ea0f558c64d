"""The backtest: events through the same stages as a worker's, without Kafka.

Every charge is scored with a model that has learned only from labels that were there before it, and
is learned from when its own label would have come: prequential evaluation (Gama, Sebastiao and
Rodrigues 2013, "On evaluating stream learning algorithms").

A worker takes a new model as soon as one has come, which depends on the machine. Here the model
changes at fixed times of the event clock only, so that the same events get the same scores, however
they are cut into batches.

Nobody carries the actions of a backtest out: its charges went through, whatever is chosen for them
now, but for what outcomes tell. So the setting `actions` is `advisory`, save in a closed loop
(`agents.backtest.closed_loop`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from agents.backtest.model_spans import Spans, interval_ends
from agents.learning.learner import LearnerStage, TrainingStage
from agents.models.kinds import DEFAULT, KINDS, scorer
from agents.stages.in_memory import TaskInMemory
from agents.stages.tasks import bare_policy, features_of
from streams.durations import DAY_S
from streams.events.methods import MethodTable
from streams.events.rows import CHARGE, Rows
from streams.features.entities import CARDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from agents.policy.active_rules import ActiveRules
    from agents.settings.schema import Actions, Settings
    from agents.stages.card import CardOutput
    from agents.stages.merchant_output import MerchantOutput
    from schemas.snapshot import Snapshot
    from streams.events.batch import TimedBatch

MODEL_INTERVAL_S = 600.0
"""Event time between two changes of the model; measured: an hour loses 0.001 of the average
precision, a minute costs a third of the speed and gains nothing."""

_CHARGES_BEFORE = [feature.name for feature in CARDS.features].index("card_charges_before")


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gave.

    Attributes
    ----------
    charges
        EVENT[N] of the charges scored.
    first_of_card
        bool[N], whether the card was new.
    output
        Scored events in the same order, and examples.
    """

    charges: Rows
    first_of_card: NDArray[np.bool_]
    output: MerchantOutput


class Backtest:
    """One task and the learner, over events in the order of their time.

    Parameters
    ----------
    settings
        As for a worker.
    clock
        Gives `scored_at`, Unix seconds.
    actions
        Whether the actions are carried out, in place of the setting.
    rules
        That decide beside the model.
    kind
        Of the model. Boosted trees are there as soon as they are due: no event comes meanwhile.

    Attributes
    ----------
    snapshot
        The newest model, `None` before the first.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        actions: Actions = "advisory",
        rules: ActiveRules | None = None,
        kind: str = DEFAULT,
    ) -> None:
        settings = replace(settings, actions=actions)
        self._features = features_of(settings)
        self.snapshot: Snapshot | None = None
        policy = bare_policy(settings)
        self._task = TaskInMemory(settings, clock, policy.under(rules) if rules else policy)
        stage = TrainingStage if KINDS[kind].is_boosted else LearnerStage
        self._learner = stage(None, settings.snapshot_every_examples, kind, self._features)
        self._snapshot_every = settings.snapshot_every_examples
        self._horizon_s = settings.label_horizon_days * DAY_S
        self._methods = MethodTable(settings.payment_methods)
        self._scored_with: Snapshot | None = None
        self._scorer = scorer(None, self._features)
        self._interval = 0.0

    def run(self, events: TimedBatch) -> Iterator[Step]:
        """Score and learn, a step for each interval; no event may be older than earlier ones."""
        yield from self._run(self._task.count(events))

    def end(self) -> Iterator[Step]:
        """Have the disputes count that wait for a time that no charge has reached."""
        yield from self._run(self._task.end())

    def _run(self, counted_batches: Iterable[CardOutput]) -> Iterator[Step]:
        for counted in counted_batches:
            ends = interval_ends(counted.times, MODEL_INTERVAL_S).tolist()
            for start, end in pairwise([0, *ends]):
                self._settle_model(float(counted.times[start]))
                yield self._step(counted.part(start, end))
            self._task.commit()

    def score(self, counted: CardOutput) -> Iterator[Step]:
        """Do as `run` with what the card stage has counted, in as few steps as one model allows."""
        if not len(counted.times):
            return
        ends = interval_ends(counted.times, MODEL_INTERVAL_S)
        methods = self._methods.rows(counted.frames.rows["event"])
        horizons_s = self._methods.horizons_s(methods, self._horizon_s)
        spans = Spans(counted, ends, self._task.due_by(float(counted.times[-1])), horizons_s)
        start = 0
        while start < len(counted.times):
            self._settle_model(float(counted.times[start]))
            is_newest = self._scored_with is self.snapshot
            examples = self._snapshot_every - self._learner.offset % self._snapshot_every
            end = spans.end_after(start, examples if is_newest else 0)
            yield self._step(counted.part(start, end))
            self._interval = counted.times[end - 1] // MODEL_INTERVAL_S
            start = end
        self._task.commit()

    def learned(self) -> Snapshot | None:
        """Return all that is learned by now, `None` when no label has come."""
        return self._learner.snapshot() if self._learner.offset > 0 else None

    def _step(self, batch: CardOutput) -> Step:
        output = self._task.score(batch, self._scorer)
        self._learn(output.examples)
        frames = batch.frames.rows
        rows = frames[frames["event"]["kind"] == CHARGE]
        return Step(rows["event"], rows["card_features"][:, _CHARGES_BEFORE] == 0.0, output)

    def _settle_model(self, now: float) -> None:
        """Use the newest model when its time has come."""
        interval = now // MODEL_INTERVAL_S
        if interval > self._interval:
            self._interval = interval
            if self._scored_with is not self.snapshot:
                self._scored_with = self.snapshot
                self._scorer = scorer(self.snapshot, self._features)

    def _learn(self, examples: Rows) -> None:
        first = self._learner.offset
        due = self._learner.learn(examples, range(first, first + len(examples)))
        if due:
            self.snapshot = due[-1]
