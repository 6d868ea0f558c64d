"""What outcomes and disputes make of a charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Verdict = Literal["", "fraud", "genuine"]

_VERDICTS: Final[dict[str, Verdict]] = {"review_fraud": "fraud", "review_genuine": "genuine"}


class OutcomeSeen(NamedTuple):
    """An outcome, as far as it counts here; `place` is its offset."""

    outcome: str
    action: str | None
    created: float
    place: int


class DisputeSeen(NamedTuple):
    """A dispute, as far as it counts here."""

    is_fraud: bool
    created: float


class Standing(NamedTuple):
    """How a charge stands.

    Attributes
    ----------
    given
        The action that was given: the scored one, or that of the first `answered` outcome.
    verdict
        Of the last review; empty without one.
    is_disputed
        Whether it is disputed as fraud. What was disputed before a dispute was won counts no more.
    """

    given: str
    verdict: Verdict
    is_disputed: bool

    @property
    def is_found(self) -> bool:
        """Whether a review found it to be fraud, and no dispute says so."""
        return self.verdict == "fraud" and not self.is_disputed


def standing_of(
    action: str, outcomes: Iterable[OutcomeSeen], disputes: Iterable[DisputeSeen]
) -> Standing:
    """Return how a charge of a scored action stands.

    Examples
    --------
    >>> standing_of("review", [OutcomeSeen("review_fraud", None, 5.0, place=8)], [])
    Standing(given='review', verdict='fraud', is_disputed=False)
    >>> standing_of("allow", [OutcomeSeen("dispute_won", None, 9.0, 1)], [DisputeSeen(True, 4.0)])
    Standing(given='allow', verdict='', is_disputed=False)
    """
    given, is_answered, won_at = action, False, -1.0
    verdict: Verdict = ""
    for outcome in sorted(outcomes, key=lambda each: each.place):
        if outcome.outcome in _VERDICTS:
            verdict = _VERDICTS[outcome.outcome]
        elif outcome.outcome == "dispute_won":
            won_at = max(won_at, outcome.created)
        elif outcome.outcome == "answered" and not is_answered:
            given, is_answered = outcome.action or action, True
    is_disputed = any(each.is_fraud and each.created > won_at for each in disputes)
    return Standing(given, verdict, is_disputed)
