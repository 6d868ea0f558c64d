"""A candidate over a recording: each stretch of time is scored before what came in it is learned.

This is what the backtest does (see `agents.backtest.backtest`), without the stages, which do not
depend on the model: the same times at which the model changes, and the same examples learned by
then. A test holds the scores of both against each other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from agents.backtest.backtest import MODEL_INTERVAL_S
from agents.models.calibration import calibrated as on_curve
from agents.models.track_record import Experience
from agents.settings.schema import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streams.events.rows import Rows
    from tests.quality.recording import Recording

_EVERY_EXAMPLES = Settings().snapshot_every_examples


class Candidate(Protocol):
    """What learns from examples and scores."""

    def learn(self, examples: Rows) -> int:
        """Learn EXAMPLE[N] in their order, and return how many it took.

        Those of weight 0 tell only how frequent fraud is.
        """

    def log_odds(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds of fraud of each row with what was learned before, shape (N,)."""


class Stretch(NamedTuple):
    """Charges from `first` up to `last` are scored by who has learned the examples before `due`."""

    first: int
    last: int
    due: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What a candidate gave.

    Attributes
    ----------
    charges
        Log-odds of each charge, shape (N,); NaN before the first that was to be scored.
    examples
        Log-odds of each example before it was learned, shape (M,); NaN if it stands for no charge.
    learn_us, score_us
        CPU time to learn an example and to score a charge, microseconds.
    """

    charges: NDArray[np.float64]
    examples: NDArray[np.float64]
    learn_us: float
    score_us: float


def stretches(recording: Recording, interval_s: float = MODEL_INTERVAL_S) -> Iterator[Stretch]:
    """Yield the stretches of time between two changes of the model."""
    changes = np.flatnonzero(np.diff(recording.created // interval_s)) + 1
    for first, last in pairwise([0, *changes.tolist(), len(recording.created)]):
        due = int(np.searchsorted(recording.scored_before, first, side="right"))
        yield Stretch(first, last, due // _EVERY_EXAMPLES * _EVERY_EXAMPLES)


def run(
    candidate: Candidate,
    recording: Recording,
    start: float,
    interval_s: float = MODEL_INTERVAL_S,
) -> Scores:
    """Let a candidate learn from everything, and score the charges created from `start` on."""
    examples = recording.examples
    scored = np.full(len(recording.created), np.nan)
    known = np.full(len(examples), np.nan)
    learned = taken = 0
    learning, scoring = _Stopwatch(), _Stopwatch()
    for first, last, due in stretches(recording, interval_s):
        if due > learned:
            known[learned:due] = _before(candidate, examples[learned:due])
            with learning:
                taken += candidate.learn(examples[learned:due])
            learned = due
        if recording.created[last - 1] >= start:
            with scoring:
                scored[first:last] = candidate.log_odds(recording.vectors[first:last])
    known[learned:] = _before(candidate, examples[learned:])
    count = int(np.count_nonzero(~np.isnan(scored)))
    return Scores(scored, known, learning.us(taken), scoring.us(count))


def calibrated(scores: Scores, recording: Recording) -> Scores:
    """Return scores on the curve of the project's own calibration, fitted as the labels came."""
    experience = Experience()
    charges, examples = scores.charges.copy(), scores.examples.copy()
    learned = 0
    curve = experience.curve()
    for first, last, due in stretches(recording):
        if due > learned:
            examples[learned:due] = on_curve(scores.examples[learned:due], curve)
            _observe(experience, scores.examples[learned:due], recording.examples[learned:due])
            learned, curve = due, experience.curve()
        if not np.isnan(charges[first]):
            charges[first:last] = on_curve(scores.charges[first:last], curve)
    return Scores(charges, examples, scores.learn_us, scores.score_us)


def _before(candidate: Candidate, examples: Rows) -> NDArray[np.float64]:
    """Return the log-odds of examples not yet learned, NaN of those that stand for no charge."""
    log_odds = np.full(len(examples), np.nan)
    counted = np.flatnonzero(examples["stands_for"])
    if len(counted):
        log_odds[counted] = candidate.log_odds(examples["vector"][counted])
    return log_odds


def _observe(experience: Experience, log_odds: NDArray[np.float64], examples: Rows) -> None:
    experience.observe(
        log_odds,
        examples["label"].astype(bool),
        examples["weight"],
        examples["charged_at"],
        examples["stands_for"],
    )


class _Stopwatch:
    """Adds up the CPU time of blocks."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self._seconds += time.process_time() - self._began

    def us(self, count: int) -> float:
        """Return the microseconds for each of so many."""
        return self._seconds / max(count, 1) * 1e6
