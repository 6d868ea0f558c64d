"""Which charges there were: of each card and id, when it was made and at which merchant.

A dispute names its charge. Here it is found where charge and dispute meet first, in the partition
of their card, whatever merchant the dispute names.
"""

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

import numpy as np

from streams.durations import DAY_S
from streams.events.rows import Rows
from streams.labels.pending import DAY_BYTES, KEY_BYTES
from streams.labels.renewal import renew
from streams.state.tables import AnyTable

_PERIOD_S = 16 * DAY_S
"""What is forgotten together: so up to 16 days more than the retention are kept, and a charge is
sought in as many periods as the retention has."""

_PERIOD_BYTES = 4
_KEY = np.dtype([("period", ">u4"), ("charge", ">u8", (2,))])
_CREATED = Struct("<d")
INDEX_LAYOUT = (_PERIOD_S, _KEY.descr, _CREATED.format)


class KnownCharge(NamedTuple):
    """A charge that came.

    Attributes
    ----------
    created
        When it was made, Unix seconds.
    merchant
        Its merchant's key.
    method
        The code of its method of payment, if that has times of its own, else 0.
    """

    created: float
    merchant: bytes
    method: int = 0


class ChargeIndex:
    """Charges of one task.

    Parameters
    ----------
    table
        Where they are kept.
    retention_s
        For how long a charge is found, seconds of event time.
    """

    def __init__(self, table: AnyTable, retention_s: float) -> None:
        self._table = table
        self._retention_s = retention_s
        self._forgotten = 0

    def add(self, charges: Rows, merchants: Sequence[bytes]) -> None:
        """Add charges, EVENT[N] with N keys; of two of one id and period the later counts."""
        keys = np.empty(len(charges), _KEY)
        keys["period"] = charges["created"] // _PERIOD_S
        keys["charge"] = charges["charge"]
        size, raw = _KEY.itemsize, keys.tobytes()
        for i, (created, merchant) in enumerate(
            zip(charges["created"].tolist(), merchants, strict=True)
        ):
            value = _CREATED.pack(created) + merchant
            self._table.put(raw[i * size : (i + 1) * size], value)

    def find(
        self, charges: Sequence[bytes], first_now: float, last_now: float
    ) -> list[KnownCharge | None]:
        """Find charges by their hash; of several the one that was made last.

        Parameters
        ----------
        charges
            N hashes, as `charge_hashes` gives them.
        first_now, last_now
            Between which times it is now, Unix seconds.

        Returns
        -------
        list
            N charges, `None` for one that has not come, or is forgotten.
        """
        newest, oldest = _period(last_now), _period(first_now - self._retention_s)
        periods = [_period_key(period) for period in range(newest, oldest - 1, -1)]
        swapped = [_big_endian(charge) for charge in charges]
        values = self._table.get_many([key + charge for charge in swapped for key in periods])
        found: list[KnownCharge | None] = []
        for start in range(0, len(values), len(periods)):
            value = next(filter(None, values[start : start + len(periods)]), None)
            found.append(None if value is None else decode_known(value))
        return found

    def is_remembered(self, created: float, now: float) -> bool:
        """Whether a charge made at one time is remembered at another, Unix seconds."""
        return _period(created) >= _period(now - self._retention_s)

    def renew(self, before: float, now: float) -> None:
        """Have what is kept for long written again; see `streams.labels.renewal`."""
        renew(self._table, _PERIOD_S, self._retention_s, before, now)

    def forget_before(self, now: float) -> None:
        """Forget, once a new period begins, what is older than the retention."""
        period = _period(now - self._retention_s)
        if period > self._forgotten:
            self._table.drop(_period_key(0), _period_key(period))
            self._forgotten = period

    def reload(self) -> None:
        """Take back what was forgotten since the last commit."""
        self._forgotten = 0


def is_found_instead(created: float, before: float) -> bool:
    """Whether a charge is found in place of one of its id that came before it."""
    return _period(created) >= _period(before)


def index_key(kept: bytes) -> bytes:
    """Return the key of a charge in an index, by the one that it is kept under: a day, its hash."""
    day, charge = kept[:DAY_BYTES], kept[DAY_BYTES:KEY_BYTES]
    return _period_key(_period(int.from_bytes(day, "big") * DAY_S)) + charge


def _period(time: float) -> int:
    return max(int(time // _PERIOD_S), 0)


def decode_known(value: bytes) -> KnownCharge:
    """Return a charge, as the table has it."""
    return KnownCharge(_CREATED.unpack_from(value)[0], value[_CREATED.size :])


def _period_key(period: int) -> bytes:
    return period.to_bytes(_PERIOD_BYTES, "big")


def _big_endian(charge: bytes) -> bytes:
    return charge[7::-1] + charge[:7:-1]
