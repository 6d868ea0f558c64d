"""One charge with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from agents.web.read_model.queries.lines import ChargeLine, is_of_charge, line_of, select_lines
from agents.web.read_model.storing import storable
from agents.web.read_model.tables import charges, details, disputes, notes, outcomes

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote at a charge."""

    id: str
    by: str
    created: float
    text: str


@dataclass(frozen=True, slots=True)
class ChargeView:
    """A charge.

    Attributes
    ----------
    line
        It as a line of a list.
    scored, written_at
        Its scored event, and when that was put on its topic, Unix seconds.
    fields
        Its optional fields, such as `mcc` and `device`: those that it has. Empty where the charge
        itself is not kept any more.
    outcomes, disputes
        The events about it, oldest first.
    notes
        What was written at it, oldest first.
    """

    line: ChargeLine
    scored: dict[str, Any]
    written_at: float
    fields: dict[str, Any]
    outcomes: tuple[dict[str, Any], ...]
    disputes: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...]


def charge_view(connection: Connection, charge: str, card: str | None = None) -> ChargeView | None:
    """Return a charge, `None` where there is none of this id.

    Parameters
    ----------
    connection
        Of the read model.
    charge
        Its id.
    card
        Its card. Without one it is the latest charge of the id, where charges of several cards
        share it.
    """
    query = select_lines().add_columns(charges.c.event, charges.c.written_at, details.c.fields)
    query = query.outerjoin(details, is_of_charge(details)).where(
        charges.c.charge == storable(charge)
    )
    if card is not None:
        query = query.where(charges.c.card == storable(card))
    row = connection.execute(query.order_by(charges.c.created.desc())).mappings().first()
    if row is None:
        return None
    line, fields = line_of(row), row["fields"]
    return ChargeView(
        line=line,
        scored=orjson.loads(row["event"]),
        written_at=row["written_at"],
        fields=orjson.loads(fields) if fields else {},
        outcomes=_events(connection, outcomes, line),
        disputes=_events(connection, disputes, line),
        notes=_notes(connection, line),
    )


def _events(connection: Connection, table: Table, line: ChargeLine) -> tuple[dict[str, Any], ...]:
    of_it = select(table.c.event).where(table.c.charge == line.charge, table.c.card == line.card)
    events = connection.scalars(of_it.order_by(table.c.created, table.c.id))
    return tuple(map(orjson.loads, events))


def _notes(connection: Connection, line: ChargeLine) -> tuple[Note, ...]:
    column = notes.c
    of_it = column.charge == line.charge, column.card == line.card
    query = select(column.id, column.by, column.created, column.text).where(*of_it)
    rows = connection.execute(query.order_by(column.created, column.id))
    return tuple(Note(*row) for row in rows)
