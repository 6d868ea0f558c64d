"""Which rule decides a charge, of those that match it.

Of the kinds `allow_without_challenge`, `allow`, `block` and `review` the first that matches
decides. A challenge is asked besides: of what is allowed by `allow`, and of what no other rule
decides. Rules in shadow decide nothing, nor do those whose action a charge cannot have, as its
method of payment has none: what else matches decides, or else the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW
from streams.events.methods import ANY_ACTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.rules.rule import Rule

NO_ACTION: Final = -1
"""No rule decides: the model does."""

NO_RULE: Final = -1


def decide(
    rules: Sequence[Rule],
    matched: NDArray[np.bool_],
    possible: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
    r"""Return what rules decide, and which rule decides it.

    Parameters
    ----------
    rules
        In the order of their text.
    matched
        Which of them are true of which charges, shape (rules, N).
    possible
        u1[N], what can be done with each charge: bit n for the action of code n. `None` if it is
        everything.

    Returns
    -------
    i1[N], int[N]
        Codes of actions, `NO_ACTION` where none decides; places in `rules`, `NO_RULE` likewise. Of
        the rules of the kind that decides, it is the first that matches.

    Examples
    --------
    >>> from agents.rules.rule_set import parse
    >>> rules = parse("block if true\nallow if true\nchallenge if true").rules
    >>> matched = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 1]], np.bool_)
    >>> without_challenge = ANY_ACTION - (1 << CHALLENGE)
    >>> decide(rules, matched, np.array([ANY_ACTION, ANY_ACTION, ANY_ACTION, without_challenge]))
    (array([ 3,  1, -1,  0], dtype=int8), array([ 0,  2, -1,  1]))
    """
    size = matched.shape[1]
    if possible is None:
        possible = np.full(size, ANY_ACTION, np.uint8)
    actions, deciding = np.full(size, NO_ACTION, np.int8), np.full(size, NO_RULE, np.intp)
    first = _first_of_each_kind(rules, matched)
    if "allow" in first and "challenge" in first:
        is_allowed = first["allow"] != NO_RULE
        first["challenge if allowed"] = np.where(is_allowed, first["challenge"], NO_RULE)
    # From the weakest on: what comes later takes the decision from all before it.
    for kind, action in (
        ("challenge", CHALLENGE),
        ("review", REVIEW),
        ("block", BLOCK),
        ("allow", ALLOW),
        ("challenge if allowed", CHALLENGE),
        ("allow_without_challenge", ALLOW),
    ):
        if kind in first:
            decides = (first[kind] != NO_RULE) & (possible & (1 << action) != 0)
            np.copyto(actions, action, where=decides)
            np.copyto(deciding, first[kind], where=decides)
    return actions, deciding


def _first_of_each_kind(
    rules: Sequence[Rule], matched: NDArray[np.bool_]
) -> dict[str, NDArray[np.intp]]:
    """Return the first rule of each kind that matches each charge, int[N]; none of it in shadow."""
    first: dict[str, NDArray[np.intp]] = {}
    for place in reversed(np.flatnonzero(matched.any(axis=1)).tolist()):
        rule = rules[place]
        if not rule.is_shadow:
            if rule.action not in first:
                first[rule.action] = np.full(matched.shape[1], NO_RULE, np.intp)
            np.copyto(first[rule.action], place, where=matched[place])
    return first
