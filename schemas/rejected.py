"""The rejected input: why it could not be used, and the headers that say so."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.card_numbers import mask
from schemas.printable import printable

RejectReason = Literal[
    "json",
    "type",
    "missing",
    "range",
    "key",
    "card_number",
    "future",
    "too_large",
    "nesting",
    "unknown_charge",
    "test_card",
    "schema",
]
ERROR: Final = "error"
TOPIC: Final = "topic"
PARTITION: Final = "partition"
OFFSET: Final = "offset"
DECODED: Final = "decoded"

_Number = Annotated[str, Meta(pattern="^[0-9]+$")]


class InvalidEvent(ValueError):  # noqa: N818 - it names what was found, as the contract does
    """An input that cannot be used.

    Parameters
    ----------
    reason
        One word of a fixed set, fit to be a metric label.
    message
        What was expected and what was found; card numbers in it are masked, and what a terminal
        would act upon is shown.

    Examples
    --------
    >>> str(InvalidEvent("range", "device: got 4242424242424242"))
    'device: got ****************'
    """

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(printable(mask(message)))
        self.reason: RejectReason = reason


class RejectedHeaders(Struct, frozen=True):
    """The headers of a message on `charges.rejected`, each a UTF-8 string."""

    error: Annotated[str, Meta(description="what was expected and what was found")]
    topic: Annotated[str, Meta(description="the topic the input came from")]
    partition: Annotated[_Number, Meta(description="its partition there")]
    offset: Annotated[_Number, Meta(description="its offset there")]
    decoded: Annotated[
        Literal["true"] | UnsetType,
        Meta(
            description="only where a binary payload had a card number: the payload is what it "
            "held, as JSON, with the digits masked"
        ),
    ] = UNSET


def rejected_headers(
    error: InvalidEvent, topic: str, partition: int, offset: int
) -> list[tuple[str, bytes]]:
    """Return the headers that go with a rejected input, as a Kafka producer takes them.

    Examples
    --------
    >>> rejected_headers(InvalidEvent("missing", "card: required"), "charges", 3, 41)
    [('error', b'card: required'), ('topic', b'charges'), ('partition', b'3'), ('offset', b'41')]
    """
    return [
        (ERROR, str(error).encode()),
        (TOPIC, topic.encode()),
        (PARTITION, b"%d" % partition),
        (OFFSET, b"%d" % offset),
    ]
