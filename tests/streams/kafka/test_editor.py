"""What an edit says of a commit that fails; edits that race are tried on a real Kafka."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.kafka.clients import Clients
from streams.kafka.editor import EditError, Editor, Written

RECORD = Written("rules", b"*", b"{}")
AWAY = KafkaError(KafkaError._TIMED_OUT, "no answer", False, True)
FENCED = KafkaError(KafkaError._FENCED, "another began", True)
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large")


class Brokers(Clients):
    """Makes a producer whose commits fail as they are told to, and then succeed."""

    def __init__(self, *fails: KafkaError, at: str = "commit") -> None:
        super().__init__({})
        self.fails = list(fails)
        self.at = at
        self.commits = 0

    def producer(self, settings: Any) -> Any:  # noqa: ARG002 - of a real one
        return self

    def init_transactions(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self._fail("begin")

    def begin_transaction(self) -> None:
        pass

    def produce(self, topic: str, **_: Any) -> None:
        assert topic == RECORD.topic
        self._fail("produce")

    def poll(self, timeout_s: float) -> None:
        pass

    def commit_transaction(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.commits += 1
        self._fail("commit")

    def _fail(self, at: str) -> None:
        if at == self.at and self.fails:
            raise KafkaException(self.fails.pop(0))


def edit(brokers: Brokers) -> None:
    Editor(cast("Clients", brokers), "edits").write([RECORD])


def test_a_commit_without_an_answer_is_asked_for_again() -> None:
    brokers = Brokers(AWAY, AWAY)
    edit(brokers)
    assert brokers.commits == 3


def test_nobody_says_that_nothing_was_written_when_it_may_have_been() -> None:
    with pytest.raises(EditError, match="do not say whether the change was made"):
        edit(Brokers(*[AWAY] * 10))


@pytest.mark.parametrize("at", ["begin", "commit"])
def test_an_edit_that_another_has_overtaken_says_so(at: str) -> None:
    with pytest.raises(EditError, match="somebody else has made a change"):
        edit(Brokers(FENCED, at=at))


def test_what_is_refused_was_not_written() -> None:
    with pytest.raises(EditError, match="nothing was written: too large"):
        edit(Brokers(TOO_LARGE, at="produce"))
