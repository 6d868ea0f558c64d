"""The drift event: a signal of a task has shifted."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from schemas.edits import decoded
from schemas.fields import Offset, Timestamp


class Drift(Struct, frozen=True):
    """A lasting change of what is watched, keyed by the signal on the topic `drift`."""

    signal: Annotated[
        str,
        Meta(
            description="`score`, `fraud_score` (the score of charges when they are disputed as "
            "fraud), `dispute_rate` (frauds disputed per charge), or a feature"
        ),
    ]
    task: Annotated[Offset, Meta(description="the partition whose merchants it was found at")]
    at: Annotated[Timestamp, Meta(description="event time at which it was found, Unix seconds")]
    since: Annotated[
        Timestamp, Meta(description="event time from which on it is seen, Unix seconds")
    ]
    before: Annotated[float, Meta(description="mean before `since`, in `unit`")]
    after: Annotated[float, Meta(description="mean from `since` until `at`, in `unit`")]
    unit: Annotated[
        str, Meta(description="of both means; of scores, counts and amounts they are geometric")
    ]


def encode_drift(drift: Drift) -> bytes:
    """Return the event as the payload of a message.

    Examples
    --------
    >>> encode_drift(Drift("amount", 0, 86400.0, 0.0, 21.5, 35.0, "reference currency"))[:35]
    b'{"signal":"amount","task":0,"at":86'
    """
    return _ENCODER.encode(drift)


def decode_drift(value: bytes) -> Drift:
    """Return the event of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "drift event")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Drift)
