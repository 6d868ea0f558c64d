"""The indexes of the charges of one task: one for each method of payment with times of its own.

So the charges of such a method are found for as long as they can be disputed, and those of all
others are forgotten when their own time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.labels.charge_index import ChargeIndex, is_found_instead
from streams.labels.pending import METHOD_BYTES, method_code
from streams.state.tables import TablePart, beginnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.events.methods import MethodTable
    from streams.events.rows import Rows
    from streams.labels.charge_index import KnownCharge
    from streams.state.tables import TaskState


class ChargeIndexes:
    """The charges of one task.

    Parameters
    ----------
    state
        Tables of the task.
    retention_s
        For how long a charge is found, seconds of event time.
    methods
        Tells which charges are of a method with times of its own.
    retentions_s
        The same time of these methods, by their codes; `retention_s` holds for one that is not
        there.
    """

    def __init__(
        self,
        state: TaskState,
        retention_s: float,
        methods: MethodTable,
        retentions_s: Mapping[int, float],
    ) -> None:
        self._of_methods = state.method_charges
        self._retention_s = retention_s
        self._methods = methods
        self._retentions_s = retentions_s
        self._indexes = {0: ChargeIndex(state.charges, retention_s)}
        for method in beginnings(state.method_charges, METHOD_BYTES):
            self._index(method_code(method))

    def add(self, charges: Rows, merchants: Sequence[bytes]) -> None:
        """Add charges, EVENT[N] with N keys; of two of one id and period the later counts."""
        if self._methods.are_cards(charges):
            self._indexes[0].add(charges, merchants)
            return
        codes = self._methods.own_times(charges)
        for code in np.unique(codes).tolist():
            places = np.flatnonzero(codes == code)
            self._index(code).add(charges[places], [merchants[place] for place in places.tolist()])

    def find(
        self, charges: Sequence[bytes], first_now: float, last_now: float
    ) -> list[KnownCharge | None]:
        """Find charges by their hash; see `ChargeIndex.find`."""
        found = self._indexes[0].find(charges, first_now, last_now)
        for code, index in self._indexes.items():
            if not code:
                continue
            for place, one in enumerate(index.find(charges, first_now, last_now)):
                other = found[place]
                if one and (other is None or is_found_instead(one.created, other.created)):
                    found[place] = one._replace(method=code)
        return found

    def method_of(self, charges: Rows) -> int:
        """Return the code of the method of EVENT[1] that has times of its own, else 0."""
        return int(self._methods.own_times(charges)[0])

    def is_remembered(self, known: KnownCharge, now: float) -> bool:
        """Whether a charge is remembered at a time, Unix seconds."""
        return self._index(known.method).is_remembered(known.created, now)

    def renew(self, before: float, now: float) -> None:
        """Have what is kept for long written again, between two times, Unix seconds."""
        for code, index in self._indexes.items():
            if code:
                index.renew(before, now)

    def forget_before(self, now: float) -> None:
        """Forget, once a new period begins, what is older than its retention."""
        for index in self._indexes.values():
            index.forget_before(now)

    def reload(self) -> None:
        """Take back what was forgotten since the last commit."""
        for index in self._indexes.values():
            index.reload()

    def _index(self, code: int) -> ChargeIndex:
        if code not in self._indexes:
            part = TablePart(self._of_methods, code.to_bytes(METHOD_BYTES, "big"))
            retention_s = self._retentions_s.get(code, self._retention_s)
            self._indexes[code] = ChargeIndex(part, retention_s)
        return self._indexes[code]
