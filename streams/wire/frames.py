"""Frames: what the card stage sends on to the merchant stage.

A frame is an event with its card features: a row, and three strings. What one turn sends to a
partition goes together, in columns, so that numpy reads the rows at once::

    | head of the layout | count | FRAME[count] | merchant card tail, merchant card tail, ... |

The tail of a charge is the first half of its scored event, encoded once by the card stage, with
the headers that go along behind it (`streams.events.headers`); the tail of a dispute is where it
came from, its headers and its payload, for the case that it must be rejected.
The merchant stage passes it on without looking inside.
"""

from collections.abc import Sequence
from itertools import chain, pairwise
from struct import Struct

import numpy as np
import numpy.typing as npt

from streams.events.batch import Batch
from streams.events.rows import EVENT
from streams.features.entities import ENTITIES, Entity
from streams.layouts.layout import FIRST, Layout, LayoutError, Record, head_of, number_in
from streams.layouts.reader import Reader

TEXTS = ("merchant", "card", "tail")
"""The strings of a frame, in their order behind the rows of a message."""

_EARLIER = ENTITIES[:-1]  # those that a charge has come by when it comes to the last


def features_of(entity: Entity) -> str:
    """Return the field of a frame with the features of an entity."""
    return f"{entity.name}_features"


FRAME = np.dtype(
    [
        ("event", EVENT),
        *((features_of(entity), "f4", (len(entity.features),)) for entity in _EARLIER),
        ("parts", "u1"),
        ("text_bytes", "u4", (len(TEXTS),)),
    ]
)
FRAME_LAYOUT = Record(
    "frame",
    FRAME,
    {features_of(entity): entity.features for entity in _EARLIER} | {"text_bytes": TEXTS},
)
"""`text_bytes` is set when it is encoded. A message has one head for all of its rows. `parts` is
how many parts of its vector a charge has to wait for (`streams.wire.entity_events`)."""

MESSAGE_BYTES = 64 * 1024
"""Frames go together up to this size, before compression; a larger one goes alone."""


_HEAD = Struct("<QI")  # of the layout, and how many rows
_FIRST_HEAD = Struct("<HI")
_FIRST_FRAME = 29405
"""How the first release named its layout."""


def encode_frames(frames: Batch) -> list[bytes]:
    """Encode frames, rows of FRAME, to as few messages as their size allows, in the same order."""
    rows, columns = frames.rows, (frames.merchants, frames.cards, frames.tails)
    rows["text_bytes"] = np.array([[len(text) for text in texts] for texts in columns], "u4").T
    texts = list(zip(*columns, strict=True))
    messages = []
    for start, stop in pairwise(_cuts(rows["text_bytes"])):
        head = _HEAD.pack(FRAME_LAYOUT.head, stop - start)
        of_rows = rows[start:stop].tobytes()
        messages.append(b"".join([head, of_rows, *chain.from_iterable(texts[start:stop])]))
    return messages


_OWN_FRAMES = Reader(FRAME_LAYOUT, {})


def decode_frames(
    values: Sequence[bytes], reader: Reader = _OWN_FRAMES
) -> tuple[Batch, npt.NDArray[np.int64]]:
    """Decode messages to their frames, which may be changed, and how many each has: i8[messages].

    Parameters
    ----------
    values
        The messages.
    reader
        Knows the layouts they may be in; by default this version's and the first release's.

    Raises
    ------
    LayoutError
        When a message is torn, or of a layout that cannot be read.
    """
    counts, rows, texts = [], [], []
    for value in values:
        ours = value if value[:8] == _PRESENT else _rewritten(value, reader)
        head, count = _HEAD.unpack_from(ours) if len(ours) >= _HEAD.size else (0, 0)
        texts_at = _HEAD.size + count * FRAME.itemsize
        if head != FRAME_LAYOUT.head or not count or len(ours) < texts_at:
            raise _torn()
        counts.append(count)
        rows.append(ours[_HEAD.size : texts_at])
        texts.append(ours[texts_at:])
    changeable = np.frombuffer(bytearray().join(rows), FRAME)
    ends = np.cumsum(changeable["text_bytes"], dtype=np.int64)
    per_message = np.array(counts, np.int64)
    last = len(TEXTS) * np.cumsum(per_message) - 1
    if (ends[last] != np.cumsum([len(text) for text in texts])).any():
        raise _torn()
    joined = b"".join(texts)
    parts = [joined[start:end] for start, end in pairwise([0, *ends.tolist()])]
    merchants, cards, tails = (parts[n :: len(TEXTS)] for n in range(len(TEXTS)))
    return Batch(changeable, cards, merchants, tails), per_message


