"""Why a charge scored as it did: what raised its log-odds most, in a merchant's words."""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from math import isnan
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson

from streams.compiled import compiled
from streams.durations import in_words
from streams.features.spec import SECONDS
from streams.layouts.layout import NO_PLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from streams.features.spec import Feature

REASONS_MAX = 5

LEAST_LOG_ODDS = 0.2
"""A feature that raises the odds of fraud by less than a fifth or so is no reason."""

FLAG = "flag"
"""Unit of features that are 1 or 0. A text says what is so, hence a 0 has none."""

_REMEMBERED = 20_000
"""Encoded reasons that are kept, until there are more and all are dropped: most values are flags
or small counts, and come again."""

NO_CATEGORIES: Mapping[int, str] = MappingProxyType({})

_F4, _U4 = Struct("f"), Struct("I")

_VALUE = re.compile(r"\{value(?::(?P<form>[+.\d]*)(?P<kind>[fgs%]))?\}")


class _Words(NamedTuple):
    """A reason in JSON, to be formatted with `%`, which takes a third of the time of `str.format`.

    Attributes
    ----------
    template
        Takes the value, and what the text shows of it if it shows it.
    shown
        Returns what the text shows of a value; `None` where it shows nothing.
    """

    template: str
    shown: Callable[[float], object] | None


class Reasons:
    """Picks the reasons for batches of scored charges, and puts them into words.

    Parameters
    ----------
    features
        The columns of the vectors, in order; `text` is a template of `value`.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = features
        self._words = [_words(feature) for feature in features]
        self._known: dict[int, bytes] = {}
        self._flags = np.array([feature.unit == FLAG for feature in features])

    def pick(
        self, vectors: NDArray[np.float32], contributions: NDArray[np.float64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the columns that are reasons, strongest first, and how many of them there are.

        Parameters
        ----------
        vectors
            Feature vectors in natural units, shape (N, features).
        contributions
            Log-odds that each feature added, of the same shape.

        Returns
        -------
        u1[N, REASONS_MAX], u1[N]
        """
        columns, counts = _strongest(vectors, contributions, self._flags)
        return columns.astype(np.uint8), counts.astype(np.uint8)

    def encode(
        self,
        vectors: NDArray[np.float32],
        columns: NDArray[np.uint8],
        counts: NDArray[np.uint8],
        categories: Mapping[int, str] = NO_CATEGORIES,
    ) -> list[bytes]:
        """Encode what `pick` returned: a scored event's `reasons`, N arrays in JSON.

        An earlier version may have picked it; what names no column any more is left out.
        `categories` has the text of the codes of a producer's own categories.
        """
        if (columns == NO_PLACE).any():
            columns, counts = _without_gone(columns, counts)
        chosen, values = _values(vectors, columns, counts)
        codes, known = chosen << 32 | values.view(np.uint32), self._known
        if len(known) > _REMEMBERED:
            known.clear()
        reasons = [
            known.get(code) or self._encode_anew(code, categories) for code in codes.tolist()
        ]
        ends = accumulate(counts.tolist(), initial=0)
        return [b"[%b]" % b",".join(reasons[start:end]) for start, end in pairwise(ends)]

    def _encode_anew(self, code: int, categories: Mapping[int, str]) -> bytes:
        """Encode and remember the reason of a column and a value, whose bits are the lower 32.

        A category of which nobody says what it stands for may be known the next time.
        """
        feature, words = self._features[code >> 32], self._words[code >> 32]
        (value,) = _F4.unpack(_U4.pack(code & 0xFFFFFFFF))
        if isnan(value):
            encoded = _in_text(feature, 0, f"{feature.name} is missing")
        elif feature.transform == "category":
            category = int(value)
            encoded = _in_text(feature, category, _category_text(feature, category, categories))
            if feature.scope == "signal" and category != 0 and category not in categories:
                return encoded
        else:
            told = (value, words.shown(value)) if words.shown else value
            encoded = (words.template % told).encode()
        self._known[code] = encoded
        return encoded


def _without_gone(
    columns: NDArray[np.uint8], counts: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return columns and counts without `NO_PLACE`, in their order."""
    is_gone = columns == NO_PLACE
    left = np.take_along_axis(columns, np.argsort(is_gone, axis=1, kind="stable"), axis=1)
    ranks = np.arange(columns.shape[1])
    return left, ((ranks < counts[:, None]) & ~is_gone).sum(axis=1, dtype=np.uint8)


def _in_text(feature: Feature, value: int, text: str) -> bytes:
    return orjson.dumps({"feature": feature.name, "value": value, "text": text})


def _category_text(feature: Feature, code: int, categories: Mapping[int, str]) -> str:
    """Say which category it is, as far as that is known."""
    if feature.in_words is not None:
        return feature.text.replace("{value}", feature.in_words(code))
    if code == 0 and feature.scope == "signal":
        return f"{feature.name} is missing"
    return feature.text.replace("{value}", categories.get(code, "one of those before"))


def _words(feature: Feature) -> _Words:
    """Return the template of a reason: one formatting is all that a charge costs.

    >>> from streams.features.entities import FEATURES
    >>> _words(next(feature for feature in FEATURES if feature.name == "cvc_check_fail"))[0]
    '{"feature":"cvc_check_fail","value":%.6g,"text":"the CVC check failed"}'
    """
    name, text = orjson.dumps(feature.name).decode(), orjson.dumps(feature.text).decode()
    before, *parts = _VALUE.split(text.replace(SECONDS, "{value:s}"))
    template = f'{{"feature":{_plain(name)},"value":%.6g,"text":{_plain(before)}'
    if not parts:
        return _Words(template + "}", shown=None)
    form, kind, after = parts
    if kind == "%":
        return _Words(f"{template}%{form}f%%{_plain(after)}}}", shown=_percent)
    return _Words(
        f"{template}%{form or ''}{kind or 'g'}{_plain(after)}}}",
        shown=in_words if kind == "s" else float,
    )


def _percent(share: float) -> float:
    return 100.0 * share


def _plain(text: str) -> str:
    return text.replace("%", "%%")


@compiled
def _strongest(
    vectors: NDArray[np.float32], contributions: NDArray[np.float64], flags: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns of the strongest contributions of each row, and how many there are.

    One pass with insertion into a short sorted list; of equal contributions the first column wins.
    """
    rows, width = contributions.shape
    columns = np.zeros((rows, REASONS_MAX), np.int64)
    counts = np.zeros(rows, np.int64)
    for row in range(rows):
        count = 0
        for column in range(width):
            added = contributions[row, column]
            if added < LEAST_LOG_ODDS or (flags[column] and vectors[row, column] == 0.0):
                continue
            if count == REASONS_MAX and added <= contributions[row, columns[row, count - 1]]:
                continue
            place = min(count, REASONS_MAX - 1)
            while place > 0 and contributions[row, columns[row, place - 1]] < added:
                columns[row, place] = columns[row, place - 1]
                place -= 1
            columns[row, place] = column
            count = min(count + 1, REASONS_MAX)
        counts[row] = count
    return columns, counts


@compiled
def _values(
    vectors: NDArray[np.float32], columns: NDArray[np.uint8], counts: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the columns of all reasons row after row, and their values."""
    reasons = 0
    for row in range(len(counts)):
        reasons += counts[row]
    chosen, values = np.empty(reasons, np.int64), np.empty(reasons, np.float32)
    place = 0
    for row in range(len(counts)):
        for rank in range(counts[row]):
            chosen[place] = columns[row, rank]
            values[place] = vectors[row, columns[row, rank]] + 0.0  # no reason has a -0
            place += 1
    return chosen, values
