"""Messages in other forms, waits for schemas, and where the read model may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from sqlalchemy.engine import make_url

from agents.settings.schema import Settings
from agents.settings.sources import SettingsError
from agents.terminal.scored_values import ScoredError
from agents.web.read_model.database import database_url
from agents.web.read_model.keeping.incoming import Incoming
from streams.kafka.retry import RetryPolicy, StoppedError
from streams.kafka.topics import Topics
from tests.agents.web.read_model.made import make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rejected import Input


class SlowPayloads:
    """Payloads written backwards, each tenth of a schema that comes only when it is asked again."""

    def __init__(self) -> None:
        self.is_there = False
        self.waits = 0

    def settle(self) -> bool:
        self.waits += 1
        self.is_there = self.waits % 3 == 0
        return self.is_there

    def read(self, source: str, inputs: Sequence[Input]) -> list[Input | None]:
        assert source in {"charges", "disputes", "outcomes"}
        found: list[Input | None] = []
        for received in inputs:
            offset = received.origin.offset
            if offset % 10 == 9 and not self.is_there:
                return found
            self.is_there = False
            forwards = msgspec.structs.replace(received, value=(received.value or b"")[::-1])
            found.append(None if offset % 10 == 5 else forwards)
        return found


def test_payloads_of_any_form_in_their_order_however_late_their_schemas_are() -> None:
    messages: list[Any] = [*make(Random(5), 200).interleaved(Random(6))]
    plain = Incoming(Settings(), Topics(), None, RetryPolicy())
    inputs = ("charges", "disputes", "outcomes")
    left_out = [m for m in messages if m.made_topic in inputs and m.made_offset % 10 == 5]
    expected = plain.read(m for m in messages if m not in left_out)
    backwards: list[Any] = [
        replace(m, made_value=(m.made_value or b"")[::-1]) if m.made_topic in inputs else m
        for m in messages
    ]
    payloads = SlowPayloads()
    retry = RetryPolicy(rest=lambda _: None)
    found = Incoming(Settings(), Topics(), cast("Any", payloads), retry).read(backwards)
    assert payloads.waits > 5
    assert left_out
    for name in ("charges", "details", "disputes", "outcomes", "reviews"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.positions == plain.read(messages).positions


def test_scored_events_that_cannot_be_read_are_waited_for_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages = [m for m in make(Random(5), 20).interleaved(Random(6)) if m.topic() == "scored"]
    tries = 0
    retry = RetryPolicy(rest=lambda _: None)
    incoming = Incoming(Settings(), Topics(), None, retry)

    def refuse(_: object) -> list[bytes]:
        nonlocal tries
        tries += 1
        if tries == 4:
            retry.stopping.set()
        raise ScoredError("the registry is away")

    monkeypatch.setattr(incoming._scored_values, "as_json", refuse)
    with pytest.raises(StoppedError, match="the registry is away"):
        incoming.read(cast("list[Any]", messages))
    assert tries == 4


@pytest.mark.parametrize(
    "url",
    ["read_model.sqlite", "mysql://localhost/x", "postgresql://", "sqlite://", "://", "oracle:x"],
)
def test_an_address_of_no_database_that_is_taken(url: str) -> None:
    with pytest.raises(SettingsError, match="read_model_url: expected sqlite:///FILE or"):
        database_url(Settings(read_model_url=url))


def test_addresses() -> None:
    at = database_url(Settings(state_dir=Path("/var/lib/cw")))
    assert at == make_url("sqlite:////var/lib/cw/read_model.sqlite")
    secret = "postgresql://ann:pa55@db.example/fraud"
    at = database_url(Settings(read_model_url=secret))
    assert at.render_as_string(hide_password=False) == secret.replace(":", "+psycopg:", 1)
    assert "pa55" not in f"{Settings(read_model_url=secret)!r} {at}"
