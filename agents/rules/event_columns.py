"""The attributes of scored charges, of their rows, vectors and heads, as columns."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import orjson

from agents.rules.attributes import ATTRIBUTES, DERIVED, METHODS, OF_AMOUNT, OTHER_COUNTRY
from agents.rules.figures import NO_FIGURES, OF_EUROS, OF_FRAUD_RATES, Figures
from streams.events.rows import (
    CARD_PAYMENT,
    CHANNEL,
    CHECK,
    COUNTRY,
    FUNDING,
    OTHER,
    OTHER_PAYMENT,
    hash_of,
)
from streams.features.entities import FEATURE_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from streams.events.rows import Rows

_COLUMNS: Final = {
    **{name: place for place, name in enumerate(FEATURE_NAMES) if name != OF_AMOUNT},
    **{name: FEATURE_NAMES.index(derived.feature) for name, derived in DERIVED.items()},
}
"""In which column of the vector the features are, and those of which attributes are made."""

_IN_HEAD: Final = {"id": "charge", **{name: name for name in ("card", "merchant", "currency")}}
"""Texts of a charge that the head of its scored charge has, by their names there."""

_HASHED: Final = frozenset({"card", "merchant", "device", "ip", "email"})
"""Texts of a charge of which a row has the hash."""


class _Codes:
    """What the codes of a field of EVENT stand for."""

    def __init__(self, codes: Mapping[str | None, int], other: str | None = None) -> None:
        texts = [text for text in codes if text is not None]
        self._texts = [None, *texts, *([other] if other else [])]
        assert [codes[text] for text in texts] == list(range(1, len(texts) + 1))
        self._hashes = np.array([hash_of(text) for text in self._texts], np.uint64)

    def hashes(self, codes: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint64]:
        return self._hashes.take(codes, mode="clip")  # one that is beyond is the last

    def texts(self, codes: NDArray[np.unsignedinteger[Any]]) -> list[str | None]:
        return [self._texts[code] for code in np.minimum(codes, len(self._texts) - 1).tolist()]


_COUNTRIES: Final = _Codes(COUNTRY, OTHER_COUNTRY)
_CHECKS: Final = _Codes(CHECK)
_CODED: Final = {
    "merchant_country": _COUNTRIES,
    "card_country": _COUNTRIES,
    "ip_country": _COUNTRIES,
    "funding": _Codes(FUNDING),
    "channel": _Codes(CHANNEL),
    "payment_method": _Codes(dict(zip(METHODS, (CARD_PAYMENT, OTHER_PAYMENT), strict=True))),
    "cvc_check": _CHECKS,
    "postal_check": _CHECKS,
}


class EventColumns:
    """Attributes of N charges; each is made when it is asked for, and heads are read once at most.

    Parameters
    ----------
    charges
        EVENT[N].
    vectors
        f4[N, FEATURES].
    scores, risks
        Of the charges, f8[N] and u1[N].
    heads
        N, what `schemas.scored.begin_scored` returned.
    figures
        Of the installation.

    Examples
    --------
    >>> from streams.events.rows import EVENT
    >>> charge = np.zeros(1, EVENT)
    >>> charge["card_country"] = COUNTRY["DE"]
    >>> vector = np.zeros((1, len(FEATURE_NAMES)), np.float32)
    >>> head = b'{"charge":"c1","amount":1999,"basket":{"a":1}'
    >>> columns = EventColumns(charge, vector, np.array([0.5]), np.array([99], np.uint8), [head])
    >>> columns.row(0, ["card_country", "ip_country", "amount", "::basket::", "ip"])
    {'card_country': 'DE', 'ip_country': None, 'amount': 1999.0, '::basket::': None}
    """

    def __init__(
        self,
        charges: Rows,
        vectors: NDArray[np.float32],
        scores: NDArray[np.float64],
        risks: NDArray[np.uint8],
        heads: Sequence[bytes],
        figures: Figures = NO_FIGURES,
    ) -> None:
        self._charges = charges
        self._vectors = vectors
        self._scores = scores
        self._risks = risks
        self._heads = heads
        self._figures = figures

    def __len__(self) -> int:
        return len(self._charges)

    @property
    def times(self) -> NDArray[np.float64]:
        """See `agents.rules.columns.Columns.times`."""
        times: NDArray[np.float64] = self._charges["created"]
        return times

    def numbers(self, keys: Sequence[str]) -> NDArray[np.float64]:
        """See `agents.rules.columns.Columns.numbers`."""
        return self._values(keys, self._number)

    def booleans(self, keys: Sequence[str]) -> NDArray[np.float64]:
        """See `agents.rules.columns.Columns.booleans`."""
        return self._values(keys, self._boolean)

    def hashes(self, keys: Sequence[str]) -> NDArray[np.uint64]:
        """See `agents.rules.columns.Columns.hashes`."""
        hashes = np.empty((len(keys), len(self)), np.uint64)
        for row, key in enumerate(keys):
            hashes[row] = self._hashes(key)
        return hashes

    @property
    def addresses(self) -> NDArray[np.uint64]:
        """See `agents.rules.columns.Columns.addresses`."""
        addresses: NDArray[np.uint64] = self._charges["address"]
        return addresses

    def texts(self, key: str) -> list[str | None]:
        """See `agents.rules.columns.Columns.texts`."""
        if key in _CODED:
            return _CODED[key].texts(self._charges[key])
        found = (head.get(_IN_HEAD.get(key) or _name(key)) for head in self._read_heads)
        return [text if isinstance(text, str) and text else None for text in found]

    def take(self, places: NDArray[np.intp]) -> Self:
        """Return the columns of some of the charges."""
        return type(self)(
            self._charges[places],
            self._vectors[places],
            self._scores[places],
            self._risks[places],
            [self._heads[place] for place in places.tolist()],
            self._figures,
        )

    def row(self, place: int, keys: Sequence[str]) -> dict[str, object]:
        """Return some attributes of one charge, `None` for what is missing.

        Those that are kept as a hash are left out.
        """
        one = self.take(np.array([place]))
        known = (key for key in keys if key not in ATTRIBUTES or ATTRIBUTES[key].has_text)
        return {key: one._value(key) for key in known}

    def _value(self, key: str) -> object:
        """Return an attribute of the only charge."""
        if key not in ATTRIBUTES:
            value = self._read_heads[0].get(_name(key))
            return value if isinstance(value, (int, float, str)) and value != "" else None
        kind = ATTRIBUTES[key].type
        if kind == "text":
            return self.texts(key)[0]
        number = float((self.numbers([key]) if kind == "number" else self.booleans([key]))[0, 0])
        if np.isnan(number):
            return None
        return number if kind == "number" else bool(number)

    def _values(
        self, keys: Sequence[str], other: Callable[[str], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return features and other values, f8[keys, N]; the former are taken all at once."""
        values = np.empty((len(keys), len(self)))
        features = [row for row, key in enumerate(keys) if key in _COLUMNS]
        values[features] = self._vectors[:, [_COLUMNS[keys[row]] for row in features]].T
        for row, key in enumerate(keys):
            if key in DERIVED:
                values[row] /= DERIVED[key].divisor
            elif key not in _COLUMNS:
                values[row] = other(key)
        return values

    def _number(self, key: str) -> NDArray[np.float64]:
        if key in OF_FRAUD_RATES:
            return np.full(len(self), self._figures.fraud_rates[OF_FRAUD_RATES[key]])
        read = _NUMBERS.get(key)
        return read(self) if read else self._of_heads(_name(key), (int, float))

    def _boolean(self, key: str) -> NDArray[np.float64]:
        if key != "three_d_secure":
            return self._of_heads(_name(key), (bool,))
        codes = self._charges[key]
        return np.where(codes == 0, np.nan, codes - 1.0)

    def _hashes(self, key: str) -> NDArray[np.uint64]:
        if key in _HASHED:
            hashes: NDArray[np.uint64] = self._charges[key]
            return hashes
        if key in _CODED:
            return _CODED[key].hashes(self._charges[key])
        return np.array([hash_of(text) for text in self.texts(key)], np.uint64)

    def _euros(self) -> NDArray[np.float64]:
        # In whole cents: else 100 euros would be a little more or less than 100 by way of dollars.
        return np.round(self._charges["amount"] / self._figures.usd_per_eur, 2)

    def _categories(self) -> NDArray[np.float64]:
        codes = self._charges["mcc"]
        numbers = np.where(codes == OTHER, 0.0, codes)  # 0 is the one that has no code of its own
        return np.where(codes == 0, np.nan, numbers)

    @cached_property
    def _read_heads(self) -> list[dict[str, Any]]:
        return [orjson.loads(head + b"}") for head in self._heads]

    def _of_heads(self, name: str, types: tuple[type, ...]) -> NDArray[np.float64]:
        """Return a member of the heads where it has one of the types, as a number."""
        found = (head.get(name) for head in self._read_heads)
        return np.array([value if type(value) in types else np.nan for value in found], np.float64)


_NUMBERS: Final[dict[str, Callable[[EventColumns], NDArray[np.float64]]]] = {
    "created": lambda columns: columns.times,
    "amount": lambda columns: columns._of_heads("amount", (int, float)),
    "amount_usd": lambda columns: columns._charges["amount"],
    OF_EUROS: EventColumns._euros,
    "mcc": EventColumns._categories,
    "score": lambda columns: columns._scores,
    "risk": lambda columns: columns._risks.astype(np.float64),
}
"""How the numbers are read that are no features."""


def _name(key: str) -> str:
    return key.strip(":")
