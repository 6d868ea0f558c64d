"""A batch put into the tables, with the positions behind it: all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, select, update

from agents.web.read_model.database import COMPLETE, meta_value
from agents.web.read_model.keeping.batch import Key
from agents.web.read_model.keeping.claims import Claim, claim_after
from agents.web.read_model.keeping.day_sums import DaySumChanges
from agents.web.read_model.keeping.latencies import of_late_details, of_scored, rows_of
from agents.web.read_model.keeping.statements import (
    among,
    insert_new,
    insert_or_add,
    insert_or_replace,
    insert_rows,
)
from agents.web.read_model.standing import DisputeSeen, OutcomeSeen, Standing, standing_of
from agents.web.read_model.tables import (
    charges,
    claims,
    daily,
    details,
    disputes,
    latencies,
    notes,
    outcomes,
    positions,
    rejected,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from agents.web.read_model.keeping.batch import Batch, Place, Row

_CHARGE: Final = charges.c
_KNOWN: Final = (
    _CHARGE.charge, _CHARGE.card, _CHARGE.merchant, _CHARGE.created, _CHARGE.usd_cents,
    _CHARGE.score, _CHARGE.action, _CHARGE.given, _CHARGE.verdict, _CHARGE.is_disputed,
)  # fmt: skip
_SET_STANDING: Final = (
    update(charges)
    .where(_CHARGE.charge == bindparam("of_charge"), _CHARGE.card == bindparam("of_card"))
    .values({name: bindparam(name) for name in Standing._fields})
)


def write(connection: Connection, batch: Batch) -> None:
    """Put a batch into the tables; the caller commits."""
    is_complete = meta_value(connection, COMPLETE) is not None
    late = of_late_details(connection, batch.details) if is_complete else []
    insert_new(connection, details, batch.details)
    insert_new(connection, disputes, batch.disputes)
    insert_new(connection, outcomes, batch.outcomes)
    insert_new(connection, rejected, batch.rejected)
    new = _write_charges(connection, batch)
    if is_complete:
        insert_or_add(connection, latencies, rows_of([*late, *of_scored(connection, new)]))
    if batch.reviews:
        _write_reviews(connection, batch)
    write_positions(connection, batch.positions)


def write_positions(connection: Connection, reached: Mapping[Place, int]) -> None:
    """Note the offsets that come next."""
    rows = [
        {"topic": topic, "partition": partition, "next_offset": offset}
        for (topic, partition), offset in reached.items()
    ]
    insert_or_replace(connection, positions, rows)


def _write_charges(connection: Connection, batch: Batch) -> Sequence[Row]:
    """Insert charges, judge again those that something is said of, and keep the sums of days.

    Returns the charges that are new.
    """
    judged = dict.fromkeys(map(_key_of, (*batch.disputes, *batch.outcomes)))
    came: dict[Key, Row] = {}
    for row in batch.charges:
        came.setdefault(_key_of(row), row)
    ids = {key.charge for key in (*judged, *came)}
    if not ids:
        return ()
    there = {_key_of(row): row for row in _of_charges(connection, _KNOWN, ids)}
    said = _Said(connection, ids)
    sums = DaySumChanges()
    new = [row for key, row in came.items() if key not in there]
    for row in new:
        standing = said.standing_of(_key_of(row), row["action"])
        row.update(standing._asdict())
        sums.add(row, standing)
    changed = []
    for key in judged:
        if (known := there.get(key)) is None:
            continue
        before = Standing(known["given"], known["verdict"], known["is_disputed"])
        after = said.standing_of(key, known["action"])
        if after != before:
            sums.add(known, before, -1)
            sums.add(known, after)
            changed.append({"of_charge": key.charge, "of_card": key.card, **after._asdict()})
    insert_rows(connection, charges, new)
    if changed:
        connection.execute(_SET_STANDING, changed)
    insert_or_add(connection, daily, sums.rows())
    return new


class _Said:
    """The outcomes and disputes of some charges."""

    def __init__(self, connection: Connection, ids: set[str]) -> None:
        column, dispute = outcomes.c, disputes.c
        said = column.outcome, column.action, column.created, column.place
        self._outcomes: dict[Key, list[OutcomeSeen]] = {}
        for row in _of_charges(connection, (column.charge, column.card, *said), ids):
            seen = OutcomeSeen(row["outcome"], row["action"], row["created"], row["place"])
            self._outcomes.setdefault(_key_of(row), []).append(seen)
        self._disputes: dict[Key, list[DisputeSeen]] = {}
        told = dispute.charge, dispute.card, dispute.is_fraud, dispute.created
        for row in _of_charges(connection, told, ids):
            seen_dispute = DisputeSeen(row["is_fraud"], row["created"])
            self._disputes.setdefault(_key_of(row), []).append(seen_dispute)

    def standing_of(self, key: Key, action: str) -> Standing:
        """Return how a charge of a scored action stands."""
        return standing_of(action, self._outcomes.get(key, ()), self._disputes.get(key, ()))


def _write_reviews(connection: Connection, batch: Batch) -> None:
    """Let the entries of charges count, in their order."""
    keys = [Key(each.charge, each.card) for each in batch.reviews]
    claim = claims.c
    columns = claim.charge, claim.card, claim.by, claim.created, claim.until
    held: dict[Key, Claim | None] = {
        _key_of(row): Claim(row["by"], row["created"], row["until"])
        for row in _of_charges(connection, columns, {key.charge for key in keys})
    }
    for key, review in zip(keys, batch.reviews, strict=True):
        held[key] = claim_after(held.get(key), review)
    won = [key._asdict() | each._asdict() for key, each in held.items() if each is not None]
    insert_or_replace(connection, claims, won)
    for key in [key for key, each in held.items() if each is None]:
        here = claim.charge == key.charge, claim.card == key.card
        connection.execute(delete(claims).where(*here))
    written = [
        {column.name: getattr(review, column.name) for column in notes.c}
        for review in batch.reviews
        if review.kind == "note"
    ]
    insert_new(connection, notes, written)


def _of_charges(connection: Connection, columns: Sequence[Any], ids: Iterable[str]) -> Any:
    """Return the rows of a table of charges of these ids, of whichever cards."""
    table: Table = columns[0].table
    query = select(*columns).where(among(connection, table.c.charge, ids))
    return connection.execute(query).mappings()


def _key_of(row: Mapping[str, Any]) -> Key:
    return Key(row["charge"], row["card"])
