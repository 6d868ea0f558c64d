"""What the records that people write have in common: their versions, who wrote them, and when."""

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from schemas.fields import Identifier
from schemas.rejected import InvalidEvent

NOTE_MAX: Final = 1000
"""Characters that a note may have."""

EVERYONE: Final = "*"
"""In place of a merchant: all of them."""

Version = Annotated[int, Meta(ge=1, description="counts the edits of this key, from 1")]
MadeFrom = Annotated[
    int, Meta(ge=0, description="version that was edited; 0 where there was none before")
]
Author = Annotated[str, Meta(max_length=128, description="who made it")]
WrittenAt = Annotated[float, Meta(ge=0, description="when it was made, Unix seconds, wall clock")]
Note = Annotated[str, Meta(max_length=NOTE_MAX, description="why it was made")]
MerchantKey = Annotated[
    Identifier, Meta(description=f"the merchant account, or `{EVERYONE}` for all of them")
]

Record = TypeVar("Record", bound=Struct)


def decoded(decoder: msgspec.json.Decoder[Record], value: bytes, what: str) -> Record:
    """Return the record of a payload; `what` it is begins the message where it is none.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    try:
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        raise InvalidEvent("type", f"{what}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("json", f"{what}: {error}") from None
