"""The tables made, found to be of this version, or thrown away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import MetaData, insert, inspect
from sqlalchemy.schema import CreateSchema, DropSchema

from agents.web.read_model import tables
from agents.web.read_model.database import COMPLETE, SCHEMA, VERSION, meta_value
from agents.web.read_model.keeping.latencies import of_all, rows_of
from agents.web.read_model.keeping.statements import insert_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger(__name__)


def prepare(connection: Connection) -> bool:
    """Make the tables where none are of this version; return whether they were made.

    Those of another version are thrown away, and a line says so.
    """
    if inspect(connection).has_table(tables.meta.name):
        version = meta_value(connection, VERSION)
        if version == str(tables.SCHEMA_VERSION):
            return False
        logger.warning(
            "the read model is of version %s, and this is %d: it is built again from the topics",
            version, tables.SCHEMA_VERSION,
        )  # fmt: skip
    make_anew(connection)
    return True


def complete(connection: Connection) -> None:
    """Make what only queries need, if it is not there yet: that is quicker done at once."""
    if meta_value(connection, COMPLETE) is not None:
        return
    for index in tables.LATE_INDEXES:
        index.create(connection)
    insert_rows(connection, tables.latencies, rows_of(of_all(connection)))
    connection.execute(insert(tables.meta), {"name": COMPLETE, "value": "yes"})
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE")  # else the indexes are not used until it comes to it


def make_anew(connection: Connection) -> None:
    """Throw away whatever is there, and make empty tables."""
    if connection.dialect.name == "postgresql":
        connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        connection.execute(CreateSchema(SCHEMA))
    else:
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)
    tables.metadata.create_all(connection)
    for index in tables.LATE_INDEXES:
        index.drop(connection)
    version = {"name": VERSION, "value": str(tables.SCHEMA_VERSION)}
    connection.execute(insert(tables.meta), version)
