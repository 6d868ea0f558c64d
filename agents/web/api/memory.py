"""What is remembered of charges that were answered: the latest, at whichever replica."""

from __future__ import annotations

from typing import Final, NamedTuple

Key = tuple[str, str]
"""A charge: its card, and its id."""

SCORED_MAX: Final = 100_000
"""Scored events that are remembered, of some 600 bytes each."""

FALLBACKS_MAX: Final = 500_000


class Scored(NamedTuple):
    """A charge was scored: its scored event, in JSON, and when it was made, Unix seconds."""

    event: bytes
    created: float


class Fallback(NamedTuple):
    """A charge was answered without its score: the action that was given, and when it was made."""

    action: str
    created: float


Answer = Scored | Fallback


class AnswerMemory:
    """The latest answers by charge, the first of each; the oldest are forgotten.

    Parameters
    ----------
    window_s
        Charges of the same card and id that are made further apart are different ones, as for the
        workers.
    scored_max, fallbacks_max
        How many are remembered.

    Examples
    --------
    >>> memory = AnswerMemory(60.0)
    >>> memory.scored(("card", "c1"), b'{"score":0.1}', 5.0)
    >>> memory.scored(("card", "c1"), b'{"score":0.1,"duplicate":true}', 5.0)
    >>> memory.find(("card", "c1"), 5.0)
    Scored(event=b'{"score":0.1}', created=5.0)
    >>> memory.find(("card", "c1"), 500.0)
    >>> memory.fell_back(("card", "c1"), "review", 5.0)
    >>> memory.find(("card", "c1"), 5.0)
    Fallback(action='review', created=5.0)
    """

    def __init__(
        self,
        window_s: float,
        scored_max: int = SCORED_MAX,
        fallbacks_max: int = FALLBACKS_MAX,
    ) -> None:
        self._window_s = window_s
        self._scored: dict[Key, Scored] = {}
        self._fallbacks: dict[Key, Fallback] = {}
        self._scored_max, self._fallbacks_max = scored_max, fallbacks_max

    def scored(self, key: Key, event: bytes, created: float) -> None:
        """Take a scored event; a duplicate's changes nothing."""
        if not self._is_of(self._scored.get(key), created):
            self._scored.pop(key, None)
            self._scored[key] = Scored(event, created)
            _forget(self._scored, self._scored_max)

    def fell_back(self, key: Key, action: str, created: float) -> None:
        """Take a fallback answer that is on record; the first one of a charge counts."""
        if not self._is_of(self._fallbacks.get(key), created):
            self._fallbacks.pop(key, None)
            self._fallbacks[key] = Fallback(action, created)
            _forget(self._fallbacks, self._fallbacks_max)

    def find(self, key: Key, created: float) -> Answer | None:
        """Return the answer of a charge: what was given without its score stays."""
        for answer in (self._fallbacks.get(key), self._scored.get(key)):
            if self._is_of(answer, created):
                return answer
        return None

    def _is_of(self, answer: Answer | None, created: float) -> bool:
        return answer is not None and abs(answer.created - created) <= self._window_s


def _forget(answers: dict[Key, Scored] | dict[Key, Fallback], most: int) -> None:
    if len(answers) > most:
        del answers[next(iter(answers))]
