"""Scored events in Avro and JSON Schema: as their JSON, to others' deserializers and to our own."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro import parse_schema

from agents.settings.schema import Settings
from agents.terminal.scored_values import ScoredError, ScoredValues
from agents.worker.scored_format import scored_encoding
from schemas.generate import FOLDER, documents
from schemas.scored import Scored
from streams.kafka.retry import RetryPolicy
from streams.kafka.schema_registry import RegistryError
from tests.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC = "eu.scored"
SMALL: dict[str, Any] = {
    "charge": "c1", "card": "k", "merchant": "m", "amount": 1999, "currency": "usd",
    "created": 1.79e9, "score": 0.25, "risk": 7, "action": "allow", "reasons": [],
    "model": "m:1", "scored_at": 1790000000.5, "decided_by": "model",
}  # fmt: skip
FULL = SMALL | {
    "order": [7, {"a": None}], "note": "äöü", "carried": "of the producer",
    "reasons": [{"feature": "card_count_1h", "value": 3, "text": "3 charges in an hour"}],
    "rules": [{"id": "big", "action": "block"}, {"id": "odd", "action": "review", "shadow": True}],
    "rule_set": "m:2,*:7", "holdout": {"action": "block", "propensity": 0.02}, "duplicate": True,
    "ignored": ["mcc"], "masked": ["note"], "shadow": {"forest": 0.5},
}  # fmt: skip
FORMATS = ("avro", "json_schema")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def settings_of(registry: Registry, form: str) -> Settings:
    settings = Settings(schema_registry_url=registry.url)
    return msgspec.structs.replace(settings, scored_format=form)


def written(registry: Registry, form: str, event: dict[str, Any]) -> bytes:
    encode = scored_encoding(settings_of(registry, form), TOPIC, RetryPolicy())
    assert encode is not None
    return encode(json.dumps(event).encode())


@pytest.mark.parametrize("event", [SMALL, FULL])
@pytest.mark.parametrize("form", FORMATS)
def test_we_read_what_we_write(registry: Registry, form: str, event: dict[str, Any]) -> None:
    value = written(registry, form, event)
    read = ScoredValues(settings_of(registry, form)).as_json([value, json.dumps(event).encode()])
    assert [without_defaults(json.loads(each)) for each in read] == [without_defaults(event)] * 2


def without_defaults(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without what a rule need not say, that it does not only watch."""
    rules = [rule | {"shadow": bool(rule.get("shadow"))} for rule in event.get("rules", [])]
    return event | ({"rules": rules} if rules else {})


@pytest.mark.parametrize("event", [SMALL, FULL])
def test_others_read_avro(registry: Registry, event: dict[str, Any]) -> None:
    value = written(registry, "avro", event)
    read: Any = AvroDeserializer(SchemaRegistryClient({"url": registry.url}))(
        value, SerializationContext(TOPIC, MessageField.VALUE)
    )
    carried = {name: json.loads(text) for name, text in (read.pop("carried") or {}).items()}
    assert carried == {n: content for n, content in event.items() if n not in OWN}
    given = {name: content for name, content in read.items() if content is not None}
    assert without_defaults(given) == without_defaults(
        {name: content for name, content in event.items() if name in OWN}
    )


OWN = frozenset(Scored.__struct_fields__)


@pytest.mark.parametrize("event", [SMALL, FULL])
def test_others_read_json_schema(registry: Registry, event: dict[str, Any]) -> None:
    value = written(registry, "json_schema", event)
    schema = (FOLDER / "json" / "scored.schema.json").read_text()
    read = JSONDeserializer(schema)(value, SerializationContext(TOPIC, MessageField.VALUE))
    assert read == event


@pytest.mark.parametrize("form", FORMATS)
def test_the_schema_is_registered_once_under_the_usual_subject(
    registry: Registry, form: str
) -> None:
    values = {written(registry, form, SMALL) for _ in range(2)}
    assert len(values) == 1
    assert any(path.startswith(f"POST /subjects/{TOPIC}-value/versions") for path in registry.asked)


@pytest.mark.parametrize(
    ("form", "text", "kind"),
    [
        ("avro", {"type": "record", "name": "Scored", "fields": [
            {"name": "charge", "type": "long"}]}, "AVRO"),
        ("avro", {"type": "object"}, "JSON"),
        ("json_schema", {"type": "record", "name": "Scored", "fields": []}, "AVRO"),
    ],
)  # fmt: skip
def test_an_incompatible_schema_ends_the_worker_with_what_to_do(
    registry: Registry, form: str, text: dict[str, Any], kind: str
) -> None:
    registry.register(f"{TOPIC}-value", json.dumps(text), kind)
    with pytest.raises(RegistryError) as caught:
        written(registry, form, SMALL)
    assert f"not compatible with the newest of the subject {TOPIC}-value" in str(caught.value)
    assert "set the compatibility of that subject to NONE" in str(caught.value)
    assert not any(path.startswith("POST /subjects/") for path in registry.asked)


def test_a_registry_that_is_down_is_waited_for(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(registry, "avro")
    registry.stop()
    now = [0.0]
    has_waited = threading.Event()

    def rest(_: float) -> None:
        now[0] += 10.0
        if len(caplog.records) >= 2:
            has_waited.set()
            registry.start()

    with caplog.at_level(logging.WARNING):
        encode = scored_encoding(settings, TOPIC, RetryPolicy(lambda: now[0], rest))
    assert encode is not None
    assert has_waited.is_set()
    assert "waiting for the schema registry: the schema of eu.scored-value" in caplog.text


def test_what_cannot_be_read_says_what_to_do(registry: Registry) -> None:
    value = written(registry, "avro", SMALL)
    with pytest.raises(ScoredError, match="set schema_registry_url"):
        ScoredValues(Settings()).as_json([value])
    settings = settings_of(registry, "avro")
    registry.stop()
    with pytest.raises(ScoredError, match=f"registry at {registry.url} cannot be asked"):
        ScoredValues(settings).as_json([value])


def test_a_format_needs_a_registry() -> None:
    with pytest.raises(ValueError, match="scored_format: expected schema_registry_url"):
        Settings(scored_format="avro")


def test_the_avro_schema_is_one() -> None:
    path = FOLDER / "avro" / "scored.avsc"
    parsed: Any = parse_schema(json.loads(documents()[path]))
    assert {field["name"] for field in parsed["fields"]} == OWN | {"carried"}
    assert path.read_text() == documents()[path]
