"""The model snapshot: all that is needed to score, and to go on learning."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from schemas.fields import Offset, Timestamp
from schemas.rejected import InvalidEvent


class Snapshot(Struct, frozen=True, omit_defaults=True):
    """One version of a model, keyed by its name on the compacted topic `models`.

    Plain JSON: nothing in it is ever unpickled or run. Floats survive the round trip bit for bit,
    so a learner restored from a snapshot goes on exactly as the one that wrote it.
    """

    name: Annotated[str, Meta(description="the model's name, the message key")]
    kind: Annotated[str, Meta(description="which model class reads `state`")]
    version: Annotated[str, Meta(description="unique among the model's snapshots")]
    offset: Annotated[
        Offset, Meta(description="offset of the next example to learn in `chargewatch.examples`")
    ]
    examples: Annotated[Offset, Meta(description="how many examples it has learned")]
    created: Annotated[Timestamp, Meta(description="event time of the last example, Unix seconds")]
    features: Annotated[
        tuple[str, ...], Meta(description="names of the model's columns, in its order")
    ]
    state: Annotated[dict[str, Any], Meta(description="weights and moments, plain JSON")]
    loaded: Annotated[
        str, Meta(description="`id` of the loaded model that it goes on from; empty for none")
    ] = ""
    loaded_at: Annotated[
        Offset, Meta(description="offset of the first example learned after it was loaded")
    ] = 0


_DECODER: Final = msgspec.json.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return the snapshot as the payload of a message.

    Examples
    --------
    >>> state = {"weights": [0.1]}
    >>> snapshot = Snapshot("fraud", "linear", "linear-0000000001", 1, 1, 0.0, ("amount",), state)
    >>> decode_snapshot(encode_snapshot(snapshot)) == snapshot
    True
    """
    return msgspec.json.encode(snapshot)


def decode_snapshot(value: bytes) -> Snapshot:
    """Return the snapshot of a message's payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is not a snapshot.
    """
    try:
        return _DECODER.decode(value)
    except msgspec.ValidationError as error:
        raise InvalidEvent("type", f"snapshot: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("json", f"snapshot: {error}") from None
