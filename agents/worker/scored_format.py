"""In what format a worker writes scored events, as it is set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import schemas
from agents.terminal.registry import registry_of
from streams.formats.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.settings.schema import Settings
    from streams.formats.schema import SchemaKind
    from streams.kafka.retry import RetryPolicy

_FOLDER: Final = Path(schemas.__file__).parent
_SCHEMAS: Final[dict[str, tuple[SchemaKind, Path]]] = {
    "avro": ("AVRO", _FOLDER / "avro" / "scored.avsc"),
    "json_schema": ("JSON", _FOLDER / "json" / "scored.schema.json"),
}


def scored_encoding(
    settings: Settings, topic: str, retry: RetryPolicy
) -> Callable[[bytes], bytes] | None:
    """Return what scored events are written by, `None` where they are plain JSON.

    Its schema is registered, under the topic's usual subject. A registry that is away is waited
    for.

    Raises
    ------
    RegistryError
        When the schema is not compatible with what the subject has, or is refused.
    StoppedError
        When the worker stops meanwhile.
    """
    if settings.scored_format == "json":
        return None
    registry = registry_of(settings)
    assert registry is not None, "the settings ask for one"
    from streams.formats.scored import scored_encoder  # noqa: PLC0415 # as in `registry_of`
    from streams.kafka.registry_schemas import registered  # noqa: PLC0415

    kind, file = _SCHEMAS[settings.scored_format]
    schema = Schema(kind, file.read_text(encoding="utf-8"))
    number = registered(registry, retry, f"{topic}-value", schema)
    return scored_encoder(schema, number)
