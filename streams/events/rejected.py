"""Inputs as they came, and their copies for `charges.rejected` where they cannot be used."""

from typing import NamedTuple

import msgspec

from schemas.card_numbers import mask_key, mask_payload
from schemas.rejected import InvalidEvent, rejected_headers
from streams.events.headers import Headers, beside_own
from streams.events.origin import Origin


class Input(msgspec.Struct, frozen=True, gc=False):
    """One message of an input topic as it came."""

    key: bytes | None
    value: bytes | None
    origin: Origin


class Rejected(NamedTuple):
    """An input that could not be used, ready for `charges.rejected`: card numbers are masked.

    `headers` say why and where from, `carried` are those of the input.
    """

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    reason: str
    carried: Headers = ()


def reject(received: Input, error: InvalidEvent) -> Rejected:
    """Make the rejected copy of an input."""
    origin = received.origin
    return Rejected(
        mask_key(received.key),
        mask_payload(received.value),
        rejected_headers(error, origin.topic, origin.partition, origin.offset),
        error.reason,
        beside_own(origin.headers),
    )
