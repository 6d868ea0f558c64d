"""Markers written in the coordinator's place, on a real broker: readers go on as it decided."""

import pytest
from confluent_kafka import Producer

from tests.chaos import markers
from tests.chaos.markers import Markers
from tests.integration.kafka import Kafka


@pytest.fixture
def producer(lone_kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Producer:
    """Return a producer in its second transaction, open in partition 1 of topic `prefix`."""
    monkeypatch.setattr(markers, "_PATIENCE_S", -1.0)
    lone_kafka.create(prefix, 2)
    producer = Producer(lone_kafka.config | {"transactional.id": prefix})
    producer.init_transactions(30.0)
    producer.begin_transaction()
    producer.produce(prefix, b"kept", partition=1)
    producer.commit_transaction(30.0)
    producer.begin_transaction()
    producer.produce(prefix, b"open", partition=1)
    assert producer.flush(30.0) == 0
    return producer


@pytest.mark.usefixtures("producer")
@pytest.mark.parametrize(
    ("is_commit", "readable"), [(True, [b"kept", b"open"]), (False, [b"kept"])]
)
def test_a_transaction_ends_as_it_was_decided(
    lone_kafka: Kafka,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    is_commit: bool,
    readable: list[bytes],
) -> None:
    watching = Markers(lone_kafka.config, [prefix])
    (one,) = watching._open()
    assert (one.topic, one.partition, one.start) == (prefix, 1, 2)  # after a message and its marker
    # The transaction before, this one and the next, which have one epoch.
    decisions = [(one.last_ms - 1, not is_commit), (one.last_ms + 1, is_commit)]
    decisions.append((one.last_ms + 2, not is_commit))
    states = {one.producer_id: one.epoch}, {one.producer_id: decisions}
    monkeypatch.setattr(watching, "_states", lambda: states)
    watching._look()
    assert watching.written == [(one, is_commit)]
    assert watching._open() == []
    assert [message.value() for message in lone_kafka.read_all(prefix)] == readable


@pytest.mark.usefixtures("producer")
def test_what_was_never_decided_is_aborted_once_its_producer_has_gone_on(
    lone_kafka: Kafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Markers(lone_kafka.config, [prefix])
    (one,) = watching._open()
    states = {one.producer_id: one.epoch + 1}, {one.producer_id: [(one.last_ms - 1, True)]}
    monkeypatch.setattr(watching, "_states", lambda: states)
    watching._look()
    assert watching.written == [(one, False)]
    assert [message.value() for message in lone_kafka.read_all(prefix)] == [b"kept"]


def test_what_the_coordinator_may_still_end_is_left_alone(
    lone_kafka: Kafka, prefix: str, producer: Producer
) -> None:
    watching = Markers(lone_kafka.config, [prefix])
    (one,) = watching._open()
    epochs, decisions = watching._states()
    assert epochs[one.producer_id] == one.epoch
    [(at_ms, is_commit)] = decisions[one.producer_id]
    assert is_commit
    assert at_ms <= one.last_ms  # in the same millisecond, if it was quick
    watching._look()
    assert watching.written == []
    assert watching._open() == [one]
    producer.commit_transaction(30.0)
    assert [message.value() for message in lone_kafka.read_all(prefix)] == [b"kept", b"open"]
