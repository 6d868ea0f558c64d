"""A trial: two policies decide the same scored charges, each with its own reviews.

Scores do not depend on what is decided where nobody acts. So a history is scored once, and what
either policy would have done with it is told from the same scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from agents.evaluation.trial.labels import LabelEvents
from agents.evaluation.trial.scratch import ScratchMerchants
from agents.evaluation.trial.tried import BY_ANOTHER, BY_NO_RULE, TRIED, Bits, Tried
from agents.policy.active_rules import rule_hash
from agents.rules.attributes import ATTRIBUTES
from agents.rules.compiling import compile_conditions
from agents.rules.event_columns import EventColumns
from agents.rules.thresholds import thresholds_in
from agents.stages.deciding import Decisions
from schemas.edits import EVERYONE
from schemas.scored import BY_MODEL, BY_RULE
from streams.events.rows import hash_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agents.policy.policy import Policy
    from agents.rules.rule_set import RuleSet
    from agents.rules.thresholds import Threshold
    from streams.events.rows import Rows

SWEEPS_MAX: Final = 100
"""Thresholds that are tried with other constants, the first of the text."""


class OnTrial(NamedTuple):
    """Rules, and whose they are."""

    merchant: str
    rules: RuleSet

    @property
    def thresholds(self) -> list[tuple[int, Threshold]]:
        """The thresholds in them, each with the number of its rule."""
        return [
            (number, threshold)
            for number, rule in enumerate(self.rules.rules)
            for threshold in thresholds_in(rule.condition)
        ]


class Trial:
    """Has two policies decide charges, and keeps what comes of it.

    A charge counts once: a duplicate of it does not, nor one of a card for tests.

    Parameters
    ----------
    before, after
        The policies, neither with a holdout.
    on_trial
        Rules of the second policy that are looked at one by one.
    has_test_cards
        Whether cards for tests force their outcome.
    start, end
        Only charges created from `start` up to, and without, `end` count, Unix seconds.
    """

    def __init__(
        self,
        before: Policy,
        after: Policy,
        on_trial: OnTrial,
        *,
        has_test_cards: bool = False,
        start: float = -np.inf,
        end: float = np.inf,
    ) -> None:
        self._sides = [_Side(policy, has_test_cards) for policy in (before, after)]
        self._lists = after.lists
        self._methods = after.terms.methods
        self._period = start, end
        self._rules = on_trial.rules
        self._merchant = None if on_trial.merchant == EVERYONE else hash_of(on_trial.merchant)
        self._numbers = _numbers_by_hash(on_trial)
        thresholds = [each for _, each in on_trial.thresholds[:SWEEPS_MAX]]
        self._rests = compile_conditions([each.rest for each in thresholds], ATTRIBUTES)
        self._compared = attributes_of(thresholds)
        self._labels = LabelEvents()
        self._elsewhere = 0
        self._charges: list[Rows] = []
        self._matched: list[Bits] = []
        self._true_rests: list[Bits] = []
        self._values: list[NDArray[np.float64]] = []
        self._sweeps = len(thresholds)

    def add_events(self, events: Rows) -> None:
        """Take EVENT[N] of any kind, for their labels."""
        self._labels.add(events)

    def add_scored(self, charges: Rows, answers: Rows, heads: Sequence[bytes]) -> None:
        """Decide charges that are scored; none may be older than those of an earlier call.

        Parameters
        ----------
        charges
            EVENT[N].
        answers
            PENDING[N] of them, of which the scores and vectors are read.
        heads
            N, what `schemas.scored.begin_scored` returned.
        """
        charges = charges.copy()
        self._sides[1].set_apart(charges)
        first = np.flatnonzero(charges["duplicate"] == 0)
        if not len(first):
            return
        rows, scored = charges[first], answers[first]
        begun = [heads[place] for place in first.tolist()]
        before, after = (side.decide(rows, scored, begun) for side in self._sides)
        counts = (rows["created"] >= self._period[0]) & (rows["created"] < self._period[1])
        is_own = counts & (self._merchant is None or rows["merchant"] == self._merchant)
        changed = before["action"] != after["action"]
        self._elsewhere += int(np.count_nonzero(changed & counts & ~is_own))
        places = np.flatnonzero(is_own)
        if len(places):
            self._keep(
                rows[places],
                before[places],
                after[places],
                self._columns(after, rows, begun).take(places),
            )

    def tried(self, horizon_s: float) -> Tried:
        """Return all charges that count, with what is known of them.

        Parameters
        ----------
        horizon_s
            A charge that is silent for so long is genuine, unless its method of payment has a
            horizon of its own.
        """
        charges = np.concatenate([np.empty(0, TRIED), *self._charges])
        empty = np.empty((len(self._compared), 0))
        return Tried(
            charges,
            self._labels.labels(
                charges["charge"],
                charges["created"],
                self._methods.horizons_s(charges["method"], horizon_s),
            ),
            Bits.joined(self._matched, len(self._rules.rules)),
            Bits.joined(self._true_rests, self._sweeps),
            np.concatenate([empty, *self._values], axis=1),
            self._elsewhere,
            self._labels.newest,
        )

    def _columns(self, answers: Rows, charges: Rows, heads: Sequence[bytes]) -> EventColumns:
        return EventColumns(charges, answers["vector"], answers["score"], answers["risk"], heads)

    def _keep(self, charges: Rows, before: Rows, after: Rows, columns: EventColumns) -> None:
        """Keep charges with their actions, and what the rules on trial say of them."""
        kept = np.empty(len(charges), TRIED)
        for name in ("created", "amount", "charge", "card", "merchant"):
            kept[name] = charges[name]
        kept["method"] = self._methods.rows(charges)
        kept["before"], kept["after"] = before["action"], after["action"]
        kept["decided_by"] = [
            self._numbers.get(rule, BY_ANOTHER) if by == BY_RULE else BY_NO_RULE
            for by, rule in zip(
                after["decided_by"].tolist(), after["rules"][:, 0].tolist(), strict=True
            )
        ]
        self._charges.append(kept)
        self._matched.append(Bits(self._rules.match(columns, self._lists)))
        self._true_rests.append(Bits(self._rests.run(columns, self._lists)))
        self._values.append(columns.numbers(self._compared))


class _Side:
    """One of the policies, with its reviews."""

    def __init__(self, policy: Policy, has_test_cards: bool) -> None:
        self._policy = policy
        self._decisions = Decisions(b"", has_test_cards=has_test_cards)
        self._merchants = ScratchMerchants(policy.terms)

    def set_apart(self, charges: Rows) -> None:
        self._decisions.set_apart(charges)

    def decide(self, charges: Rows, answers: Rows, heads: Sequence[bytes]) -> Rows:
        """Return PENDING[N] with what this policy decides."""
        decided = answers.copy()
        decided["decided_by"] = BY_MODEL
        for name in ("action", "withheld", "propensity", "rules"):
            decided[name] = 0
        slots = self._merchants.slots(charges["merchant"])
        self._decisions.decide(
            charges,
            decided,
            heads,
            charges["created"],
            self._merchants.records,
            slots,
            self._policy,
        )
        return decided


def attributes_of(thresholds: Sequence[Threshold]) -> list[str]:
    """Return what is compared with thresholds, each attribute once, by its key."""
    return list(dict.fromkeys(each.attribute.key for each in thresholds))


def _numbers_by_hash(on_trial: OnTrial) -> dict[int, int]:
    """Return the number of each rule that may decide, by the hash that kept charges have of it."""
    numbers: dict[int, int] = {}
    for number, rule in enumerate(on_trial.rules.rules):
        if not rule.is_shadow:  # one that says the same in shadow has the same name
            numbers.setdefault(rule_hash(on_trial.merchant, rule.label), number)
    return numbers
