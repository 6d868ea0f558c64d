"""The order in which a publisher's events reach the brokers, on a client that delivers late."""

from __future__ import annotations

import random
from typing import Any

import pytest
from confluent_kafka import KafkaError

from streams.kafka import publisher
from streams.kafka.access import NotAllowedError
from streams.kafka.publisher import Publisher, PublishError

SEEDS = range(50)


class LateProducer:
    """Delivers what is under way in any order across topics, and only when it is waited for.

    Parameters
    ----------
    rng
        Draws the order.
    failing
        Values that are not delivered.
    """

    def __init__(self, rng: random.Random, failing: set[bytes]) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self._rng = rng
        self._failing = failing
        self._under_way: list[tuple[str, dict[str, Any]]] = []

    def produce_batch(self, topic: str, messages: list[dict[str, Any]], *, partition: int) -> None:
        assert partition < 0, "the partition is that of the key"
        self._under_way += [(topic, message) for message in messages]

    def poll(self, _: float) -> None:
        pass

    def flush(self, _: float) -> int:
        self._rng.shuffle(self._under_way)
        for _ in range(self._rng.randint(0, len(self._under_way))):
            topic, message = self._under_way.pop()
            if message["value"] in self._failing:
                message["callback"](KafkaError(KafkaError._MSG_TIMED_OUT), None)
            else:
                self.arrived.append((topic, message["value"]))
                message["callback"](None, None)
        return len(self._under_way)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_dispute_is_there_before_its_charge(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = random.Random(seed)
    failing = {b"7"} if rng.random() < 0.5 else set()
    late = LateProducer(rng, failing)
    monkeypatch.setattr(publisher, "new_producer", lambda _: late)
    own = Publisher({})
    charges = 0
    for _ in range(20):
        batch = [b"%d" % number for number in range(charges, charges + 1 + rng.randint(0, 9))]
        charges += len(batch)
        disputed = [b"dispute of %d" % rng.randrange(charges) for _ in range(2)]
        own.publish_in_turn({"c": [(None, v) for v in batch], "d": [(None, v) for v in disputed]})
    if failing:
        with pytest.raises(PublishError, match=r"^1 events were not delivered: "):
            own.flush()
    else:
        own.flush()
    assert own.delivered == len(late.arrived) == charges + 2 * 20 - own.failed, f"seed {seed}"
    there: set[bytes] = set(failing)
    for topic, value in late.arrived:
        if topic == "c":
            there.add(value)
        else:
            assert value.removeprefix(b"dispute of ") in there, f"seed {seed}"


def test_what_was_not_allowed_is_told_whatever_else_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing(LateProducer):
        """Refuses the first event and loses the others."""

        def flush(self, timeout_s: float) -> int:  # noqa: ARG002 - of a real one
            codes = [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._MSG_TIMED_OUT]
            for code, (_, message) in zip(codes, self._under_way, strict=True):
                message["callback"](KafkaError(code), None)
            return 0

    monkeypatch.setattr(publisher, "new_producer", lambda _: Refusing(random.Random(1), set()))
    own = Publisher({"bootstrap.servers": "kafka:9093", "sasl.username": "shop"})
    own.publish("charges", [(None, b"1"), (None, b"2")])
    with pytest.raises(NotAllowedError, match="User:shop the operation Write on topic charges"):
        own.flush()
