"""Cards for tests: with the setting `test_cards` each forces an outcome, and nothing remembers it.

A producer tries what it does with every action. Such a charge is scored and matched by rules like
any other; it counts in no record, is kept for no label, and is no duplicate of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from schemas.scored import ALLOW, BLOCK, BY_TEST_CARD, CHALLENGE, REVIEW
from streams.events.rows import hash_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.events.rows import Rows


class _Forced(NamedTuple):
    """What a card forces: an action, and for two of them a score and a risk."""

    action: int
    score: float | None = None
    risk: int | None = None


_FORCED: Final = {
    "test_allow": _Forced(ALLOW),
    "test_challenge": _Forced(CHALLENGE),
    "test_review": _Forced(REVIEW),
    "test_block": _Forced(BLOCK),
    "test_elevated": _Forced(REVIEW, 0.5, 90),
    "test_highest": _Forced(BLOCK, 0.99, 99),
}
CARDS_FOR_TESTS: Final = tuple(_FORCED)

_BY_HASH: Final = {hash_of(card): forced for card, forced in _FORCED.items()}
_HASHES: Final = np.array(sorted(_BY_HASH), np.uint64)


def are_tests(events: Rows) -> NDArray[np.bool_]:
    """Tell which of EVENT[N] are of a card for tests."""
    return np.isin(events["card"], _HASHES)


def force(charges: Rows, answers: Rows) -> None:
    """Set action, score and risk in PENDING[N] of charges, EVENT[N], of cards for tests."""
    for place in np.flatnonzero(are_tests(charges)).tolist():
        forced = _BY_HASH[int(charges["card"][place])]
        answers["decided_by"][place] = BY_TEST_CARD
        answers["action"][place] = forced.action
        if forced.score is not None:
            answers["score"][place], answers["risk"][place] = forced.score, forced.risk
