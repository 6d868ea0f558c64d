"""What is written: hostile texts, retention, other versions, who may write."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from sqlalchemy import func, select, update

from agents.settings.schema import Settings
from agents.web.read_model import tables
from agents.web.read_model.building import prepare
from agents.web.read_model.database import VERSION, ReadModel, ReadModelError, open_engine
from agents.web.read_model.keeping.incoming import Incoming
from agents.web.read_model.keeping.leading import leading
from agents.web.read_model.keeping.retention import ROWS_A_STEP, delete_some
from agents.web.read_model.keeping.writer import write
from agents.web.read_model.queries.charge_view import charge_view
from agents.web.read_model.queries.overview import overview
from agents.web.read_model.queries.search import search
from streams.kafka.retry import RetryPolicy
from streams.kafka.topics import Topics
from tests.agents.web.read_model.building import build
from tests.agents.web.read_model.databases import sqlite_url
from tests.agents.web.read_model.made import BEGAN, DAYS, MadeMessage, make
from tests.agents.web.read_model.reference import charges_in

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

    from agents.web.read_model.keeping.batch import Batch

DAY_S = 86_400.0
SCORED: dict[str, Any] = {
    "charge": "ch_1", "card": "card_1", "merchant": "m", "amount": 1999, "currency": "usd",
    "created": BEGAN, "score": 0.5, "risk": 50, "action": "review", "reasons": [], "model": "p",
    "scored_at": BEGAN,
}  # fmt: skip


def read(*messages: MadeMessage) -> Batch:
    incoming = Incoming(Settings(), Topics(), None, RetryPolicy())
    return incoming.read(cast("list[Any]", messages))


def of(topic: str, event: dict[str, Any] | bytes, offset: int = 0) -> MadeMessage:
    value = event if isinstance(event, bytes) else orjson.dumps(event)
    card = "" if isinstance(event, bytes) else str(event.get("card", ""))
    return MadeMessage(topic, 0, offset, card.encode(), value)


def empty(url: URL) -> Engine:
    engine = open_engine(url, is_writer=True)
    with engine.begin() as connection:
        prepare(connection)
        for table in reversed(tables.metadata.sorted_tables):
            if table is not tables.meta:
                connection.execute(table.delete())
    return engine


@pytest.mark.parametrize("retention_days", [2.0, 5.5])
def test_what_is_old_is_gone_and_the_sums_are_those_of_the_rest(
    url: URL, retention_days: float
) -> None:
    random = Random(7)
    made = make(random)
    read_model = build(url, made, random, Settings(read_model_retention_days=retention_days))
    charges = charges_in(made)
    newest = max(charge.scored["created"] for charge in charges.values())
    cutoff = (newest - retention_days * DAY_S) // DAY_S * DAY_S
    kept = {key for key, charge in charges.items() if charge.scored["created"] >= cutoff}
    assert 0 < len(kept) < len(charges)
    with read_model.reading() as connection:
        columns = tables.charges.c
        assert set(map(tuple, connection.execute(select(columns.charge, columns.card)))) == kept
        seen = overview(connection, 0.0, BEGAN + 2 * DAYS * DAY_S)
        assert sum(day.charges for day in seen.days) == len(kept)
        for table in (tables.details, tables.disputes, tables.outcomes, tables.rejected):
            oldest = connection.scalar(select(func.min(table.c.created)))
            assert oldest is None or oldest >= cutoff
    read_model.close()


def test_deleting_is_done_in_steps(url: URL) -> None:
    engine = empty(url)
    count = ROWS_A_STEP + 10
    old = [
        {"charge": f"c{n}", "card": "k", "id": "n", "by": "ann", "created": 1.0, "text": ""}
        for n in range(count)
    ]
    with engine.begin() as connection:
        write(connection, read(of("scored", SCORED)))
        connection.execute(tables.notes.insert(), old)
    for left in (10, 0):
        with engine.begin() as connection:
            assert delete_some(connection, 30.0) == (left > 0)
            assert connection.scalar(select(func.count()).select_from(tables.notes)) == left
    engine.dispose()


def test_hostile_texts_in_every_field(url: URL) -> None:
    engine = empty(url)
    hostile = "<script>alert(1)</script>'\";--%_\0\x1b\U0001f600"
    event = SCORED | {"charge": hostile[:100], "card": hostile, "merchant": hostile}
    entry = {
        "id": hostile, "charge": event["charge"], "card": hostile, "created": 1.0, "by": hostile,
        "kind": "note", "text": hostile,
    }  # fmt: skip
    outcome = {
        "id": hostile, "charge": event["charge"], "card": hostile, "merchant": hostile,
        "created": BEGAN, "outcome": "review_fraud", "by": hostile,
    }  # fmt: skip
    rejected = MadeMessage(
        "charges.rejected", 0, 0, b"\xff", b"\0\xff", [("error", hostile.encode() + b"\xff")]
    )
    claim = entry | {"kind": "claim", "until": 2.0}
    with engine.begin() as connection:
        write(
            connection,
            read(
                of("scored", event), of("chargewatch.reviews", entry),
                of("chargewatch.reviews", claim, 1), of("outcomes", outcome), rejected,
            ),
        )  # fmt: skip
    seen = hostile.replace("\0", "\ufffd")
    with engine.begin() as connection:
        view = charge_view(connection, event["charge"], hostile)
        assert view is not None
        assert (view.line.card, view.line.merchant, view.line.claimed_by) == (seen, seen, seen)
        assert view.scored == event
        assert view.outcomes[0]["by"] == hostile
        assert [(note.by, note.text) for note in view.notes] == [(seen, seen)]
        assert search(connection, hostile[:40]).cards == (seen,)
    engine.dispose()


def test_what_is_no_event_is_left_out_and_the_rest_counts(url: URL) -> None:
    engine = empty(url)
    outcome = {
        "id": "o1", "charge": "ch_1", "card": "card_1", "merchant": "m", "created": BEGAN,
        "outcome": "review_genuine",
    }  # fmt: skip
    topics = ("scored", "charges", "disputes", "outcomes", "chargewatch.reviews")
    values = (b"", b"nonsense", b"[]", b"{}", b"\xff\xfe", b'{"charge":7}')
    nonsense = [of(topic, value, n) for topic in topics for n, value in enumerate(values)]
    future = outcome | {"id": "o2", "created": 1e11, "outcome": "review_fraud"}
    tombstone = MadeMessage("scored", 0, 8, b"card_1", None)
    messages = [
        *nonsense, of("scored", SCORED, 7), tombstone, of("outcomes", outcome, 7),
        of("outcomes", future, 8),
    ]  # fmt: skip
    with engine.begin() as connection:
        write(connection, read(*messages))
        view = charge_view(connection, "ch_1")
        assert view is not None
        assert view.line.verdict == "genuine"
        columns = tables.positions.c
        places = connection.execute(select(columns.topic, columns.next_offset))
        assert dict(map(tuple, places)) == {
            "scored": 9, "charges": 6, "disputes": 6, "outcomes": 9, "chargewatch.reviews": 6,
        }  # fmt: skip
    engine.dispose()


def test_card_numbers_are_masked(url: URL) -> None:
    engine = empty(url)
    number = "4242424242424242"
    charge = {
        "id": "ch_1", "created": BEGAN, "amount": 5, "currency": "usd", "card": "card_1",
        "merchant": "m", "device": number,
    }  # fmt: skip
    dispute = {
        "id": "d", "charge": "ch_1", "card": "card_1", "merchant": "m", "created": BEGAN,
        "reason": "fraudulent", "said": f"card {number}",
    }  # fmt: skip
    with engine.begin() as connection:
        write(
            connection,
            read(of("scored", SCORED), of("charges", charge), of("disputes", dispute)),
        )
        for table in tables.metadata.sorted_tables:
            for row in connection.execute(select(table)):
                assert number not in str(row)
        view = charge_view(connection, "ch_1")
        assert view is not None
        assert view.disputes[0]["said"] == "card ****************"
    engine.dispose()


def test_another_version_is_thrown_away_and_says_so(
    url: URL, caplog: pytest.LogCaptureFixture
) -> None:
    engine = empty(url)
    read_model = ReadModel(url)
    with engine.begin() as connection:
        write(connection, read(of("scored", SCORED)))
        where = tables.meta.c.name == VERSION
        connection.execute(update(tables.meta).where(where).values(value="0"))
    with pytest.raises(ReadModelError, match="another version"), read_model.reading():
        pass
    with caplog.at_level(logging.WARNING), engine.begin() as connection:
        assert prepare(connection)
    assert "is of version 0, and this is" in caplog.text
    with read_model.reading() as connection:
        assert charge_view(connection, "ch_1") is None
    with engine.begin() as connection:
        assert not prepare(connection)
    engine.dispose()
    read_model.close()


def test_one_writes_at_a_time(url: URL) -> None:
    first, second = (open_engine(url, is_writer=True) for _ in range(2))
    file = url.database or ""
    with (
        first.connect() as one,
        leading(one, file) as is_ours,
        second.connect() as two,
        leading(two, file) as is_ours_too,
    ):
        assert (is_ours, is_ours_too) == (True, False)
    with second.connect() as two, leading(two, file) as is_ours_now:
        assert is_ours_now
    first.dispose()
    second.dispose()


def test_none_is_there(tmp_path: Path) -> None:
    read_model = ReadModel(sqlite_url(tmp_path))
    with pytest.raises(ReadModelError, match="there is no read model"), read_model.reading():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_reader_writes_nothing(url: URL) -> None:
    empty(url).dispose()
    read_model = ReadModel(url)
    with pytest.raises(ReadModelError), read_model.reading() as connection:
        connection.execute(tables.charges.delete())
    read_model.close()
