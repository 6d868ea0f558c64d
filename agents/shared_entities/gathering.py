"""Gathering: a charge waits at its merchant's partition until all parts of its vector have come.

A frame may come before its parts or behind them. What is told of one card stays in order: what
comes behind a charge that waits, be it another charge, a dispute or an outcome, waits as well::

    frames  A1  B1  A2        of cards A and B; A1 waits for two parts
    parts          A1  A1
    out         B1      A1 A2

What waits is state, as a commit may come in between.
"""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.shared_entities.chunks import NUMBER_BYTES, Chunk
from agents.shared_entities.columns import Columns, SharedColumns
from agents.shared_entities.early_parts import EARLY, EarlyParts
from agents.shared_entities.parts import bytes_of, entity_in
from streams.events.batch import Batch
from streams.wire.entity_events import PART, PART_LAYOUT, tickets_of
from streams.wire.frames import FRAME_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rows import Rows
    from streams.state.tables import TaskState

    Done = dict[tuple[int, int], Chunk]


class Gathered(NamedTuple):
    """Frames that wait for nothing more, and what they have of shared entities."""

    frames: Batch
    shared: SharedColumns


class Gathering:
    """Frames of one task that wait for parts.

    Parameters
    ----------
    state
        Tables of the task.
    entities
        Kinds of shared entities, as for `Columns`.
    """

    def __init__(self, state: TaskState, entities: Sequence[str]) -> None:
        self._table = state.gathering
        self._frame_reader = state.reader(FRAME_LAYOUT)
        self._part_reader = state.reader(PART_LAYOUT)
        self._columns = Columns(entities)
        self._early = EarlyParts(self._table, self._part_reader)
        self.reload()

    def __len__(self) -> int:
        """Return how many frames wait."""
        return sum(chunk.left for chunk in self._chunks.values())

    def take(self, frames: Batch, parts: Rows) -> Gathered:
        """Take frames and PART[M] as they came, and return what waits no more.

        Frames that wait for nothing pass, in their order, behind those that waited.
        """
        if not len(parts) and not self._chunks and not frames.rows["parts"].any():
            return Gathered(frames, self._columns.none(len(frames)))
        waited: Done = {}
        for ticket, part in zip(tickets_of(parts), bytes_of(parts), strict=True):
            self._add_part(ticket, part, waited)
        return self._gathered(waited, frames, self._add_frames(frames))

    def flush(self) -> None:
        """Put what waits, as far as it was not put before, into the table."""
        for chunk in self._chunks.values():
            chunk.store(self._table)
        self._early.flush()

    def reload(self) -> None:
        """Forget what has changed since the last commit, and ask the table again."""
        self._chunks: dict[int, Chunk] = {}
        self._queues: dict[int, deque[tuple[Chunk, int]]] = {}
        self._by_ticket: dict[bytes, tuple[Chunk, int]] = {}
        self._early.reload()
        stored = self._table.scan(b"", EARLY)
        for head, records in groupby(stored, lambda record: record[0][:NUMBER_BYTES]):
            number = int.from_bytes(head, "big")
            self._line_up(
                Chunk.restored(number, list(records), self._frame_reader, self._part_reader)
            )
        self._next = max(self._chunks, default=-1) + 1

    def _add_frames(self, frames: Batch) -> dict[int, list[bytes]]:
        """Have frames wait that must; return the places of the others, and their parts."""
        cards, missing = frames.rows["event"]["card"].tolist(), frames.rows["parts"].tolist()
        passing, held = dict[int, list[bytes]](), list[int]()
        cards_held = set[int]()
        for place, (card, count) in enumerate(zip(cards, missing, strict=True)):
            if count or card in cards_held or card in self._queues:
                held.append(place)
                cards_held.add(card)
            else:
                passing[place] = []
        return passing | self._hold(frames, held) if held else passing

    def _hold(self, frames: Batch, places: list[int]) -> dict[int, list[bytes]]:
        """Have frames wait, but for those of which all parts have come: return these."""
        rows = frames.rows[places]
        tickets = tickets_of(rows["event"])
        is_new = (rows["parts"] == 0) | [ticket not in self._by_ticket for ticket in tickets]
        places = np.array(places)[is_new].tolist()  # but for what was sent twice, at least once
        chunk = Chunk(self._next, frames.at(np.array(places, np.intp)))
        self._next += 1
        self._line_up(chunk)
        done: Done = {}
        cards = chunk.frames.rows["event"]["card"].tolist()
        for place, ticket in enumerate(chunk.tickets):
            if chunk.missing[place]:
                for part in self._early.pop(ticket):
                    chunk.add(place, entity_in(part), part)
                self._release(cards[place], done)
        return {places[place]: list(chunk.parts[place].values()) for _, place in done}

    def _line_up(self, chunk: Chunk) -> None:
        """Put the frames of a chunk that wait behind those of their cards."""
        cards = chunk.frames.rows["event"]["card"].tolist()
        for place in np.flatnonzero(chunk.waits).tolist():
            self._queues.setdefault(cards[place], deque()).append((chunk, place))
            if chunk.missing[place]:
                self._by_ticket[chunk.tickets[place]] = chunk, place
        if chunk.left:
            self._chunks[chunk.number] = chunk

    def _add_part(self, ticket: bytes, part: bytes, done: Done) -> None:
        """Add a part to its frame, or keep it for that."""
        found = self._by_ticket.get(ticket)
        if found is None:
            self._early.add(ticket, part)
            return
        chunk, place = found
        chunk.add(place, entity_in(part), part)
        if chunk.is_complete(place):
            self._release(int(chunk.frames.rows["event"]["card"][place]), done)

    def _release(self, card: int, done: Done) -> None:
        """Let go of the first frames of a card, as far as they are complete."""
        queue = self._queues.get(card)
        while queue and queue[0][0].is_complete(queue[0][1]):
            chunk, place = queue.popleft()
            chunk.let_go(place)
            if chunk.missing[place]:
                del self._by_ticket[chunk.tickets[place]]
            if not chunk.left:
                chunk.delete(self._table)
                del self._chunks[chunk.number]
            done[chunk.number, place] = chunk
        if queue is not None and not queue:
            del self._queues[card]

    def _gathered(self, waited: Done, frames: Batch, passing: dict[int, list[bytes]]) -> Gathered:
        """Return frames that waited, in the order in which they came, and those that pass."""
        batches, parts = list[Batch](), list[list[bytes]]()
        for number, group in groupby(sorted(waited), lambda place: place[0]):
            places = [place for _, place in group]
            chunk = waited[number, places[0]]
            batches.append(chunk.frames.at(np.array(places)))
            parts += [list(chunk.parts[place].values()) for place in places]
        in_order = sorted(passing)
        batches.append(frames.at(np.array(in_order, np.intp)))
        parts += [passing[place] for place in in_order]
        rows = np.frombuffer(b"".join(part for of_one in parts for part in of_one), PART)
        of_frames = np.repeat(np.arange(len(parts)), [len(of_one) for of_one in parts])
        batch = Batch.joined(batches)
        return Gathered(batch, self._columns.filled(len(batch), rows, of_frames))
