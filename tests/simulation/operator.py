"""An operator who promotes a challenger and loads models while everything else goes on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from agents.learning.learner import LearnerStage
from agents.models.kinds import DEFAULT
from schemas.control import CHAMPION_KEY, Champion, Loaded, encode_control, loaded_key
from tests.agents.learning.feeds import examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from schemas.snapshot import Snapshot
    from streams.kafka.topics import Topics
    from tests.simulation.broker import Broker

_WITHIN_S = 15.0
_MOST_LOADS, _PROMOTE_SHARE = 2, 0.3


class Operator:
    """Writes control records to the topic of the models.

    Parameters
    ----------
    random
        Draws when, and what.
    topics
        Their names.
    broker
        Has them.
    challengers
        Models that may be promoted.
    """

    def __init__(
        self, random: Random, topics: Topics, broker: Broker, challengers: Sequence[str]
    ) -> None:
        self._log = broker.logs[topics.models, 0]
        for number in range(random.randint(0, _MOST_LOADS)):
            loaded = Loaded(f"{number:08x}", model(10 + number))
            self._later(broker, random, loaded_key(DEFAULT), loaded)
        if random.random() < _PROMOTE_SHARE:
            self._later(broker, random, CHAMPION_KEY, Champion(random.choice(challengers)))

    def _later(self, broker: Broker, random: Random, key: bytes, record: Champion | Loaded) -> None:
        def write() -> None:
            self._log.append(key, encode_control(record), [], 0, None)

        broker.scheduler.later(random.random() * _WITHIN_S, write)


@cache
def model(count: int) -> Snapshot:
    """Return a model that has learned so many examples, none of them of the schedule."""
    stage = LearnerStage(None, 10**9)
    stage.learn(examples(count, 1), range(count))
    return stage.snapshot()
