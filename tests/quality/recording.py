"""One pass of the real stages over events, kept: what every candidate then runs over."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import inf
from typing import TYPE_CHECKING, Self

import numpy as np

from agents.backtest.backtest import Backtest
from agents.backtest.replay import Replay
from agents.evaluation.outcome_collector import Gathering
from agents.models.prior import PriorScorer
from agents.settings.schema import Settings
from streams.features.signals import features_with

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from agents.backtest.backtest import Step
    from schemas.signals import Signal
    from streams.events.rows import Rows
    from streams.features.spec import Feature


@dataclass(frozen=True, slots=True)
class Recording:
    """Charges in the order in which they were scored, and examples in the order they came.

    Attributes
    ----------
    created, card
        When each charge was made, Unix seconds, and a number for its card, shape (N,).
    fraud
        Whether any dispute says so, however late, shape (N,).
    vectors
        What a model is given to score, shape (N, features).
    examples
        EXAMPLE[M].
    scored_before
        How many of the charges were scored before each example came, shape (M,).
    """

    created: NDArray[np.float64]
    card: NDArray[np.int64]
    fraud: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    examples: Rows
    scored_before: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write it to a file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as file:
            return cls(**{field.name: file[field.name] for field in fields(cls)})

    def taught_until(self, time: float) -> Self:
        """Return it without the examples that came after the charges created before `time`."""
        came = self.scored_before <= np.searchsorted(self.created, time)
        return replace(self, examples=self.examples[came], scored_before=self.scored_before[came])


def record(
    charges: Path,
    disputes: Path,
    label_horizon_days: float,
    signals: tuple[Signal, ...] = (),
) -> Recording:
    """Send events through the stages of a worker, as the backtest does, and keep what they give.

    Parameters
    ----------
    charges, disputes
        Files as for `agents.backtest.replay.Replay`.
    label_horizon_days
        A charge not disputed for so long counts as genuine.
    signals
        Fields of the charges that are columns of their vectors, behind those of `FEATURES`.
    """
    replay = Replay(charges, disputes, inf)
    for _ in replay.survey():
        pass
    recorder = _Recorder(Settings(label_horizon_days=label_horizon_days, signals=signals))
    for part in replay.parts():
        recorder.gathering.add_events(part.events.batch.rows)
        for step in recorder.run(part.events):
            recorder.keep(step)
    for step in recorder.end():
        recorder.keep(step)
    return recorder.recording()


class _Recorder(Backtest):
    """The backtest with a scorer that keeps what it is given, and no learner."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, clock=lambda: 0.0)
        self.gathering = Gathering()
        self._scorer = self._given = _Given(features_with(settings.signals))
        self._charges = 0
        self._vectors: list[NDArray[np.float32]] = []
        self._examples: list[Rows] = []
        self._scored_before: list[NDArray[np.int64]] = []

    def keep(self, step: Step) -> None:
        """Keep what the batch just processed gave; a duplicate does not count."""
        is_first = step.charges["duplicate"] == 0
        output = step.output
        self.gathering.add_scored(step.charges, step.first_of_card, output.answers, output.scored)
        self._charges += int(np.count_nonzero(is_first))
        self._vectors.append(self._given.vectors[is_first])
        self._examples.append(output.examples)
        self._scored_before.append(np.full(len(output.examples), self._charges))

    def recording(self) -> Recording:
        """Return all that was kept."""
        outcomes = self.gathering.outcomes()
        return Recording(
            outcomes.created,
            outcomes.card,
            outcomes.fraud,
            np.concatenate(self._vectors),
            np.concatenate(self._examples),
            np.concatenate(self._scored_before),
        )

    def _settle_model(self, now: float) -> None:
        """Keep the scorer."""

    def _learn(self, examples: Rows) -> None:
        """Learn nothing."""


class _Given(PriorScorer):
    """The prior, keeping the vectors of the last batch."""

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__(features)
        self.vectors = np.empty((0, len(features)), np.float32)

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        self.vectors = vectors.copy()
        return super().predict(vectors)
