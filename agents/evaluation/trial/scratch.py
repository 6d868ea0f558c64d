"""Records of merchants for a decision that is only tried: nothing that is kept is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.features.merchant_record import MERCHANT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.policy.terms import TermsTable
    from streams.events.rows import Rows

_FIRST = 64


class ScratchMerchants:
    """Keeps how many reviews each merchant has left; of all others, one record serves all.

    Parameters
    ----------
    terms
        Whether any merchant has reviews of its own.

    Attributes
    ----------
    records
        MERCHANT[M].
    """

    def __init__(self, terms: TermsTable) -> None:
        table = terms.of(np.zeros(0, np.uint64)).table
        self._has_own = bool(table["has_own_reviews"].any())
        self._slots: dict[int, int] = {}
        self.records: Rows = np.zeros(1, MERCHANT)

    def slots(self, merchants: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the record of each of N merchants, intp[N], given their hashes."""
        if not self._has_own:
            return np.zeros(len(merchants), np.intp)
        for merchant in np.unique(merchants).tolist():
            self._slots.setdefault(merchant, len(self._slots))
        if len(self._slots) > len(self.records):
            grown = np.zeros(max(_FIRST, 2 * len(self._slots)), MERCHANT)
            grown[: len(self.records)] = self.records
            self.records = grown
        return np.array([self._slots[merchant] for merchant in merchants.tolist()], np.intp)
