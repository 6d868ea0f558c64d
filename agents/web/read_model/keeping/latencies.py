"""Latencies by day: of all charges at once when the read model has been built, then as they come.

The two ends of a charge may come in whichever order, and each charge counts once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import select

from agents.web.read_model.keeping.statements import among
from agents.web.read_model.latency import latency_of, step_of
from agents.web.read_model.queries.lines import is_of_charge
from agents.web.read_model.tables import charges, details
from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from agents.web.read_model.keeping.batch import Row

_ROWS_AT_A_TIME: Final = 20_000


class Ends(NamedTuple):
    """When a charge was made, put on its topic, and its scored event put on that of those."""

    created: float
    put_at: float
    scored_at: float


def of_all(connection: Connection) -> Iterable[Ends]:
    """Return the ends of all charges of which both are known."""
    columns = details.c.created, details.c.written_at, charges.c.written_at
    query = select(*columns).select_from(charges.join(details, is_of_charge(details)))
    rows = connection.execute(query.execution_options(yield_per=_ROWS_AT_A_TIME))
    return (Ends(*row) for row in rows)


def of_late_details(connection: Connection, came: Sequence[Row]) -> list[Ends]:
    """Return the ends of charges that come to be known after their scores.

    Parameters
    ----------
    connection
        Of the read model, in which they are not yet.
    came
        Rows of `details`.
    """
    scored = _written_at(connection, charges, {row["charge"] for row in came})
    late = [row for row in came if _key_of(row) in scored]
    if not late:
        return []
    known = _written_at(connection, details, {row["charge"] for row in late})
    first = {_key_of(row): row for row in reversed(late)}
    return [
        Ends(row["created"], row["written_at"], scored[key])
        for key, row in first.items()
        if key not in known
    ]


def of_scored(connection: Connection, new: Sequence[Row]) -> list[Ends]:
    """Return the ends of charges that have come to be scored, as far as they are known.

    Parameters
    ----------
    connection
        Of the read model, in which their details are, if they have come.
    new
        Rows of `charges`.
    """
    put_at = _written_at(connection, details, {row["charge"] for row in new})
    return [
        Ends(row["created"], put_at[key], row["written_at"])
        for row in new
        if (key := _key_of(row)) in put_at
    ]


def rows_of(ends: Iterable[Ends]) -> list[Row]:
    """Return what is to be added to the rows of the table `latencies`."""
    counts: Counter[tuple[int, int]] = Counter()
    for each in ends:
        latency_s = latency_of(*each)
        if latency_s is not None:
            counts[int(each.created // DAY_S), step_of(latency_s)] += 1
    return [
        {"day": day, "step": step, "charges": charges} for (day, step), charges in counts.items()
    ]


def _written_at(
    connection: Connection, table: Table, ids: Iterable[str]
) -> dict[tuple[str, str], float]:
    """Return when the rows of charges of these ids were written, by charge and card."""
    if not ids:
        return {}
    column = table.c
    query = select(column.charge, column.card, column.written_at)
    rows = connection.execute(query.where(among(connection, column.charge, ids)))
    return {(charge, card): written_at for charge, card, written_at in rows}


def _key_of(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["charge"], row["card"]
