"""Statements that both databases have, each in its own dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

    from agents.web.read_model.batch import Row


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; what is there already stays as it is."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def insert_or_add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or add their numbers to those that are there."""
    if rows:
        insert = _insert(connection, table)
        added = {
            column.name: column + insert.excluded[column.name]
            for column in table.c
            if not column.primary_key
        }
        connection.execute(_on_conflict(insert, table, added), rows)


def insert_or_replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or put them in place of those that are there."""
    if rows:
        insert = _insert(connection, table)
        replaced = {
            column.name: insert.excluded[column.name]
            for column in table.c
            if not column.primary_key
        }
        connection.execute(_on_conflict(insert, table, replaced), rows)


def _insert(connection: Connection, table: Table) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def _on_conflict(insert: Any, table: Table, changes: dict[str, Any]) -> Any:
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes)
