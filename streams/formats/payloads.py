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


class Payloads:
    """Reads the payloads of the inputs.

    Parameters
    ----------
    schemas
        Those of the schema registry.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def settle(self) -> bool:
        """Take in what was waited for, and return whether anything has come."""
        return self._schemas.settle()

    def read(self, inputs: Sequence[Input]) -> list[Input]:
        """Return inputs of a partition with payloads of JSON, up to one whose schema is missing.

        A payload that cannot be read becomes one that is rejected with the reason.
        """
        read: list[Input] = []
        written: dict[Decoder, list[tuple[int, bytes]]] = {}
        for place, received in enumerate(inputs):
            found = _framed(received)
            if found is not None:
                decoder = self._schemas.decoder(found.schema_id)
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
