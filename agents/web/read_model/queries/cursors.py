"""Where a page of a list ended, as text that fits an address."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from sqlalchemy import and_, or_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping, Select

_TYPES: Final = {float: (int, float), int: (int,), str: (str,)}


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
        or not all(type(each) in _TYPES[kind] for each, kind in zip(place, kinds, strict=True))
    ):
        raise CursorError("expected what a page ended with")
    return tuple(place)


class OrderedBy(NamedTuple):
    """A column that orders a list, the type of its values, and whether the largest come first."""

    column: Any
    kind: type
    is_descending: bool = False


def rows_of_page(
    connection: Connection,
    query: Select[Any],
    order: Sequence[OrderedBy],
    after: str | None,
    limit: int,
) -> tuple[Sequence[RowMapping], str | None]:
    """Return the rows of a page, and the cursor of the one behind it, if there is one.

    Parameters
    ----------
    connection
        Of the read model.
    query
        All rows; it has the columns of the order.
    order
        No two rows are alike in all of it.
    after
        The cursor that the page before ended with; the first page when `None`.
    limit
        How many at the most.

    Raises
    ------
    CursorError
        When `after` is nothing that a page of this order ended with.
    """
    if after is not None:
        query = query.where(*_behind(order, place_in(after, *(each.kind for each in order))))
    by = (each.column.desc() if each.is_descending else each.column for each in order)
    rows = connection.execute(query.order_by(*by).limit(limit + 1)).mappings().all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], cursor_of(*(rows[limit - 1][each.column.name] for each in order))


def _behind(order: Sequence[OrderedBy], place: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return the conditions that a row comes behind a place; by the first an index is bounded."""
    conditions = []
    for i, ((column, _, is_down), value) in enumerate(zip(order, place, strict=True)):
        alike = [order[j].column == place[j] for j in range(i)]
        conditions.append(and_(*alike, column < value if is_down else column > value))
    first = order[0].column
    return first <= place[0] if order[0].is_descending else first >= place[0], or_(*conditions)
