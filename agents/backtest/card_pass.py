"""The first half of a backtest: from files to what the card stage makes of them.

It knows no model and no label, so it may run ahead of the rest, as it does between two topics. And
it imports neither, as the process that it runs in is waited for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from agents.process import peak_rss_mb
from agents.stages.card_in_memory import Cards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.backtest.replay import Replay
    from agents.settings.schema import Settings
    from agents.stages.card import CardOutput
    from streams.events.decoding import Finding
    from streams.events.rejected import Rejected


class Read(NamedTuple):
    """What comes next of files: of `agents.backtest.replay.Part`, with the events counted.

    Attributes
    ----------
    counted
        Batches of events.
    inputs, findings
        As for `Part`.
    rejected
        Inputs that are no events.
    waiting
        Disputes that wait for their charge.
    peak_rss_mb
        Most memory that the process which reads has had by now, MB.
    """

    counted: list[CardOutput]
    rejected: list[Rejected]
    inputs: int
    findings: Counter[tuple[Finding, str]]
    waiting: int
    peak_rss_mb: float


def read(replay: Replay, settings: Settings) -> Iterator[Read]:
    """Read and count the events of a replay that has been surveyed.

    Raises
    ------
    FileError
        As `Replay.parts`.
    """
    cards, inputs = Cards(settings), 0
    for part in replay.parts():
        counted = list(cards.count(part.events))
        yield Read(counted, part.rejected, part.inputs, part.findings, cards.waiting, peak_rss_mb())
        inputs = part.inputs
    yield Read([cards.end()], [], inputs, Counter(), cards.waiting, peak_rss_mb())
