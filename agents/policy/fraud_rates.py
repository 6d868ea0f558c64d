"""The fraud rates of an installation: what its tasks have told of charges and frauds, added up.

A task tells its sums in a record of its own under `fraud-value/` and its number, on the topic of
what the installation keeps about itself; the latest of each counts. A record is of the last 90 days
of its task's stream time. A task that is 90 days or more behind the newest one counts no more.
"""

from __future__ import annotations

from math import nan
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from agents.rules.figures import BANDS_EUR, FRAUD_RATE_DAYS
from schemas.rejected import InvalidEvent

_KEY: Final = b"fraud-value/"
_Cents = Annotated[int, Meta(ge=0)]
_OfBands = Annotated[tuple[_Cents, ...], Meta(min_length=len(BANDS_EUR), max_length=len(BANDS_EUR))]


class FraudValue(Struct, frozen=True):
    """What a task tells of remote card payments.

    Attributes
    ----------
    day
        The running one, days since 1970.
    charged, disputed
        Value of the charges, and of those disputed as fraud, of each band, euro cents.
    """

    day: int
    charged: _OfBands
    disputed: _OfBands


def key_of(task: int) -> bytes:
    """Return the key of a task's record.

    >>> key_of(3)
    b'fraud-value/3'
    """
    return _KEY + b"%d" % task


def encode(value: FraudValue) -> bytes:
    """Return a record.

    >>> encode(FraudValue(20454, (1999, 0, 0), (0, 0, 0)))
    b'{"day":20454,"charged":[1999,0,0],"disputed":[0,0,0]}'
    """
    return msgspec.json.encode(value)


def decode(value: bytes) -> FraudValue:
    """Read a record.

    Raises
    ------
    InvalidEvent
        When it cannot be used.
    """
    try:
        return msgspec.json.decode(value, type=FraudValue)
    except msgspec.MsgspecError as error:
        raise InvalidEvent("type", str(error)) from None


class FraudRatesBook:
    """The latest record of each task.

    Attributes
    ----------
    rates
        Of each band, NaN where nothing was charged.

    Examples
    --------
    >>> book = FraudRatesBook()
    >>> for task, charged in enumerate((9000, 1000)):
    ...     book.take(key_of(task), encode(FraudValue(1, (charged, 0, 0), (10, 0, 0))))
    >>> book.rates
    (0.002, nan, nan)
    """

    def __init__(self) -> None:
        self._values: dict[bytes, FraudValue] = {}
        self.rates = rates_of([])

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record of the topic, which holds others, too; a value of `None` removes a task.

        Raises
        ------
        InvalidEvent
            When it cannot be used; what was there stays.
        """
        if not key.startswith(_KEY):
            return
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = decode(value)
        self.rates = rates_of(list(self._values.values()))


def rates_of(values: list[FraudValue]) -> tuple[float, ...]:
    """Return the rates of the tasks together, by band."""
    newest = max((value.day for value in values), default=0)
    current = [value for value in values if value.day > newest - FRAUD_RATE_DAYS]
    charged = [sum(value.charged[band] for value in current) for band in range(len(BANDS_EUR))]
    disputed = [sum(value.disputed[band] for value in current) for band in range(len(BANDS_EUR))]
    return tuple(
        of_fraud / of_all if of_all else nan
        for of_fraud, of_all in zip(disputed, charged, strict=True)
    )
