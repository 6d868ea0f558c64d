"""The tables of the read model, alike in SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

SCHEMA_VERSION: Final = 2
"""Counts the changes of these tables and of what is written to them: a read model of another
version is thrown away and built again."""

metadata: Final = MetaData()

# Ids are compared by their bytes everywhere, so that those with a prefix are a range of the index.
_ID: Final = Text().with_variant(Text(collation="C"), "postgresql")

meta: Final = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What is known of the whole: its version, of which cluster it is, up to when it is."""

positions: Final = Table(
    "positions",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
"""The offset that comes next, written with the rows of what came before it."""

charges: Final = Table(
    "charges",
    metadata,
    Column("charge", _ID, primary_key=True),
    Column("card", _ID, primary_key=True),
    Column("merchant", _ID, nullable=False),
    Column("created", Double, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("usd_cents", BigInteger, nullable=False),
    Column("score", Double, nullable=False),
    Column("risk", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("written_at", Double, nullable=False),
    Column("given", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("is_disputed", Boolean, nullable=False),
)
"""Scored charges. `event` is the scored event, in JSON, and `written_at` when it was put on its
topic; the last three follow from outcomes and disputes (`Standing`)."""

IS_WAITING: Final = text("given = 'review' AND verdict = ''")
"""The charges that wait for a verdict."""

Index("charges_by_time", charges.c.created)

details: Final = Table(
    "details",
    metadata,
    Column("charge", _ID, primary_key=True),
    Column("card", _ID, primary_key=True),
    Column("created", Double, nullable=False),
    Column("device", _ID),
    Column("ip", _ID),
    Column("email", _ID),
    Column("fields", LargeBinary, nullable=False),
    Column("written_at", Double, nullable=False),
)
"""What a charge has that its scored event has not. `fields` are its optional ones, in JSON, and
`written_at` is when it was put on its topic."""

Index("details_by_time", details.c.created)

disputes: Final = Table(
    "disputes",
    metadata,
    Column("charge", _ID, primary_key=True),
    Column("card", _ID, primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("created", Double, nullable=False),
    Column("is_fraud", Boolean, nullable=False),
    Column("event", LargeBinary, nullable=False),
)
Index("disputes_by_time", disputes.c.created)

outcomes: Final = Table(
    "outcomes",
    metadata,
    Column("charge", _ID, primary_key=True),
    Column("card", _ID, primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("created", Double, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("action", Text),
    Column("place", BigInteger, nullable=False),
    Column("event", LargeBinary, nullable=False),
)
"""`place` is the offset: outcomes of a card come in its order."""

Index("outcomes_by_time", outcomes.c.created)

claims: Final = Table(
    "claims",
    metadata,
    Column("charge", _ID, primary_key=True),
    Column("card", _ID, primary_key=True),
    Column("by", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("until", Double, nullable=False),
)
"""Who works at a charge: the claim that won."""

Index("claims_by_time", claims.c.created)

notes: Final = Table(
    "notes",
    metadata,
    Column("charge", _ID, primary_key=True),
    Column("card", _ID, primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("by", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("text", Text, nullable=False),
)
Index("notes_by_time", notes.c.created)

rejected: Final = Table(
    "rejected",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("created", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("source_partition", Integer, nullable=False),
    Column("source_offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("payload", LargeBinary),
    Column("payload_bytes", Integer, nullable=False),
)
"""Inputs that could not be used, as they are on their topic at `partition` and `place`; `created`
is when they were put there. Of a long payload only the beginning is kept."""

Index("rejected_by_reason", rejected.c.reason, rejected.c.created)
Index("rejected_by_time", rejected.c.created)

ALL_MERCHANTS: Final = ""
"""In place of a merchant, in sums: no merchant has an empty name."""

daily: Final = Table(
    "daily",
    metadata,
    Column("merchant", _ID, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("given", Text, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            "charges",
            "usd_cents",
            "expected_millionths",
            "expected_usd_cents",
            "disputed",
            "disputed_usd_cents",
            "found",
            "found_usd_cents",
            "cleared",
        )
    ),
)
"""Sums over the charges of a day by what was done with them: of each merchant, and of all
(`ALL_MERCHANTS`). They change with the charges, in the same transaction."""

Index("daily_by_day", daily.c.day)

latencies: Final = Table(
    "latencies",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("charges", BigInteger, nullable=False),
)
"""Charges of a day by how long they took from their topic to their score: a histogram, whose steps
are of equal ratio (`agents.web.read_model.latency`)."""


def _details_by(name: str) -> Index:
    is_there = text(f"{name} IS NOT NULL")
    columns = details.c[name], details.c.created
    return Index(f"details_by_{name}", *columns, sqlite_where=is_there, postgresql_where=is_there)


def _waiting_by(*columns: Column[Any]) -> Index:
    name = "_".join(("charges_waiting_by", *(column.name for column in columns)))
    return Index(name, *columns, sqlite_where=IS_WAITING, postgresql_where=IS_WAITING)


LATE_INDEXES: Final = (
    Index("charges_by_card", charges.c.card, charges.c.created),
    Index("charges_by_merchant", charges.c.merchant, charges.c.created),
    _waiting_by(charges.c.created),
    _waiting_by(charges.c.merchant, charges.c.created),
    *map(_details_by, ("device", "ip", "email")),
)
"""Those that only queries need. They are made when a read model has been built: at once, in order,
which takes a small part of the time that adding each row to them would."""
