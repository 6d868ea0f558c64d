"""Inputs with payloads of any format, as the same inputs with payloads of plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.rejected import InvalidEvent
from schemas.unusable import unusable_row
from schemas.validation import PAYLOAD_BYTES_MAX
from streams.events.rejected import Input, Original
from streams.formats.framing import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.formats.schema import Decoder, SchemaId, Schemas
    from streams.mapping.messages import MessageMapping


class Payloads:
    """Reads the payloads of the inputs.

    Parameters
    ----------
    schemas
        Those of the schema registry, if there is one.
    mapping
        Makes events of what is in a company's own shape, if it is.
    """

    def __init__(
        self, schemas: Schemas | None = None, mapping: MessageMapping | None = None
    ) -> None:
        self._schemas = schemas
        self._mapping = mapping

    def settle(self) -> bool:
        """Take in what was waited for, and return whether anything has come."""
        return self._schemas is not None and self._schemas.settle()

    def read(self, source: str, inputs: Sequence[Input]) -> list[Input | None]:
        """Return inputs of a partition with events for payloads.

        Parameters
        ----------
        source
            Of the inputs: `charges`, `disputes` or `outcomes`.
        inputs
            N of them, in their order.

        Returns
        -------
        list
            At most N, the next of which waits for its schema; `None` for one that is left out. A
            payload that cannot be read has become one that is rejected with the reason.
        """
        plain = inputs if self._schemas is None else _plain(self._schemas, inputs)
        if self._mapping is None:
            return [*plain]
        mapping = self._mapping
        return [mapping.read(source, received) for received in plain]


def _plain(schemas: Schemas, inputs: Sequence[Input]) -> list[Input]:
    """Return inputs with payloads of JSON, up to one whose schema is not there."""
    read = []
    written: dict[SchemaId, tuple[Decoder, list[int], list[bytes]]] = {}
    for place, received in enumerate(inputs):
        value = received.value
        if value is not None and (value[:1] <= b"\1" or received.origin.headers):
            found = framed(value, received.origin.headers)
            if found is not None and len(value) <= PAYLOAD_BYTES_MAX:
                schema_id, body = found
                if schema_id not in written:
                    decoder = schemas.decoder(schema_id)
                    if decoder is None:
                        break
                    written[schema_id] = decoder, [], []
                _, places, bodies = written[schema_id]
                places.append(place)
                bodies.append(body)
        read.append(received)
    for decoder, places, bodies in written.values():
        is_binary = decoder.kind != "JSON"
        for place, content in zip(places, decoder.decode(bodies), strict=True):
            read[place] = _with_content(read[place], content, is_binary=is_binary)
    return read


def _with_content(received: Input, content: bytes | InvalidEvent, *, is_binary: bool) -> Input:
    """Return an input with what its payload holds, or with what rejects it."""
    key, value, origin = received.key, received.value, received.origin
    assert value is not None, "it was read"
    if isinstance(content, InvalidEvent):
        return Input(key, unusable_row(content), origin, Original(key, value))
    return Input(key, content, origin, Original(key, value, content if is_binary else None))
