"""What begins as somebody has typed it: ids of charges, cards and merchants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from agents.web.read_model.queries.lines import ChargeLine, line_of, select_lines
from agents.web.read_model.storing import storable
from agents.web.read_model.tables import charges

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LAST: str = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Found:
    """What begins with a text: some charges, and ids of cards and merchants, in their order."""

    charges: tuple[ChargeLine, ...]
    cards: tuple[str, ...]
    merchants: tuple[str, ...]


def search(connection: Connection, prefix: str, limit: int = 10) -> Found:
    """Return what begins with a text, `limit` of each kind; nothing for an empty text.

    The text is compared as it is: no character in it has a meaning of its own.
    """
    begun = storable(prefix.strip())
    if not begun:
        return Found((), (), ())
    order = charges.c.charge, charges.c.card
    query = select_lines().where(*_begins(charges.c.charge, begun)).order_by(*order).limit(limit)
    return Found(
        tuple(map(line_of, connection.execute(query).mappings())),
        _values(connection, charges.c.card, begun, limit),
        _values(connection, charges.c.merchant, begun, limit),
    )


def _begins(column: Any, prefix: str) -> tuple[Any, Any]:
    return column >= prefix, column < prefix + _LAST


def _values(connection: Connection, column: Any, prefix: str, limit: int) -> tuple[str, ...]:
    """Return different values: one step of the index for each, however many charges it has."""
    first, end = _begins(column, prefix)
    found: list[str] = []
    query = select(func.min(column)).where(end)
    while len(found) < limit:
        value = connection.scalar(query.where(column > found[-1] if found else first))
        if value is None:
            break
        found.append(value)
    return tuple(found)
