"""A trial of rules over a history that is scored as a backtest scores it, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from agents.backtest.backtest import Backtest
from agents.backtest.card_pass import Read, read
from agents.backtest.read_ahead import running_ahead
from agents.stages.card_in_memory import Cards

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.backtest.replay import Replay
    from agents.backtest.runs import Show
    from agents.evaluation.rejections import Rejections
    from agents.evaluation.trial.trial import Trial
    from agents.settings.schema import Settings
    from agents.stages.card import CardOutput
    from streams.events.batch import TimedBatch
    from streams.events.rejected import Rejected


class TrialRun:
    """Scores and learns while nobody acts, and has the policies of a trial decide.

    Parameters
    ----------
    settings
        As for a worker.
    trial
        Takes what is scored.

    Attributes
    ----------
    backtest
        What scores and learns.
    charges, duplicates
        Charges scored so far, and how many of them were duplicates.
    """

    def __init__(self, settings: Settings, trial: Trial) -> None:
        self.backtest = Backtest(settings, time.time)
        self.charges = 0
        self.duplicates = 0
        self._settings = settings
        self._trial = trial

    def over(self, batches: Iterable[TimedBatch]) -> None:
        """Take a whole history, wherever it is from: events in the order of their time."""
        cards = Cards(self._settings)
        for events in batches:
            for counted in cards.count(events):
                self.take(counted)
        self.take(cards.end())

    def take(self, counted: CardOutput) -> list[Rejected]:
        """Take what the card stage has counted; return the labels that are of no use."""
        self._trial.add_events(counted.frames.rows["event"])
        rejected = []
        for step in self.backtest.score(counted):
            self.charges += len(step.charges)
            self.duplicates += int(np.count_nonzero(step.charges["duplicate"]))
            self._trial.add_scored(step.charges, step.output.answers, step.output.heads)
            rejected += step.output.rejected
        return rejected


def run_trial(
    settings: Settings, replay: Replay, trial: Trial, rejections: Rejections, show: Show
) -> tuple[TrialRun, Read]:
    """Try rules on the events of files; return the run, and what was read last.

    Parameters
    ----------
    settings
        As for a worker.
    replay
        The events, not surveyed yet.
    trial, rejections
        Take what comes of them.
    show
        Is told how far it is.

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    run = TrialRun(settings, trial)
    for inputs in replay.survey():
        show("reading the times", inputs, None)
    with running_ahead(read, replay, settings) as parts:
        for part in parts:
            rejections.add(part.rejected)
            rejections.findings += part.findings
            for counted in part.counted:
                rejections.add(counted.rejected)
                rejections.add(run.take(counted))
            show("scoring", part.inputs, replay.inputs)
    return run, part
