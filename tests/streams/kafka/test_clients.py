"""Where topics end, while their leaders move."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.kafka.clients import Clients
from streams.kafka.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kafka.config import Admin

END = 7


class MovedLeader:
    """An admin client that knows an earlier leader until it is told to find the one that is."""

    def __init__(self, code: int) -> None:
        self.code: int | None = code

    def find_leaders(self) -> None:
        self.code = None

    def list_offsets(
        self, asked: Iterable[TopicPartition], **_: object
    ) -> dict[TopicPartition, Future[Any]]:
        answers = {}
        for partition in asked:
            answers[partition] = answer = Future[Any]()
            if self.code is None:
                answer.set_result(SimpleNamespace(offset=END))
            else:
                answer.set_exception(KafkaException(KafkaError(self.code)))
        return answers


@pytest.mark.parametrize(
    "code", [KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError._NOENT]
)
def test_ends_are_asked_of_the_new_leaders(code: int) -> None:
    clients = Clients({})
    clients.__dict__["_admin"] = cast("Admin", MovedLeader(code))
    retry = RetryPolicy(rest=lambda _: None)
    assert retry.ask(lambda: clients.ends(["scored"], 2)) == {"scored": [END, END]}
