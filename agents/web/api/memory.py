"""What is remembered of charges that were answered: the latest, at whichever replica."""

from __future__ import annotations

from typing import Final, NamedTuple

Key = tuple[str, str]
"""A charge: its card, and its id."""

SCORED_MAX: Final = 100_000
"""Scored events that are remembered, of some 600 bytes each."""

FALLBACKS_MAX: Final = 500_000


class Scored(NamedTuple):
    """A charge was scored: its scored event, in JSON."""

    event: bytes


class Fallback(NamedTuple):
    """A charge was answered without its score: the action that was given."""

    action: str


Answer = Scored | Fallback


class AnswerMemory:
    """The latest answers by charge, the first of each; the oldest are forgotten.

    Parameters
    ----------
    scored_max, fallbacks_max
        How many are remembered.

    Examples
    --------
    >>> memory = AnswerMemory()
    >>> memory.scored(("card", "c1"), b'{"score":0.1}')
    >>> memory.scored(("card", "c1"), b'{"score":0.1,"duplicate":true}')
    >>> memory.find(("card", "c1"))
    Scored(event=b'{"score":0.1}')
    >>> memory.fell_back(("card", "c1"), "review")
    >>> memory.find(("card", "c1"))
    Fallback(action='review')
    """

    def __init__(self, scored_max: int = SCORED_MAX, fallbacks_max: int = FALLBACKS_MAX) -> None:
        self._scored: dict[Key, Scored] = {}
        self._fallbacks: dict[Key, Fallback] = {}
        self._scored_max, self._fallbacks_max = scored_max, fallbacks_max

    def scored(self, key: Key, event: bytes) -> None:
        """Take a scored event; a duplicate's changes nothing."""
        if key not in self._scored:
            self._scored[key] = Scored(event)
            _forget(self._scored, self._scored_max)

    def fell_back(self, key: Key, action: str) -> None:
        """Take a fallback answer that is on record; the first one of a charge counts."""
        if key not in self._fallbacks:
            self._fallbacks[key] = Fallback(action)
            _forget(self._fallbacks, self._fallbacks_max)

    def find(self, key: Key) -> Answer | None:
        """Return the answer of a charge: what was given without its score stays."""
        return self._fallbacks.get(key) or self._scored.get(key)


def _forget(answers: dict[Key, Scored] | dict[Key, Fallback], most: int) -> None:
    if len(answers) > most:
        del answers[next(iter(answers))]
