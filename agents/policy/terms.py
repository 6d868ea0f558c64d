"""The terms on which a merchant's charges are decided: costs, thresholds, reviews, holdout."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from agents.settings.costs import Costs
from schemas.edits import EVERYONE
from schemas.method_table import METHODS, PaymentMethod, method_of
from schemas.scored import ACTIONS
from streams.events.methods import ANY_ACTION, MethodTable, actions_mask
from streams.events.rows import hash_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from schemas.merchants import MerchantSettings
    from streams.events.rows import Rows

PRESETS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "protect": {"margin_share": 0.10, "challenge_abandonment_share": 0.05},
        "balance": {},
        "revenue": {"margin_share": 0.60, "challenge_abandonment_share": 0.25},
    }
)
"""Costs in place of those of the installation: `protect` for a merchant to whom a genuine charge
refused costs little beside the goods, `revenue` for one to whom it costs more than half of them."""

FALLBACK: Final = "allow"
"""What is answered when no score comes in time, where nothing is set."""

TERMS = np.dtype(
    [
        ("loss_share", "f8"),
        ("fee", "f8"),
        ("margin_share", "f8"),
        ("challenge_cost", "f8"),
        ("challenge_missed", "f8"),
        ("challenge_abandoned", "f8"),
        ("review_cost", "f8"),
        ("review_misjudged", "f8"),
        ("verification_amount", "f8"),
        ("review_capacity", "f8"),
        ("block_at", "f8"),
        ("review_at", "f8"),
        ("challenge_at", "f8"),
        ("holdout_share", "f8"),
        ("holdout_amount_max", "f8"),
        ("holdout_budget", "f8"),
        ("has_own_reviews", "u1"),
        ("actions", "u1"),
    ]
)
"""`Terms` as kernels read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms charges are decided.

    Attributes
    ----------
    costs
        What each outcome costs.
    block_at, review_at, challenge_at
        `risk` from which on that is done, and below which it is not; NaN where costs decide.
    holdout_share, holdout_amount_max_usd, holdout_budget_usd
        What may be let through of what would be stopped: a share, up to an amount, and a loss a day
        and merchant, in expectation.
    has_own_reviews
        Whether its reviews are counted by themselves, and not with those of all others.
    fallback
        What is answered when no score comes in time.
    methods
        The table of payment methods: what is other for their charges.
    """

    costs: Costs = field(default_factory=Costs)
    block_at: float = nan
    review_at: float = nan
    challenge_at: float = nan
    holdout_share: float = 0.0
    holdout_amount_max_usd: float = 0.0
    holdout_budget_usd: float = 0.0
    has_own_reviews: bool = False
    fallback: str = FALLBACK
    methods: tuple[PaymentMethod, ...] = METHODS

    def under(self, settings: MerchantSettings) -> Self:
        """Return these terms with what a merchant has set laid over them.

        Raises
        ------
        ValueError
            When there is no such cost, or it cannot have this value; names it.

        Examples
        --------
        >>> from schemas.merchants import MerchantSettings
        >>> chosen = MerchantSettings("m1", 1, preset="protect", costs={"review_cost_usd": 2.0})
        >>> terms = Terms().under(chosen)
        >>> terms.costs.margin_share, terms.costs.review_cost_usd, terms.costs.dispute_fee_usd
        (0.1, 2.0, 15.0)
        """
        chosen = dict(PRESETS[settings.preset]) if settings.preset else {}
        chosen |= settings.costs
        known = Costs.__dataclass_fields__
        for name in chosen:
            if name not in known:
                raise ValueError(f"{name}: there is no such cost; there are {', '.join(known)}")
        set_here = {
            name: getattr(settings, name)
            for name in _OVERRIDES
            if getattr(settings, name) is not None
        }
        of_one = settings.merchant != EVERYONE and "review_capacity_share" in chosen
        return replace(
            self,
            costs=replace(self.costs, **chosen),
            has_own_reviews=self.has_own_reviews or of_one,
            **set_here,
        )

    def fallback_of(self, payment_method: str | None) -> str:
        """Return what is answered of a charge when no score comes in time.

        Where its method does not have this action, it is the next stricter one that it has: a
        merchant who wants such charges challenged does not want them to go through unseen.

        >>> Terms(fallback="challenge").fallback_of("sepa_debit")
        'review'
        """
        actions = method_of(self.methods, payment_method).actions
        stricter = ACTIONS[ACTIONS.index(self.fallback) :]
        return next(action for action in stricter if action in actions)

    def rows(self) -> Rows:
        """Return TERMS[K], of cards, and of each kind of other methods: see `kinds_of`."""
        kinds, _ = kinds_of(self.methods)
        return np.concatenate([self._row(costs, actions) for costs, actions in kinds])

    def _row(self, costs_of_method: Mapping[str, float], actions: int) -> Rows:
        costs = replace(self.costs, **costs_of_method)
        return np.array(
            [
                (
                    costs.fraud_loss_share,
                    costs.dispute_fee_usd,
                    costs.margin_share,
                    costs.challenge_cost_usd,
                    1.0 - costs.challenge_success_share,
                    costs.challenge_abandonment_share,
                    costs.review_cost_usd,
                    1.0 - costs.review_success_share,
                    costs.verification_amount_usd,
                    costs.review_capacity_share,
                    self.block_at,
                    self.review_at,
                    self.challenge_at,
                    self.holdout_share,
                    self.holdout_amount_max_usd,
                    self.holdout_budget_usd,
                    self.has_own_reviews,
                    actions,
                )
            ],
            TERMS,
        )


def kinds_of(
    methods: Sequence[PaymentMethod],
) -> tuple[list[tuple[Mapping[str, float], int]], list[int]]:
    """Return on what different terms methods are decided, and the number of the kind of each.

    Most have the same: a row of terms for each would be there once for each merchant.

    Returns
    -------
    tuple
        Costs of their own and masks of actions, first those of cards; and for each row of the table
        of methods, again with cards first, which of them is its.

    Examples
    --------
    >>> kinds_of(METHODS)
    ([({}, 15), ({}, 13)], [0, 1, 1, 1])
    """
    kinds: list[tuple[Mapping[str, float], int]] = [({}, ANY_ACTION)]
    numbers = [0]
    for method in methods:
        kind = method.costs, actions_mask(method)
        if kind not in kinds:
            kinds.append(kind)
        numbers.append(kinds.index(kind))
    return kinds, numbers


_OVERRIDES: Final = (
    "block_at",
    "review_at",
    "challenge_at",
    "holdout_share",
    "holdout_amount_max_usd",
    "holdout_budget_usd",
    "fallback",
)


class ChargeTerms(NamedTuple):
    """The terms of N charges: TERMS[M], and intp[N], the row of each charge."""

    table: Rows
    rows: NDArray[np.intp]

    @classmethod
    def alike(cls, terms: Terms, size: int) -> Self:
        """Return the same terms for all, which are paid by card."""
        return cls(terms.rows(), np.zeros(size, np.intp))

    @property
    def each(self) -> Rows:
        """The terms charge by charge, TERMS[N]."""
        return self.table[self.rows]

    def take(self, places: NDArray[np.intp] | slice) -> Self:
        """Return those of some of the charges."""
        return self._replace(rows=self.rows[places])

    @property
    def actions(self) -> NDArray[np.uint8]:
        """What can be done with each charge, u1[N]: bit n for the action of code n."""
        masks: NDArray[np.uint8] = self.table["actions"][self.rows]
        return masks


class TermsTable:
    """The terms of an installation, and of the merchants that have their own.

    Parameters
    ----------
    of_all
        What holds for a merchant that has none of its own.
    of_merchants
        By merchant.

    Attributes
    ----------
    methods
        The table of payment methods.
    """

    def __init__(self, of_all: Terms, of_merchants: Mapping[str, Terms] = MappingProxyType({})):
        own = sorted((hash_of(merchant), terms) for merchant, terms in of_merchants.items())
        self._hashes = np.array([merchant for merchant, _ in own], np.uint64)
        self.methods = MethodTable(of_all.methods)
        kinds, numbers = kinds_of(of_all.methods)
        self._kinds, self._kind_of_row = len(kinds), np.array(numbers, np.intp)
        self._table = np.concatenate([of_all.rows(), *(terms.rows() for _, terms in own)])

    def of(self, merchants: NDArray[np.uint64], methods: NDArray[Any] | None = None) -> ChargeTerms:
        """Return the terms of charges.

        Parameters
        ----------
        merchants
            Hashes of their merchants, u8[N].
        methods
            Rows of the table of methods, integers[N]; all are paid by card where it is `None`.
        """
        rows = np.zeros(len(merchants), np.intp)
        if len(self._hashes):
            places = np.minimum(np.searchsorted(self._hashes, merchants), len(self._hashes) - 1)
            is_own = self._hashes[places] == merchants
            rows = np.where(is_own, (places + 1) * self._kinds, 0)
        if methods is not None:
            rows += self._kind_of_row[methods]
        return ChargeTerms(self._table, rows)

    def of_charges(self, charges: Rows) -> ChargeTerms:
        """Return the terms of EVENT[N], by their merchants and methods."""
        are_cards = self.methods.are_cards(charges)
        return self.of(charges["merchant"], None if are_cards else self.methods.rows(charges))
