"""Statements in bulk, each in the dialect of the database."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ARRAY, Text, any_, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

    from agents.web.read_model.keeping.batch import Row


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows of which none is there yet."""
    _execute(connection, _insert(connection, table), rows)


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; what is there already stays as it is."""
    _execute(connection, _insert(connection, table).on_conflict_do_nothing(), rows)


def insert_or_add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or add their numbers to those that are there."""
    insert = _insert(connection, table)
    added = {column.name: column + insert.excluded[column.name] for column in _values_of(table)}
    _execute(connection, _on_conflict(insert, table, added), rows)


def insert_or_replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or put them in place of those that are there."""
    insert = _insert(connection, table)
    replaced = {column.name: insert.excluded[column.name] for column in _values_of(table)}
    _execute(connection, _on_conflict(insert, table, replaced), rows)


def among(connection: Connection, column: Any, values: Iterable[str]) -> Any:
    """Return the condition that a column has one of many values, which are one parameter."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(Text)))
    listed = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def _execute(connection: Connection, statement: Any, rows: Sequence[Row]) -> None:
    """Execute a statement for rows that have the same columns.

    For SQLite its parameters are put in order here: that is most of what a row costs otherwise.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    if compiled.positional:
        in_order = itemgetter(*compiled.positiontup)
        connection.exec_driver_sql(str(compiled), list(map(in_order, rows)))
    else:
        connection.execute(statement, rows)


def _insert(connection: Connection, table: Table) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _values_of(table: Table) -> list[Any]:
    return [column for column in table.c if not column.primary_key]


def _on_conflict(insert: Any, table: Table, changes: dict[str, Any]) -> Any:
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes)
