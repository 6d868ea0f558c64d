"""Both stages of a task in memory, without Kafka: the card stage feeds the merchant stage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agents.policy.fraud_rates import rates_of
from agents.stages.card_in_memory import Cards
from agents.stages.tasks import TaskStages, bare_policy
from streams.state.store import MemoryStore
from streams.state.tables import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agents.models.protocols import Scorer
    from agents.policy.policy import Policy
    from agents.settings.schema import Settings
    from agents.stages.card import CardOutput
    from agents.stages.merchant_output import MerchantOutput
    from streams.events.batch import TimedBatch, Times


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
        self._merchant = TaskStages(self._state, settings).merchant

    def count(self, events: TimedBatch) -> Iterator[CardOutput]:
        """Run the card stage batch by batch, and give what there is to score.

        No event may be older than those of an earlier call.
        """
        return _not_empty(self._cards.count(events))

    def end(self) -> Iterator[CardOutput]:
        """Do as `count` with the disputes that wait for a time that no charge has reached."""
        return _not_empty([self._cards.end()])

    def score(self, counted: CardOutput, scorer: Scorer) -> MerchantOutput:
        """Run the merchant stage over what the card stage has made, all of it or a part.

        Its rules see the fraud rates of this task, as they are before it.
        """
        policy = self._policy
        if policy.rules:
            rates = rates_of([self._merchant.fraud_value])
            policy = replace(policy, figures=replace(policy.figures, fraud_rates=rates))
        return self._merchant.process(counted.frames, scorer, policy, self._clock)

    def due_by(self, now: float) -> list[tuple[Times, float]]:
        """See `streams.labels.horizons.Horizons.due_by`."""
        return self._merchant.due_by(now)

    def commit(self) -> None:
        """Write what the merchant stage has changed."""
        self._state.commit(0)


def _not_empty(batches: Iterable[CardOutput]) -> Iterator[CardOutput]:
    return (counted for counted in batches if len(counted.times))
