"""Which rule decides a charge, of those that match it.

Of the kinds `allow_without_challenge`, `allow`, `block` and `review` the first that matches
decides. A challenge is asked besides: of what is allowed by `allow`, and of what no other rule
decides. Rules in shadow decide nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from agents.rules.rule import ACTIONS
from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.rules.rule import Rule

NO_ACTION: Final = -1
"""No rule decides: the model does."""

NO_RULE: Final = -1


def decide(
    rules: Sequence[Rule], matched: NDArray[np.bool_]
) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
    r"""Return what rules decide, and which rule decides it.

    Parameters
    ----------
    rules
        In the order of their text.
    matched
        Which of them are true of which charges, shape (rules, N).

    Returns
    -------
    i1[N], int[N]
        Codes of actions, `NO_ACTION` where none decides; places in `rules`, `NO_RULE` likewise. Of
        the rules of the kind that decides, it is the first that matches.

    Examples
    --------
    >>> from agents.rules.rule_set import parse
    >>> rules = parse("block if true\nallow if true\nchallenge if true").rules
    >>> decide(rules, np.array([[1, 1, 0], [0, 1, 0], [1, 1, 0]], np.bool_))
    (array([ 3,  1, -1], dtype=int8), array([ 0,  2, -1]))
    """
    first = {kind: _first(rules, matched, kind) for kind in ACTIONS}
    asked, allowed = first["challenge"], first["allow"]
    size = matched.shape[1]
    actions, deciding = np.full(size, NO_ACTION, np.int8), np.full(size, NO_RULE, np.intp)
    # From the weakest on: what comes later takes the decision from all before it.
    for action, places in (
        (CHALLENGE, asked),
        (REVIEW, first["review"]),
        (BLOCK, first["block"]),
        (ALLOW, allowed),
        (CHALLENGE, np.where(allowed == NO_RULE, NO_RULE, asked)),
        (ALLOW, first["allow_without_challenge"]),
    ):
        decides = places != NO_RULE
        actions[decides] = action
        deciding[decides] = places[decides]
    return actions, deciding


def _first(rules: Sequence[Rule], matched: NDArray[np.bool_], kind: str) -> NDArray[np.intp]:
    """Return the first rule of a kind that matches each charge, int[N]; shadow rules are none."""
    of_kind = [n for n, rule in enumerate(rules) if rule.action == kind and not rule.is_shadow]
    if not of_kind:
        return np.full(matched.shape[1], NO_RULE, np.intp)
    places = np.array(of_kind, np.intp)
    matches = matched[places]
    found: NDArray[np.intp] = np.where(matches.any(0), places[matches.argmax(0)], NO_RULE)
    return found
