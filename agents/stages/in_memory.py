"""All stages of a task in memory, without Kafka: one feeds the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agents.policy.fraud_rates import rates_of
from agents.shared_entities.in_memory import SharedInMemory
from agents.stages.card_in_memory import Cards
from agents.stages.merchant_output import MerchantOutput
from agents.stages.tasks import TaskStages, bare_policy
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agents.models.protocols import Scorer
    from agents.policy.policy import Policy
    from agents.settings.schema import Settings
    from agents.shared_entities.columns import SharedColumns
    from agents.stages.card import CardOutput
    from streams.events.batch import Batch, TimedBatch, Times


class TaskInMemory:
    """One task, over events in the order of their time.

    Parameters
    ----------
    settings
        As for a worker.
    clock
        Gives `scored_at`, Unix seconds.
    policy
        What decides beside the model; nothing but the settings' costs when `None`.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float], policy: Policy | None = None
    ) -> None:
        self._clock = clock
        self._policy = policy or bare_policy(settings)
        self._cards = Cards(settings)
        self._state = TaskState(MemoryStore())
        stages = TaskStages(self._state, settings)
        self._merchant, self._entities = stages.merchant, stages.entities
        self._shared = SharedInMemory(stages.entities, settings.entities)

    def count(self, events: TimedBatch) -> Iterator[CardOutput]:
        """Run the card stage batch by batch, and give what there is to score.

        No event may be older than those of an earlier call.
        """
        return _not_empty(self._cards.count(events))

    def end(self) -> Iterator[CardOutput]:
        """Do as `count` with the disputes that wait for a time that no charge has reached."""
        return _not_empty([self._cards.end()])

    def score(self, counted: CardOutput, scorer: Scorer) -> MerchantOutput:
        """Run the other stages over what the card stage has made, all of it or a part.

        Rules see the fraud rates of this task, as they are before it. What shared entities are told
        of an hour's actions and labels counts from the next on, so they are told hour by hour.
        """
        return MerchantOutput.joined(
            [
                self._score(frames, scorer, shared)
                for frames, shared in self._shared.by_hour(counted.frames, counted.times)
            ]
        )

    def _score(self, frames: Batch, scorer: Scorer, shared: SharedColumns | None) -> MerchantOutput:
        policy = self._policy
        if policy.rules:
            rates = rates_of([self._merchant.fraud_value])
            policy = replace(policy, figures=replace(policy.figures, fraud_rates=rates))
        output = self._merchant.process(frames, scorer, policy, self._clock, shared=shared)
        if len(output.entity_events):
            self._entities.process(output.entity_events)
        return output

    def due_by(self, now: float) -> list[tuple[Times, float]]:
        """See `streams.labels.horizons.Horizons.due_by`."""
        return self._merchant.due_by(now)

    def commit(self) -> None:
        """Write what the stages behind the card stage have changed."""
        self._state.commit(0)


def _not_empty(batches: Iterable[CardOutput]) -> Iterator[CardOutput]:
    return (counted for counted in batches if len(counted.times))
