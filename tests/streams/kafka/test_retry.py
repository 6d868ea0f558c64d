"""What is said while brokers are away: not all that a client says of them."""

import logging

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.kafka.retry import Outage, RetryPolicy

REFUSED = KafkaError(KafkaError._TRANSPORT, "connection refused")
ALL_DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")


def test_an_outage_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    outage = Outage(lambda: now)
    with caplog.at_level(logging.WARNING):
        for tick in range(1200):
            now = 100.0 + tick / 100.0
            outage.hear(REFUSED)
            assert not outage.is_complete
    assert [record.getMessage() for record in caplog.records] == ["Kafka: connection refused"] * 3


def test_that_no_broker_is_left_is_told_beside_it(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(lambda: 0.0)
    with caplog.at_level(logging.WARNING):
        for error in (REFUSED, ALL_DOWN, REFUSED, ALL_DOWN):
            outage.hear(error)
    assert outage.is_complete
    said = [record.getMessage() for record in caplog.records]
    assert said == ["Kafka: connection refused", "Kafka: 1/1 brokers are down"]


@pytest.mark.parametrize("code", [KafkaError._AUTHENTICATION, KafkaError._SSL])
def test_who_is_refused_while_it_runs_asks_again(code: int) -> None:
    refusals = [KafkaException(KafkaError(code))] * 3

    def answer() -> str:
        if refusals:
            raise refusals.pop()
        return "answer"

    assert RetryPolicy(rest=lambda _: None).ask(answer) == "answer"
    assert not refusals
