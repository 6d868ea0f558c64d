"""The binary forms on the internal topics: frames to the merchant stage, examples to the learner.

A frame is an event with its card features: a row, and three strings. What one turn sends to a
partition goes together, in columns, so that numpy reads the rows at once::

    | layout | count | FRAME[count] | SIZES[count] | merchant card tail, merchant card tail, ... |

The tail of a charge is the first half of its scored event, encoded once by the card stage, with
the headers that go along behind it (`streams.headers`); the tail of a dispute is where it came
from, its headers and its payload, for the case that it must be rejected.
The merchant stage passes it on without looking inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from struct import Struct
from typing import Self
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from streams.errors import OperationalError
from streams.events import EVENT, Rows
from streams.feature import Feature
from streams.features import CARD_FEATURES, FEATURES
from streams.headers import Headers, as_json, from_json

FRAME = np.dtype([("event", EVENT), ("card_features", "f4", (len(CARD_FEATURES),))])
SIZES = np.dtype([("merchant", "u4"), ("card", "u4"), ("tail", "u4")])
MESSAGE_BYTES = 64 * 1024
"""Frames go together up to this size, before compression; a larger one goes alone."""

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


FRAME_LAYOUT = layout_of(np.dtype([("frame", FRAME), ("sizes", SIZES)]), CARD_FEATURES)
EXAMPLE_LAYOUT = layout_of(EXAMPLE, FEATURES)

_HEAD = Struct("<HI")  # layout, count


class FrameError(OperationalError):
    """A message on an internal topic that this version did not write."""

    def __init__(self) -> None:
        super().__init__(
            "an internal message was written by another version: empty the internal topics or run "
            "the version that wrote them"
        )


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an input came from, and the headers that go along with it."""

    topic: str
    partition: int
    offset: int
    headers: Headers = ()


@dataclass(slots=True)
class Frames:
    """N frames.

    Attributes
    ----------
    rows
        FRAME[N].
    merchants, cards
        N keys each, UTF-8.
    tails
        N tails.
    """

    rows: Rows
    merchants: list[bytes]
    cards: list[bytes]
    tails: list[bytes]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> Self:
        """Return the frames from `start` up to `stop`."""
        columns = (self.merchants, self.cards, self.tails)
        return type(self)(self.rows[start:stop], *(column[start:stop] for column in columns))

    def at(self, places: npt.NDArray[np.intp]) -> Self:
        """Return the frames at i8[M] places, in their order."""
        chosen = places.tolist()
        columns = (self.merchants, self.cards, self.tails)
        return type(self)(self.rows[places], *([column[i] for i in chosen] for column in columns))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join frames one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.rows for part in parts]),
            [key for part in parts for key in part.merchants],
            [key for part in parts for key in part.cards],
            [tail for part in parts for tail in part.tails],
        )


def encode_frames(frames: Frames) -> list[bytes]:
    """Encode frames to as few messages as their size allows, in the same order."""
    sizes = np.empty(len(frames), SIZES)
    sizes["merchant"] = [len(key) for key in frames.merchants]
    sizes["card"] = [len(key) for key in frames.cards]
    sizes["tail"] = [len(tail) for tail in frames.tails]
    texts = list(zip(frames.merchants, frames.cards, frames.tails, strict=True))
    messages = []
    for start, stop in pairwise(_cuts(sizes)):
        head = _HEAD.pack(FRAME_LAYOUT, stop - start)
        rows = frames.rows[start:stop].tobytes()
        of_texts = sizes[start:stop].tobytes()
        messages.append(b"".join([head, rows, of_texts, *chain.from_iterable(texts[start:stop])]))
    return messages


def decode_frames(values: Sequence[bytes]) -> tuple[Frames, npt.NDArray[np.int64]]:
    """Decode messages to their frames, which may be changed, and how many each has: i8[messages].

    Raises
    ------
    FrameError
        When a message is torn or of another layout.
    """
    counts, rows, sizes, texts = [], [], [], []
    for value in values:
        layout, count = _HEAD.unpack_from(value) if len(value) >= _HEAD.size else (0, 0)
        sizes_at = _HEAD.size + count * FRAME.itemsize
        texts_at = sizes_at + count * SIZES.itemsize
        if layout != FRAME_LAYOUT or not count or len(value) < texts_at:
            raise FrameError
        counts.append(count)
        rows.append(value[_HEAD.size : sizes_at])
        sizes.append(value[sizes_at:texts_at])
        texts.append(value[texts_at:])
    ends = np.cumsum(np.frombuffer(b"".join(sizes), "u4"), dtype=np.int64)
    per_message = np.array(counts, np.int64)
    if (ends[3 * np.cumsum(per_message) - 1] != np.cumsum([len(text) for text in texts])).any():
        raise FrameError
    joined = b"".join(texts)
    parts = [joined[start:end] for start, end in pairwise([0, *ends.tolist()])]
    changeable = np.frombuffer(bytearray().join(rows), FRAME)
    return Frames(changeable, parts[0::3], parts[1::3], parts[2::3]), per_message


def _cuts(sizes: Rows) -> list[int]:
    """Tell where each message begins, and where the last one ends; nothing makes no message."""
    texts = sizes["merchant"] + sizes["card"] + sizes["tail"]
    cuts, used = list[int](), MESSAGE_BYTES
    for place, size in enumerate((texts + FRAME.itemsize + SIZES.itemsize).tolist()):
        if used + size > MESSAGE_BYTES:
            cuts.append(place)
            used = _HEAD.size
        used += size
    return [*cuts, len(sizes)]


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
    if any(len(value) != EXAMPLE.itemsize for value in values):
        raise FrameError
    rows = np.frombuffer(b"".join(values), EXAMPLE).copy()
    if (rows["layout"] != EXAMPLE_LAYOUT).any():
        raise FrameError
    return rows


def encode_dispute_tail(origin: Origin, key: bytes, value: bytes) -> bytes:
    """Pack what a rejected copy of a dispute needs.

    Examples
    --------
    >>> decode_dispute_tail(encode_dispute_tail(Origin("disputes", 3, 41), b"card_1", b"{}"))
    (Origin(topic='disputes', partition=3, offset=41, headers=()), b'card_1', b'{}')
    """
    place = (origin.topic, origin.partition, origin.offset)
    head = orjson.dumps([*place, as_json(origin.headers), len(key)])
    return head + b"\n" + key + value


def decode_dispute_tail(tail: bytes) -> tuple[Origin, bytes, bytes]:
    """Unpack an origin, a key and a payload."""
    head, _, rest = tail.partition(b"\n")
    topic, partition, offset, headers, key_bytes = orjson.loads(head)
    origin = Origin(topic, partition, offset, from_json(headers))
    return origin, rest[:key_bytes], rest[key_bytes:]
