"""What is done with each charge: test cards first, then rules, the model, and the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agents.rules.deciding import NO_ACTION
from agents.rules.event_columns import EventColumns
from agents.stages.cards_for_tests import are_tests, force
from agents.stages.decisions import UNDECIDED, ReviewBudget, Scored, choose
from agents.stages.holdout import let_through
from schemas.scored import BY_MODEL, BY_RULE, BY_TEST_CARD
from streams.features.merchant_record import MERCHANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.policy.policy import Policy
    from agents.policy.terms import ChargeTerms
    from streams.events.rows import Rows
    from streams.state.record_cache import Slots

assert UNDECIDED == NO_ACTION


class Decisions:
    """Decides the charges of one task in their order.

    Parameters
    ----------
    holdout_key
        Of the hash that draws the holdout.
    has_test_cards
        Whether cards for tests force their outcome.

    Attributes
    ----------
    budget
        Reviews that are left.
    """

    def __init__(self, holdout_key: bytes, *, has_test_cards: bool) -> None:
        self._holdout_key = holdout_key
        self._has_test_cards = has_test_cards
        self.budget = ReviewBudget()

    def set_apart(self, events: Rows) -> None:
        """Have EVENT[N] of cards for tests not count: as if they were duplicates."""
        if self._has_test_cards:
            events["duplicate"][are_tests(events)] = 1

    def decide(
        self,
        charges: Rows,
        answers: Rows,
        heads: Sequence[bytes],
        times: NDArray[np.float64],
        records: Rows,
        slots: Slots,
        policy: Policy,
    ) -> list[bytes]:
        """Choose the actions of charges that are scored.

        A duplicate is decided as a new charge would be, and takes nothing: no review, no place in
        the holdout.

        Parameters
        ----------
        charges
            EVENT[N].
        answers
            PENDING[N] of them; `action` and by what it is chosen, `rules` and the holdout are set.
        heads
            N, what `schemas.scored.begin_scored` returned.
        times
            f8[N], stream time at each charge, Unix seconds.
        records, slots
            MERCHANT[M], updated in place, and i8[N], the record of each charge.
        policy
            What holds now.

        Returns
        -------
        list
            What the rules say, N parts of scored charges, as `Matches.told`.
        """
        if self._has_test_cards:
            force(charges, answers)
        terms = policy.terms.of_charges(charges)
        told = self._match(charges, answers, heads, policy, terms)
        is_first = charges["duplicate"] == 0
        if is_first.all():
            _choose(charges, answers, slice(None), terms, records, slots, self.budget)
        else:
            first, again = np.flatnonzero(is_first), np.flatnonzero(~is_first)
            aside = np.zeros(1, MERCHANT), np.zeros(len(slots), np.intp)
            _choose(charges, answers, first, terms, records, slots, self.budget)
            _choose(charges, answers, again, terms, *aside, ReviewBudget())
        let_through(charges, answers, times, records, slots, terms, self._holdout_key)
        return told

    def _match(
        self,
        charges: Rows,
        answers: Rows,
        heads: Sequence[bytes],
        policy: Policy,
        terms: ChargeTerms,
    ) -> list[bytes]:
        """Have the rules decide what no test card has; return what they say."""
        if not policy.rules:
            return [b""] * len(charges)
        columns = EventColumns(
            charges, answers["vector"], answers["score"], answers["risk"], heads, policy.figures
        )
        found = policy.rules.match(charges["merchant"], columns, policy.lists, terms.actions)
        answers["rules"] = found.kept
        decides = (found.actions != NO_ACTION) & (answers["decided_by"] != BY_TEST_CARD)
        answers["decided_by"][decides] = BY_RULE
        answers["action"][decides] = found.actions[decides]
        return found.told


def _choose(
    charges: Rows,
    answers: Rows,
    chosen: Slots | slice,
    terms: ChargeTerms,
    records: Rows,
    slots: Slots,
    budget: ReviewBudget,
) -> None:
    """Have the model decide some of the charges, where nothing else has."""
    of_model = answers["decided_by"][chosen] == BY_MODEL
    decided = np.where(of_model, UNDECIDED, answers["action"][chosen]).astype(np.int8)
    scored = Scored(answers["score"][chosen], answers["risk"][chosen], charges["amount"][chosen])
    answers["action"][chosen] = choose(
        scored, terms.take(chosen), decided, records, slots[chosen], budget
    )
