"""The value of remote card payments and of the frauds among them, by day and band of amounts.

A charge counts on the day of stream time on which it came, a fraud on that on which its dispute
did, whenever its charge was made. So only the running day ever changes, and a commit writes that
one alone::

    day   -90          -89  -88  ...  -1    0
          forgotten    |------- told --------|

A payment is remote if its channel is not `in_person`, and one by card if its payment method is not
another; what is not told is taken for both. Its amount is that of its vector, which is still there
when it is disputed, in euros: a whole number of cents, so that no sum depends on an order.
"""

from __future__ import annotations

from itertools import pairwise
from math import isnan
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from agents.policy.fraud_rates import FraudValue
from agents.rules.figures import BANDS_EUR, FRAUD_RATE_DAYS
from streams.compiled import compiled
from streams.durations import DAY_S
from streams.features.entities import FEATURE_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.state.tables import Table

CHARGED, DISPUTED = 0, 1
"""Rows of the sums of a day."""

_KEY, _KEY_END = b"fraud_value/", b"fraud_value0"
_BAND_CENTS: Final = np.array(BANDS_EUR, np.float64) * 100.0
_BANDS: Final = len(BANDS_EUR)
_AMOUNT: Final = FEATURE_NAMES.index("amount")
_OTHER: Final = FEATURE_NAMES.index("payment_method_other")
_REMOTE: Final = tuple(
    FEATURE_NAMES.index(f"channel_{channel}") for channel in ("online", "recurring", "missing")
)

Sums = list[list[int]]
"""Of a day: what was charged and what was disputed, of each band, euro cents."""


class DailyFraudValue:
    """The sums of one task.

    Parameters
    ----------
    meta
        The table that has a record a day.
    usd_per_eur
        What a euro is worth, US dollars; NaN where that is not known, and then nothing counts.
    """

    def __init__(self, meta: Table, usd_per_eur: float) -> None:
        self._meta = meta
        self._usd_per_eur = usd_per_eur
        self.reload()

    def reload(self) -> None:
        """Read the table again, after its changes were discarded."""
        self._changed: set[int] = set()
        self._days = {day: np.array(sums, np.int64) for day, sums in days_in(self._meta).items()}

    def flush(self) -> None:
        """Put the days that have changed into the table."""
        for day in sorted(self._changed):
            self._meta.put(_key(day), msgspec.json.encode(self._days[day].tolist()))
        self._changed.clear()

    def count(self, charged: int, times: NDArray[np.float64], vectors: NDArray[np.float32]) -> None:
        """Count charges.

        Parameters
        ----------
        charged
            `CHARGED`, or `DISPUTED` if they were disputed as fraud.
        times
            f8[N], stream time at which that was, Unix seconds, never decreasing.
        vectors
            f4[N, features].
        """
        if not len(times) or isnan(self._usd_per_eur):
            return
        first, last = int(times[0] // DAY_S), int(times[-1] // DAY_S)
        ends = np.searchsorted(times, np.arange(first + 1, last + 1) * DAY_S).tolist()
        for day, (start, end) in enumerate(pairwise([0, *ends, len(times)]), first):
            sums = _value_by_band(vectors[start:end], self._usd_per_eur)
            if sums.any():
                self._add(day, charged, sums)

    def forget(self, now: float) -> None:
        """Forget the days that are too old at a stream time, Unix seconds."""
        first = int(now // DAY_S) - FRAUD_RATE_DAYS + 1
        for day in [day for day in self._days if day < first]:
            del self._days[day]
            self._changed.discard(day)
            self._meta.delete(_key(day))

    def told(self, now: float) -> FraudValue:
        """Return what the task tells at a stream time, Unix seconds, that nothing is newer than."""
        sums = sum(self._days.values(), np.zeros((2, _BANDS), np.int64))
        charged, disputed = sums.tolist()
        return FraudValue(int(now // DAY_S), tuple(charged), tuple(disputed))

    def _add(self, day: int, charged: int, sums: NDArray[np.int64]) -> None:
        if day not in self._days:
            self._days[day] = np.zeros((2, _BANDS), np.int64)
        self._days[day][charged] += sums
        self._changed.add(day)


@compiled
def _value_by_band(vectors: NDArray[np.float32], usd_per_eur: float) -> NDArray[np.int64]:
    """Return the value of the remote card payments among f4[N, features], i8[bands], euro cents."""
    sums = np.zeros(_BANDS, np.int64)
    for i in range(len(vectors)):
        is_remote = False
        for channel in _REMOTE:
            is_remote = is_remote or vectors[i, channel] != 0.0
        cents = np.rint(np.float64(vectors[i, _AMOUNT]) / usd_per_eur * 100.0)
        band = np.searchsorted(_BAND_CENTS, cents)
        if is_remote and vectors[i, _OTHER] == 0.0 and band < _BANDS:
            sums[band] += np.int64(cents)
    return sums


def days_in(meta: Table) -> dict[int, Sums]:
    """Return the sums of a state by day.

    Raises
    ------
    msgspec.MsgspecError
        When a record cannot be read.
    """
    return {
        int(key[len(_KEY) :], 16): msgspec.json.decode(value, type=Sums)
        for key, value in meta.scan(_KEY, _KEY_END)
    }


def _key(day: int) -> bytes:
    return _KEY + b"%08x" % day
