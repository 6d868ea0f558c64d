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

    from streams.formats.framing import Framed
    from streams.formats.schema import Decoder, Schemas
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
    read: list[Input] = []
    written: dict[Decoder, list[tuple[int, bytes]]] = {}
    for place, received in enumerate(inputs):
        found = _framed(received)
        if found is not None:
            decoder = schemas.decoder(found.schema_id)
            if decoder is None:
                break
            written.setdefault(decoder, []).append((place, found.body))
        read.append(received)
    for decoder, bodies in written.items():
        contents = decoder.decode([body for _, body in bodies])
        for (place, _), content in zip(bodies, contents, strict=True):
            read[place] = _as_json(read[place], content, is_text=decoder.kind == "JSON")
    return read


def _framed(received: Input) -> Framed | None:
    """Return what an input says of its schema; `None` where it is plain, or refused as it is."""
    value = received.value
    if value is None or (value[:1] > b"\1" and not received.origin.headers):
        return None
    return framed(value, received.origin.headers) if len(value) <= PAYLOAD_BYTES_MAX else None


def _as_json(received: Input, content: bytes | InvalidEvent, *, is_text: bool) -> Input:
    value = received.value
    assert value is not None, "it has what is read"
    if isinstance(content, InvalidEvent):
        refused = Original(received.key, value)
        return Input(received.key, unusable_row(content), received.origin, refused)
    original = Original(received.key, value, None if is_text else content)
    return Input(received.key, content, received.origin, original)
