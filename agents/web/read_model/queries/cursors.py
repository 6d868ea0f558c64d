"""Where a page of a list ended, as text that fits an address."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
from sqlalchemy import and_, or_

type_of = {float: (int, float), int: (int,), str: (str,)}


class CursorError(ValueError):
    """A text that no page ended with."""


def cursor_of(*place: float | str) -> str:
    """Return a place in an order as text.

    >>> place_in(cursor_of(12.5, "ch_1"), float, str)
    (12.5, 'ch_1')
    """
    return urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_in(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """Return the place that a text stands for.

    Raises
    ------
    CursorError
        When it is none of so many values of these kinds.
    """
    try:
        place = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, UnicodeError):
        raise CursorError("expected what a page ended with") from None
    if (
        not isinstance(place, list)
        or len(place) != len(kinds)
        or not all(type(each) in type_of[kind] for each, kind in zip(place, kinds, strict=True))
    ):
        raise CursorError("expected what a page ended with")
    return tuple(place)


def behind(columns: Any, place: tuple[Any, ...], descending: tuple[bool, ...]) -> Any:
    """Return the condition that a row comes behind a place in an order of columns."""
    conditions = []
    for i, (column, value, is_down) in enumerate(zip(columns, place, descending, strict=True)):
        before = [columns[j] == place[j] for j in range(i)]
        conditions.append(and_(*before, column < value if is_down else column > value))
    return or_(*conditions)
