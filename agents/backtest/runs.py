"""Runs over a replay: with nobody acting, and in the closed loop."""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agents.backtest.backtest import Backtest, Step
from agents.backtest.card_pass import Read, read
from agents.backtest.closed_loop import ClosedLoop
from agents.backtest.read_ahead import running_ahead
from agents.models.kinds import DEFAULT
from streams.events.files import event_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from agents.backtest.replay import Replay
    from agents.drift.monitor import Finished
    from agents.evaluation.outcome_collector import Gathering
    from agents.evaluation.rejections import Rejections
    from agents.policy.active_rules import ActiveRules
    from agents.settings.schema import Settings

    Show = Callable[[str, int, int | None], None]
    """Shows what is done, how far it is, and of how much if that is known."""


@dataclass(slots=True)
class Run:
    """What a run gives.

    Attributes
    ----------
    backtest
        What scored and learned.
    gathering
        The charges and how they turn out.
    finished
        Days that were watched for drift.
    """

    backtest: Backtest
    gathering: Gathering
    finished: list[Finished] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Take what a step gave."""
        output = step.output
        self.gathering.add_scored(step.charges, step.first_of_card, output.answers, output.scored)
        self.gathering.add_matured(output.matured)
        self.finished.extend(output.finished)


def run_open(
    settings: Settings,
    replay: Replay,
    out: Path | None,
    gathering: Gathering,
    rejections: Rejections,
    show: Show,
    rules: ActiveRules | None = None,
    kind: str = DEFAULT,
) -> tuple[Run, Read]:
    """Score everything while nobody acts; return the run, and what was read last.

    Parameters
    ----------
    settings
        As for a worker.
    replay
        The events, not surveyed yet.
    out
        File for the scored events, `None` for none.
    gathering, rejections
        Take what comes of them.
    show
        Is told how far it is.
    rules
        That decide beside the model.
    kind
        Of the model.

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    run = Run(Backtest(settings, time.time, rules=rules, kind=kind), gathering)
    for inputs in replay.survey():
        show("reading the times", inputs, None)
    writing = nullcontext() if out is None else event_writer(out)
    with writing as scores, running_ahead(read, replay, settings) as parts:
        for part in parts:
            rejections.add(part.rejected)
            rejections.findings += part.findings
            for counted in part.counted:
                rejections.add(counted.rejected)
                gathering.add_events(counted.frames.rows["event"])
                for step in run.backtest.score(counted):
                    if scores is not None:
                        scores.write(step.output.scored)
                    run.add(step)
                    rejections.add(step.output.rejected)
            show("scoring", part.inputs, replay.inputs)
    return run, part


def run_closed(
    settings: Settings,
    replay: Replay,
    out: Path,
    came_back: tuple[Path, Path] | None,
    gathering: Gathering,
    show: Show,
    rules: ActiveRules | None = None,
    kind: str = DEFAULT,
) -> Run:
    """Score everything with the actions carried out; return the run.

    Parameters
    ----------
    settings, out, gathering, show, rules, kind
        As for `run_open`.
    replay
        The events, surveyed.
    came_back
        Files for the outcomes and for the disputes that came, for whoever wants to play them to a
        worker; `None` for none.

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    loop = ClosedLoop(settings, time.time, replay.frauds(), rules, kind)
    run = Run(loop.backtest, gathering)
    with ExitStack() as files:
        scores = files.enter_context(event_writer(out))
        writers = [files.enter_context(event_writer(file)) for file in came_back or ()]

        def take(steps: Iterable[Step]) -> None:
            for step in steps:
                scores.write(step.output.scored)
                run.add(step)
            for writer, payloads in zip(writers, loop.taken(), strict=False):
                writer.write(payloads)

        for part in replay.parts():
            gathering.add_events(part.events.batch.rows)
            take(loop.run(part.events))
            show("closing the loop", part.inputs, replay.inputs)
        take(loop.end())
    return run
