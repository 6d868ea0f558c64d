"""Chunks: frames that came together and wait for parts, as they are kept in the state.

A chunk has a few records, whose keys begin with its number: its frames, encoded as on their topic;
the parts that came by each commit; and which of the frames wait no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.events.rows import row_bytes
from streams.wire.entity_events import PART_LAYOUT, entity_in, tickets_of
from streams.wire.frames import decode_frames, encode_frames
from streams.wire.row_messages import decode_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from streams.events.batch import Batch
    from streams.layouts.reader import Reader
    from streams.state.tables import Table

NUMBER_BYTES: Final = 8
_DONE, _FRAMES, _PARTS = b"d", b"f", b"p"


class Chunk:
    """Frames that came together and wait, all of them or some by now.

    Attributes
    ----------
    number
        Chunks are numbered as they come.
    missing, cards, tickets
        Of each frame, how many parts it waits for, its card, and what its parts have in common.
    parts
        Of each frame, what has come of it: PART as bytes, by the kind of entity.
    waits
        Which frames still wait.
    left
        How many do.
    """

    def __init__(self, number: int, frames: Batch) -> None:
        self.number = number
        self.frames = frames
        self.missing: list[int] = frames.rows["parts"].tolist()
        self.cards: list[int] = frames.rows["event"]["card"].tolist()
        self.tickets = tickets_of(frames.rows["event"])
        self.parts: list[dict[int, bytes]] = [{} for _ in self.missing]
        self.waits = np.ones(len(frames), np.bool_)
        self.left = len(frames)
        self._stored: list[bytes] = []
        self._new_parts: list[bytes] = []
        self._is_changed = False

    def is_complete(self, place: int) -> bool:
        """Tell whether all parts of a frame have come."""
        return self.missing[place] <= len(self.parts[place])

    def add(self, place: int, entity: int, part: bytes) -> None:
        """Add a part of a frame."""
        self.parts[place][entity] = part
        self._new_parts.append(part)

    def let_go(self, place: int) -> None:
        """Have a frame wait no more."""
        self.waits[place] = False
        self.left -= 1
        self._is_changed = True

    def store(self, table: Table) -> None:
        """Put into the table what has changed since that was last done."""
        key = self.number.to_bytes(NUMBER_BYTES, "big")
        if not self._stored:
            for number, message in enumerate(encode_frames(self.frames)):
                self._put(table, key + _FRAMES + number.to_bytes(4, "big"), message)
        if self._is_changed:
            self._put(table, key + _DONE, np.packbits(~self.waits).tobytes())
        if self._new_parts:
            number = len(self._stored)
            self._put(table, key + _PARTS + number.to_bytes(4, "big"), b"".join(self._new_parts))
        self._new_parts, self._is_changed = [], False

    @classmethod
    def restored(
        cls, number: int, records: Sequence[tuple[bytes, bytes]], frames: Reader, parts: Reader
    ) -> Self:
        """Return a chunk as the table has it, by its keys and values and what reads them."""
        messages = [value for key, value in records if _part_of(key) == _FRAMES]
        chunk = cls(number, decode_frames(messages, frames)[0])
        chunk._take(records, parts)
        return chunk

    def _take(self, records: Sequence[tuple[bytes, bytes]], reader: Reader) -> None:
        place_of = {
            ticket: place for place, ticket in enumerate(self.tickets) if self.missing[place]
        }
        for key, value in records:
            self._stored.append(key)
            if _part_of(key) == _DONE:
                bits = np.frombuffer(value, np.uint8)
                self.waits = np.unpackbits(bits, count=len(self.frames)) == 0
                self.left = int(self.waits.sum())
            elif _part_of(key) == _PARTS:
                parts, _ = decode_rows([value], PART_LAYOUT, reader)
                for ticket, part in zip(tickets_of(parts), row_bytes(parts), strict=True):
                    self.parts[place_of[ticket]][entity_in(part)] = part

    def delete(self, table: Table) -> None:
        """Delete from the table what it has of the chunk."""
        for key in self._stored:
            table.delete(key)

    def _put(self, table: Table, key: bytes, value: bytes) -> None:
        table.put(key, value)
        if key not in self._stored:
            self._stored.append(key)


def _part_of(key: bytes) -> bytes:
    """Return what of a chunk is under a key."""
    return key[NUMBER_BYTES : NUMBER_BYTES + 1]
