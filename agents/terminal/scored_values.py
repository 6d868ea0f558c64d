"""Scored events as JSON, whatever they were written as: for all that reads their topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.terminal.registry import registry_of
from streams.errors import OperationalError
from streams.formats.framing import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.settings.schema import Settings
    from streams.formats.schema import Decoder, SchemaId


class ScoredError(OperationalError):
    """A scored event cannot be read."""


class ScoredValues:
    """Reads the values of the topic of scored events.

    Parameters
    ----------
    settings
        Have the schema registry, which is asked once for each schema.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decoders: dict[SchemaId, Decoder] = {}

    def as_json(self, values: Sequence[bytes]) -> list[bytes]:
        """Return N scored events as JSON.

        Raises
        ------
        ScoredError
            When the schema of one cannot be had, or it was not written by it.
        """
        return [value if value[:1] > b"\1" else self._unframed(value) for value in values]

    def _unframed(self, value: bytes) -> bytes:
        from streams.formats.scored import plain_scored  # noqa: PLC0415 # as in `registry_of`

        found = framed(value)
        if found is None:
            raise ScoredError("scored: a message is neither JSON nor in the framing of a schema")
        schema_id, body = found
        decoder = self._decoders.get(schema_id)
        if decoder is None:
            decoder = self._decoders[schema_id] = self._decoder(schema_id)
        (event,) = decoder.decode([body])
        if not isinstance(event, bytes):
            raise ScoredError(f"scored: {event}")
        return plain_scored(event) if decoder.kind == "AVRO" else event

    def _decoder(self, schema_id: SchemaId) -> Decoder:
        registry = registry_of(self._settings)
        if registry is None:
            raise ScoredError(
                f"scored: is written by schema {schema_id}: set schema_registry_url to read it"
            )
        from streams.formats.decoders import decoder_of, refusing  # noqa: PLC0415
        from streams.kafka.schema_registry import RegistryAwayError  # noqa: PLC0415

        try:
            schema = registry.schema(schema_id)
        except RegistryAwayError as error:
            raise ScoredError(
                f"scored: the schema registry at {self._settings.schema_registry_url} cannot be "
                f"asked for schema {schema_id}: {error}"
            ) from None
        if schema is None:
            return refusing(f"the schema registry does not know schema {schema_id}")
        return decoder_of(schema_id, schema)
