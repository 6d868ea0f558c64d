"""The table of payment methods as the stages read it: by the codes that rows have of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.method_table import ALL_ACTIONS, CARD_FIELDS
from streams.durations import DAY_S
from streams.events.rows import OTHER_PAYMENT, category_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from schemas.method_table import PaymentMethod
    from streams.events.rows import Rows

ANY_ACTION = (1 << len(ALL_ACTIONS)) - 1
"""The mask of a method of whose charges all can be done."""

LACKS_FUNDING, LACKS_CARD_COUNTRY, LACKS_CVC, LACKS_POSTAL, LACKS_THREE_D_SECURE = (
    1 << place for place in range(len(CARD_FIELDS))
)
"""Bits of the fields of a card that the charges of a method do not have."""


class MethodTable:
    """A table of methods, whose row 0 is that of cards and of all that are not in it.

    Parameters
    ----------
    methods
        All but cards.
    """

    def __init__(self, methods: Sequence[PaymentMethod]) -> None:
        of_code = {
            category_code(name): row
            for row, method in enumerate(methods, 1)
            for name in (method.name, *method.aliases)
        }
        codes = sorted(of_code)
        self._codes = np.array(codes, np.uint32)
        self._rows = np.array([of_code[code] for code in codes], np.intp)
        self._lacking = np.array([0, *map(_lacking, methods)], np.uint8)
        self._own_times = np.array([0, *map(own_times, methods)], np.uint32)
        days = [0.0, *((method.label_horizon_days or 0.0) for method in methods)]
        self._own_horizons_s = np.array(days) * DAY_S

    def are_cards(self, charges: Rows) -> bool:
        """Whether all of EVENT[N] are of row 0, as far as can be told at a glance."""
        return not len(self._codes) or OTHER_PAYMENT not in charges["payment_method"].tobytes()

    def rows(self, charges: Rows) -> NDArray[np.intp]:
        """Return which row holds for each of EVENT[N], intp[N]."""
        rows = np.zeros(len(charges), np.intp)
        if not self.are_cards(charges):
            others = np.flatnonzero(charges["payment_method"] == OTHER_PAYMENT)
            codes = charges["method"][others]
            places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
            rows[others] = np.where(self._codes[places] == codes, self._rows[places], 0)
        return rows

    def lacking(self, charges: Rows) -> NDArray[np.uint8]:
        """Return which fields of a card each of EVENT[N] cannot have: `LACKS_CVC` and the like."""
        if self.are_cards(charges):
            return np.zeros(len(charges), np.uint8)
        return self._lacking[self.rows(charges)]

    def own_times(self, charges: Rows) -> NDArray[np.uint32]:
        """Return the code of the method of each of EVENT[N] that has times of its own, else 0."""
        if self.are_cards(charges):
            return np.zeros(len(charges), np.uint32)
        return self._own_times[self.rows(charges)]

    def horizons_s(self, rows: NDArray[Any], of_others_s: float) -> NDArray[np.float64]:
        """Return the label horizons of rows, seconds, f8[N]; where there is none that of others."""
        own_s = self._own_horizons_s[rows]
        return np.where(own_s > 0.0, own_s, of_others_s)


def actions_mask(method: PaymentMethod) -> int:
    """Return what can be done with charges of a method: bit n for the action of code n."""
    return sum(1 << ALL_ACTIONS.index(action) for action in method.actions)


def own_times(method: PaymentMethod) -> int:
    """Return the code of a method with times of its own, else 0."""
    return category_code(method.name) if method.has_own_times else 0


def _lacking(method: PaymentMethod) -> int:
    return sum(
        1 << place for place, field in enumerate(CARD_FIELDS) if field not in method.card_fields
    )
