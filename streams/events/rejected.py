"""Inputs as they came, and their copies for `charges.rejected` where they cannot be used."""

from typing import NamedTuple

import msgspec

from schemas.card_numbers import mask_json, mask_key, mask_payload
from schemas.rejected import DECODED, InvalidEvent, rejected_headers
from streams.events.headers import Headers, beside_own, beside_payload
from streams.events.origin import Origin


class Original(msgspec.Struct, frozen=True, gc=False):
    """A message as it came, where its payload was read as something else.

    `content` is what the payload holds as JSON, if it was binary and could be read.
    """

    key: bytes | None
    value: bytes
    content: bytes | None = None


class Input(msgspec.Struct, frozen=True, gc=False):
    """One message of an input topic: as it came, or with its payload read as JSON."""

    key: bytes | None
    value: bytes | None
    origin: Origin
    original: Original | None = None


class Rejected(NamedTuple):
    """An input that could not be used, ready for `charges.rejected`: card numbers are masked.

    `headers` say why and where from, `carried` are those of the input.
    """

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    reason: str
    carried: Headers = ()


def masked_copy(received: Input) -> Input:
    r"""Return an input as it may be written: as it came, byte for byte save masked card numbers.

    In a binary payload a number's digits cannot be masked, so where what it holds has a card number
    its content as JSON takes its place, and a header says so.

    Examples
    --------
    >>> binary = Original(b"k", b"\0\0\0\0\7...", b'{"card":4242424242424242}')
    >>> copy = masked_copy(Input(b"k", b"{}", Origin("charges", 0, 0), binary))
    >>> copy.value, copy.origin.headers
    (b'{"card":"****************"}', (('decoded', b'true'),))
    """
    original, origin = received.original, received.origin
    if original is None:
        return Input(mask_key(received.key), mask_payload(received.value), origin)
    content = original.content
    if content is not None and (masked := mask_json(content)) != content:
        headers = (*beside_payload(origin.headers), (DECODED, b"true"))
        origin = msgspec.structs.replace(origin, headers=headers)
        return Input(mask_key(original.key), masked, origin)
    return Input(mask_key(original.key), mask_payload(original.value), origin)


def reject(received: Input, error: InvalidEvent) -> Rejected:
    """Make the rejected copy of an input."""
    copy = masked_copy(received)
    origin = copy.origin
    return Rejected(
        copy.key,
        copy.value,
        rejected_headers(error, origin.topic, origin.partition, origin.offset),
        error.reason,
        beside_own(origin.headers),
    )