_PRESENT = head_of(FRAME_LAYOUT.layout.number)


def _rewritten(value: bytes, reader: Reader) -> bytes:
    """Return a message of another layout in the present one."""
    number = number_in(value)
    if number is None:
        names = list(TEXTS)
        rows, texts = _parts_of_first(value)
    else:
        layout = reader.layout(number)
        names = _texts_in(layout)
        _, count = _HEAD.unpack_from(value) if len(value) >= _HEAD.size else (0, 0)
        texts_at = _HEAD.size + count * layout.size_bytes
        if not count or len(value) < texts_at:
            raise _torn()
        cuts = range(_HEAD.size, texts_at, layout.size_bytes)
        rows, texts = [value[cut : cut + layout.size_bytes] for cut in cuts], value[texts_at:]
    sizes = reader.conversion(number).raw(rows)["text_bytes"]
    places = [0, *np.cumsum(sizes, dtype=np.int64).tolist()]
    if places[-1] != len(texts):
        raise _torn()
    parts = [texts[start:end] for start, end in pairwise(places)]
    known = [names.index(name) for name in TEXTS if name in names]
    chosen = [parts[row + place] for row in range(0, len(parts), len(names)) for place in known]
    converted = reader.conversion(number)(rows).tobytes()
    return b"".join([_HEAD.pack(FRAME_LAYOUT.head, len(rows)), converted, *chosen])


def _texts_in(layout: Layout) -> list[str]:
    """Return the names of the strings of a frame in another layout."""
    field = layout.fields.get("text_bytes")
    if field is None or field.columns is None:
        raise LayoutError("a frame", "it does not tell its strings")
    return list(field.columns)


def _parts_of_first(value: bytes) -> tuple[list[bytes], bytes]:
    """Return the rows and texts of a message of the first release, which had the sizes apart."""
    layout, count = _FIRST_HEAD.unpack_from(value) if len(value) >= _FIRST_HEAD.size else (0, 0)
    sizes_bytes = FIRST["frame"].fields["text_bytes"].shape[0] * 4
    row_bytes = FIRST["frame"].size_bytes - sizes_bytes
    sizes_at = _FIRST_HEAD.size + count * row_bytes
    texts_at = sizes_at + count * sizes_bytes
    if layout != _FIRST_FRAME or not count or len(value) < texts_at:
        raise LayoutError("a frame", "it is torn, or older than the first release")
    rows = [
        value[_FIRST_HEAD.size + n * row_bytes :][:row_bytes]
        + value[sizes_at + n * sizes_bytes :][:sizes_bytes]
        for n in range(count)
    ]
    return rows, value[texts_at:]


def _torn() -> LayoutError:
    return LayoutError("a frame", "it is torn")


def _cuts(text_bytes: npt.NDArray[np.uint32]) -> list[int]:
    """Tell where each message begins, and where the last one ends; nothing makes no message."""
    cuts, used = list[int](), MESSAGE_BYTES
    for place, size in enumerate((text_bytes.sum(axis=1) + FRAME.itemsize).tolist()):
        if used + size > MESSAGE_BYTES:
            cuts.append(place)
            used = _HEAD.size
        used += size
    return [*cuts, len(text_bytes)]
