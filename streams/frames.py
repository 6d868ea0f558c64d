"""The binary forms on the internal topics: frames to the merchant stage, examples to the learner.

A frame is a fixed part, read for a whole batch at once by numpy, and a tail that the merchant
stage passes on without looking inside::

    | layout | key_bytes | event row | card features | key | tail ...
    |<------------- FRAME, fixed size -------------->|

The tail of a charge is the first half of its scored event, encoded once by the card stage; the
tail of a dispute is where it came from and its payload, for the case that it must be rejected.
"""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import orjson

from streams.errors import OperationalError
from streams.events import EVENT, Rows
from streams.feature import Feature
from streams.features import CARD_FEATURES, FEATURES

FRAME = np.dtype(
    [
        ("layout", "u2"),
        ("key_bytes", "u2"),
        ("event", EVENT),
        ("card_features", "f4", (len(CARD_FEATURES),)),
    ]
)
EXAMPLE = np.dtype(
    [
        ("layout", "u2"),
        ("label", "u1"),
        ("weight", "f8"),
        ("stands_for", "f8"),
        ("charged_at", "f8"),
        ("labelled_at", "f8"),
        ("charge", "u8", (2,)),
        ("vector", "f4", (len(FEATURES),)),
    ]
)
"""A charge to learn from: `vector` is what was scored, `weight` how much it counts in telling fraud
from the rest, and `stands_for` how many charges it stands for in counting how frequent fraud is."""


def layout_of(dtype: np.dtype[np.void], features: Sequence[Feature]) -> int:
    """Give a number that another order, size or meaning of the fields and features changes."""
    names = [feature.name for feature in features]
    return crc32(repr((dtype.descr, names)).encode()) & 0xFFFF


FRAME_LAYOUT = layout_of(FRAME, CARD_FEATURES)
EXAMPLE_LAYOUT = layout_of(EXAMPLE, FEATURES)


class FrameError(OperationalError):
    """A message on an internal topic that this version did not write."""


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an input came from, for the headers of a rejected copy."""

    topic: str
    partition: int
    offset: int


class Frames(NamedTuple):
    """A decoded batch.

    Attributes
    ----------
    rows
        FRAME[N], a copy that may be changed.
    keys
        N keys: the card, UTF-8.
    tails
        N tails.
    """

    rows: Rows
    keys: list[bytes]
    tails: list[bytes]


def encode_frames(
    events: Rows, card_features: np.ndarray, keys: Sequence[bytes], tails: Sequence[bytes]
) -> list[bytes]:
    """Encode EVENT[N], f4[N, card features], N keys and N tails to N messages."""
    rows = np.zeros(len(events), FRAME)
    rows["layout"] = FRAME_LAYOUT
    rows["key_bytes"] = [len(key) for key in keys]
    rows["event"] = events
    rows["card_features"] = card_features
    size, raw = FRAME.itemsize, rows.tobytes()
    return [
        raw[i * size : (i + 1) * size] + key + tail
        for i, (key, tail) in enumerate(zip(keys, tails, strict=True))
    ]


def decode_frames(values: Sequence[bytes]) -> Frames:
    """Decode a batch of frames.

    Raises
    ------
    FrameError
        When a frame is short or of another layout.
    """
    rows = _fixed_parts(values, FRAME, FRAME_LAYOUT)
    size = FRAME.itemsize
    ends = (rows["key_bytes"].astype(np.int64) + size).tolist()
    keys = [value[size:end] for value, end in zip(values, ends, strict=True)]
    tails = [value[end:] for value, end in zip(values, ends, strict=True)]
    return Frames(rows, keys, tails)


def encode_examples(examples: Rows) -> list[bytes]:
    """Encode EXAMPLE[N], whose layout is set here, to N messages."""
    examples["layout"] = EXAMPLE_LAYOUT
    size, raw = EXAMPLE.itemsize, examples.tobytes()
    return [raw[i * size : (i + 1) * size] for i in range(len(examples))]


def decode_examples(values: Sequence[bytes]) -> Rows:
    """Decode a batch of examples to EXAMPLE[N].

    Raises
    ------
    FrameError
        When an example is short or of another layout.
    """
    return _fixed_parts(values, EXAMPLE, EXAMPLE_LAYOUT)


def encode_dispute_tail(origin: Origin, key: bytes, value: bytes) -> bytes:
    """Pack what a rejected copy of a dispute needs.

    Examples
    --------
    >>> decode_dispute_tail(encode_dispute_tail(Origin("disputes", 3, 41), b"card_1", b"{}"))
    (Origin(topic='disputes', partition=3, offset=41), b'card_1', b'{}')
    """
    head = orjson.dumps([origin.topic, origin.partition, origin.offset, len(key)])
    return head + b"\n" + key + value


def decode_dispute_tail(tail: bytes) -> tuple[Origin, bytes, bytes]:
    """Unpack an origin, a key and a payload."""
    head, _, rest = tail.partition(b"\n")
    topic, partition, offset, key_bytes = orjson.loads(head)
    return Origin(topic, partition, offset), rest[:key_bytes], rest[key_bytes:]


def _fixed_parts(values: Sequence[bytes], dtype: np.dtype[np.void], layout: int) -> Rows:
    size = dtype.itemsize
    raw = b"".join([value[:size] for value in values])
    rows = np.frombuffer(raw, dtype).copy() if len(raw) == size * len(values) else None
    if rows is None or (rows["layout"] != layout).any():
        raise FrameError(
            "an internal message was written by another version: empty the internal topics or run "
            "the version that wrote them"
        )
    return rows
