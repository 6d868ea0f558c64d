"""Scored events in each format that workers write, as the API reads them."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from agents.settings.schema import Settings
from agents.web.api.scored_events import REQUEST_HEADER, ScoredEvents
from agents.worker.scored_format import scored_encoding
from streams.kafka.retry import RetryPolicy
from tests.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

EVENT: dict[str, Any] = {
    "charge": "c1", "card": "k", "merchant": "m", "amount": 1999, "currency": "usd",
    "created": 1.79e9, "score": 0.25, "risk": 7, "action": "block", "reasons": [],
    "model": "m:1", "scored_at": 1790000000.5, "decided_by": "model", "order": [7],
}  # fmt: skip


class Sent:
    """A message as far as it is read."""

    def __init__(self, value: bytes, request: bytes | None = None) -> None:
        self._value = value
        self._request = request

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]] | None:
        return [(REQUEST_HEADER, self._request)] if self._request else None


def sent(value: bytes, request: bytes | None = None) -> Message:
    return cast("Message", Sent(value, request))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def settings_of(registry: Registry, form: str) -> Settings:
    settings = Settings(schema_registry_url=registry.url)
    return msgspec.structs.replace(settings, scored_format=form)


def written(settings: Settings) -> bytes:
    value = json.dumps(EVENT).encode()
    encode = scored_encoding(settings, "scored", RetryPolicy())
    return encode(value) if encode else value


@pytest.mark.parametrize("form", ["json", "avro", "json_schema"])
def test_every_format_is_the_same_event(registry: Registry, form: str) -> None:
    settings = settings_of(registry, form)
    found = ScoredEvents(settings).read(sent(written(settings), b"r1"))
    assert found is not None
    key, event, created, request = found
    assert key == ("k", "c1")
    assert json.loads(event) == EVENT
    assert created == EVENT["created"]
    assert request == "r1"


def test_what_others_sent_has_no_request() -> None:
    found = ScoredEvents(Settings()).read(sent(json.dumps(EVENT).encode()))
    assert found is not None
    assert found[3] is None


def test_what_is_not_ours_is_passed_over() -> None:
    assert ScoredEvents(Settings()).read(sent(b'{"order":7}')) is None


def test_events_that_cannot_be_read_are_told_of_once(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    value = written(settings_of(registry, "avro"))
    events = ScoredEvents(Settings())
    with caplog.at_level(logging.WARNING):
        assert events.read(sent(value)) is None
        assert events.read(sent(value)) is None
    (told,) = caplog.messages
    assert "set schema_registry_url to read it" in told
    caplog.clear()
    assert events.read(sent(json.dumps(EVENT).encode())) is not None
    assert events.read(sent(value)) is None
    assert len(caplog.messages) == 1
