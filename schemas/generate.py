"""Write the JSON Schema and Avro files and the AsyncAPI document from the event types.

Run `python -m schemas.generate` after a change to a type; a test fails when it was forgotten.
"""

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.avro import avro_schema
from schemas.charge import Charge
from schemas.control import Champion, Loaded
from schemas.dispute import Dispute
from schemas.drift import Drift
from schemas.lists import ListEntry
from schemas.merchants import MerchantSettings
from schemas.outcome import Outcome
from schemas.rejected import RejectedHeaders
from schemas.rules import MerchantRules
from schemas.scored import Scored
from schemas.snapshot import Snapshot
from schemas.topics import TOPICS, Topic

FOLDER: Final = Path(__file__).parent
ASYNCAPI_VERSION: Final = "3.0.0"
EVENTS_VERSION: Final = "1.0.0"  # of the events on the wire, not of the program
JSON_SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Document = dict[str, Any]


_PUBLIC: Final = [topic for topic in TOPICS if topic.action != "internal"]
_SCHEMA_FILES: Final[dict[str, type[msgspec.Struct]]] = {
    "charge": Charge,
    "dispute": Dispute,
    "outcome": Outcome,
    "scored": Scored,
    "rejected-headers": RejectedHeaders,
    "snapshot": Snapshot,
    "champion": Champion,
    "loaded": Loaded,
    "rules": MerchantRules,
    "lists": ListEntry,
    "merchants": MerchantSettings,
    "drift": Drift,
}
_ALSO: Final[dict[type[msgspec.Struct], Document]] = {
    Dispute: {
        "anyOf": [
            {"required": [field], "properties": {field: {"type": ["string", "number"]}}}
            for field in ("reason", "fraud_type")
        ]
    },
    Outcome: {
        "if": {"properties": {"outcome": {"const": "answered"}}},
        "then": {"required": ["action"], "properties": {"action": {"type": "string"}}},
    },
}
"""What a type requires beyond its fields."""
_ANY_BYTES: Final = {"description": "the input's bytes, JSON or not"}


def json_schema(event_type: type[msgspec.Struct]) -> Document:
    """Return the JSON Schema (draft 2020-12) of an event type."""
    reference, schemas = components([event_type], "#/$defs/{name}")
    return {"$schema": JSON_SCHEMA_DIALECT, **reference[0], "$defs": schemas}


def asyncapi() -> Document:
    """Return the AsyncAPI 3 document of the public topics, seen from Chargewatch."""
    _, schemas = components(_SCHEMA_FILES.values(), "#/components/schemas/{name}")
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Chargewatch",
            "version": EVENTS_VERSION,
            "description": "Streaming fraud detection: charges, disputes and outcomes in, scored "
            "charges out. Unknown fields of a charge are carried along to its scored event.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_identifier(topic): _channel(topic) for topic in _PUBLIC},
        "operations": {
            f"{topic.action}{_identifier(topic)}": _operation(topic) for topic in _PUBLIC
        },
        "components": {
            "schemas": schemas,
            "messages": {
                name: message for topic in _PUBLIC for name, message in _messages(topic).items()
            },
        },
    }


def documents() -> dict[Path, str]:
    """Return every generated file with its text."""
    files = {
        FOLDER / "json" / f"{name}.schema.json": json_schema(event_type)
        for name, event_type in _SCHEMA_FILES.items()
    }
    files[FOLDER / "asyncapi.json"] = asyncapi()
    files[FOLDER / "avro" / "scored.avsc"] = avro_schema(Scored)
    return {
        path: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for path, content in files.items()
    }


def main() -> None:
    """Write every generated file."""
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def components(
    event_types: Iterable[type[msgspec.Struct]], ref_template: str
) -> tuple[tuple[Document, ...], Document]:
    """Return references to the schemas of event types, and those schemas by name."""
    references, schemas = msgspec.json.schema_components(event_types, ref_template=ref_template)
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema["description"])
    for event_type, also in _ALSO.items():
        if event_type.__name__ in schemas:
            schemas[event_type.__name__] |= also
    return references, schemas


def _identifier(topic: Topic) -> str:
    """Return the topic's name as AsyncAPI identifiers are written: `ChargesRejected`."""
    return "".join(part.capitalize() for part in topic.name.split("."))


def _channel(topic: Topic) -> Document:
    return {
        "address": f"{{topic_prefix}}{topic.name}",
        "summary": topic.summary,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "parameters": {
            "topic_prefix": {
                "description": "one for the whole installation, empty unless set",
                "default": "",
            }
        },
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.kept == "latest" else "delete"]
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> Document:
    name = _identifier(topic)
    return {
        "action": topic.action,
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [
            {"$ref": f"#/channels/{name}/messages/{message}"} for message in _messages(topic)
        ],
    }


def _messages(topic: Topic) -> dict[str, Document]:
    """Return the messages of a topic by their identifiers."""
    payload = _ANY_BYTES if topic.payload is None else _reference(topic.payload)
    name = _identifier(topic)
    messages = {name: _message(topic.name, topic.summary, topic.key, payload)}
    if topic.headers is not None:
        messages[name]["headers"] = _reference(topic.headers)
    for beside in topic.beside:
        title = beside.payload.__name__
        messages[f"{name}{title}"] = _message(
            f"{topic.name}.{title.lower()}", beside.summary, beside.key, _reference(beside.payload)
        )
    return messages


def _message(name: str, summary: str, key: str, payload: Document) -> Document:
    return {
        "name": name,
        "summary": summary,
        "payload": payload,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": key},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _reference(event_type: type[msgspec.Struct]) -> Document:
    return {"$ref": f"#/components/schemas/{event_type.__name__}"}


if __name__ == "__main__":
    main()
