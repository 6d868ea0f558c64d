"""A layout that this version cannot read: a worker says so and ends, and nothing has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from agents.stages.tasks import STATE_FORMS
from streams.features.card_record import CARD_LAYOUT
from streams.kafka.topics import Topics
from streams.labels.pending import PENDING_LAYOUT
from streams.state.rocksdb import RocksStore
from streams.state.store import KeyRange
from streams.state.tables import META
from tests.integration.kafka import TIMEOUT_S, Kafka
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from streams.layouts.layout import Layout

CHARGES = 200
ALL = KeyRange(b"\x01", b"\xff")
WAY_OUT = "Nothing has been changed: run the version that wrote it, or a later one"


def of_a_later_form() -> bytes:
    told: dict[str, Any] = msgspec.json.decode(CARD_LAYOUT.layout.encoded())
    return msgspec.json.encode(told | {"form": 2})


def of_a_wider_type() -> bytes:
    fields = dict(PENDING_LAYOUT.layout.fields)
    fields["score"] = msgspec.structs.replace(fields["score"], type="<c16")
    layout: Layout = msgspec.structs.replace(PENDING_LAYOUT.layout, fields=fields)
    return layout.encoded()


DOCUMENTS = {
    "form": (of_a_later_form, "its layout is told in another form"),
    "type": (of_a_wider_type, "score: <c16 has values that <f8 has not"),
}


class Place(NamedTuple):
    """An installation of one partition whose worker has ended."""

    kafka: Kafka
    topics: Topics
    directory: Path
    env: dict[str, str]

    @property
    def store(self) -> RocksStore:
        [path] = (self.directory / "state").glob("*/0")
        return RocksStore(path, *STATE_FORMS)

    def seen(self) -> tuple[dict[str, int], dict[str, int], dict[bytes, bytes], int | None]:
        """Return the ends of all topics, the group's offsets, and the local state."""
        sources = (self.topics.charges, self.topics.disputes, self.topics.by_merchant)
        group = {"group.id": f"{self.topics.prefix}chargewatch"}
        consumer = Consumer(self.kafka.config | group)
        try:
            ends = {
                name: consumer.get_watermark_offsets(TopicPartition(name, 0), TIMEOUT_S)[1]
                for name in self.topics.configs()
            }
            committed = consumer.committed([TopicPartition(s, 0) for s in sources], TIMEOUT_S)
        finally:
            consumer.close()
        store = self.store
        try:
            local = dict(store.scan(ALL)), store.offset
        finally:
            store.close()
        return ends, {c.topic: c.offset for c in committed}, *local


@pytest.fixture
def place(kafka: Kafka, prefix: str, tmp_path: Path) -> Place:
    topics = Topics(prefix)
    for name, config in topics.configs().items():
        kafka.create(name, 1, config)
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "CHARGEWATCH_TOPIC_PREFIX": prefix}
    charge = {"amount": 100, "currency": "usd", "card": "card", "merchant": "acct"}
    charges = [
        (b"card", orjson.dumps(charge | {"id": f"ch_{n}", "created": 1.75e9 + n}))
        for n in range(CHARGES)
    ]
    kafka.produce(topics.charges, charges)
    with WorkerProcess(tmp_path, env) as worker:
        kafka.consume(topics.scored, CHARGES)
        assert worker.stop() == 0
    return Place(kafka, topics, tmp_path, env)


def refused(place: Place, why: str) -> None:
    """Start a worker, which has to end with one line that says why, and what to do."""
    before = (place.directory / "log").stat().st_size
    with WorkerProcess(place.directory, place.env) as worker:
        assert worker.process.wait(TIMEOUT_S) == 1
        text = worker.log.read_bytes()[before:].decode()
    told = [line for line in text.splitlines() if "this one cannot read" in line]
    assert len(told) == 1, text
    assert why in told[0]
    assert WAY_OUT in told[0]
    assert "Traceback" not in text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_in_the_installation(place: Place, name: str) -> None:
    document, why = DOCUMENTS[name]
    place.kafka.produce(place.topics.installation, [(b"layout/00c0ffee", document())])
    before = place.seen()
    refused(place, why)
    assert place.seen() == before


@pytest.mark.parametrize("name", DOCUMENTS)
def test_in_the_local_state(place: Place, name: str) -> None:
    document, why = DOCUMENTS[name]
    store = place.store
    offset = store.offset
    assert offset is not None
    store.write({META + b"layout/00c0ffee": document()}, [], offset)
    store.close()
    before = place.seen()
    refused(place, why)
    assert place.seen() == before


@pytest.mark.parametrize("name", DOCUMENTS)
def test_in_the_changelog(place: Place, name: str) -> None:
    """The local state takes over what the changelog has, and nothing else."""
    document, why = DOCUMENTS[name]
    key, value = META + b"layout/00c0ffee", document()
    place.kafka.produce(place.topics.changelog, [(key, value)])
    ends, positions, records, _ = place.seen()
    refused(place, why)
    ends_after, positions_after, records_after, _ = place.seen()
    assert (ends_after, positions_after) == (ends, positions)
    assert records_after == records | {key: value}
