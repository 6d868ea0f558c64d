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
from streams.events.batch import Batch, RowBatch
from streams.events.rows import row_bytes
from streams.layouts.raw_rows import joined, rows_at
from streams.wire.entity_events import PART, PART_LAYOUT, entity_in, tickets_of
from streams.wire.frames import FRAME, FRAME_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.events.rows import Rows
    from streams.state.tables import TaskState

_NO_PARTS: list[bytes] = []


class Gathered(NamedTuple):
    """Frames that wait for nothing more, and what they have of shared entities."""

    frames: Batch
    shared: SharedColumns


class _Done(NamedTuple):
    """Frames that wait no more, and PART as bytes, what has come of each."""

    frames: Batch
    parts: list[list[bytes]]


_NOTHING = _Done(Batch(np.empty(0, FRAME)), [])


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

    def take(self, batches: Sequence[Batch]) -> Gathered:
        """Take frames and parts in the order in which they came; return what waits no more.

        What comes out, in which order, does not depend on how they are cut into batches.
        """
        if not self._queues and not any(map(_concerns_parts, batches)):
            frames = Batch.joined(batches)
            return Gathered(frames, self._columns.none(len(frames)))
        if (gathered := self._complete(batches)) is not None:
            return gathered
        done = list[_Done]()
        for has_parts, some in groupby(batches, lambda batch: isinstance(batch, RowBatch)):
            batch = Batch.joined(list(some))
            done += self._add_parts(batch.rows) if has_parts else [self._add_frames(batch)]
        frames = Batch.joined([each.frames for each in done or [_NOTHING]])
        parts = [own for each in done for own in each.parts]
        rows = np.frombuffer(b"".join(part for own in parts for part in own), PART)
        places = np.repeat(np.arange(len(parts)), [len(own) for own in parts])
        return Gathered(frames, self._columns.filled(len(frames), rows, places))

    def _complete(self, batches: Sequence[Batch]) -> Gathered | None:
        """Return frames behind which all their parts have come, `None` where it is not just that.

        So it is where a worker hands on what its stages send (`streams.engine.direct_path`). What
        comes out, in which order, is what it would be with each frame and part for itself.
        """
        are_parts = [isinstance(batch, RowBatch) for batch in batches]
        if self._queues or self._early.any_wait or are_parts != sorted(are_parts):
            return None
        cut = are_parts.index(True) if True in are_parts else len(batches)
        frames = Batch.joined(batches[:cut] or [_NOTHING.frames])
        missing = frames.rows["parts"]
        parts = joined([batch.rows for batch in batches[cut:]] or [PART_LAYOUT.new(0)])
        places = _places_of(parts, frames)
        if places is None or (np.bincount(places, minlength=len(frames)) != missing).any():
            return None
        complete_at = np.full(len(frames), -1)
        np.maximum.at(complete_at, places, np.arange(len(parts)))
        order = np.argsort(_released_at(frames, complete_at), kind="stable")
        turn = np.empty(len(frames), np.intp)
        turn[order] = np.arange(len(frames))
        shared = self._columns.filled(len(frames), parts, turn[places])
        return Gathered(frames.at(order), shared)

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

    def _add_frames(self, frames: Batch) -> _Done:
        """Have frames wait that must; return the others, with their parts."""
        cards, missing = frames.rows["event"]["card"].tolist(), frames.rows["parts"].tolist()
        passing, held = dict[int, list[bytes]](), list[int]()
        cards_held = set[int]()
        for place, (card, count) in enumerate(zip(cards, missing, strict=True)):
            if count or card in cards_held or card in self._queues:
                held.append(place)
                cards_held.add(card)
            else:
                passing[place] = _NO_PARTS
        passing |= self._hold(frames, held)
        places = sorted(passing)
        return _Done(frames.at(np.array(places, np.intp)), [passing[place] for place in places])

    def _hold(self, frames: Batch, places: list[int]) -> dict[int, list[bytes]]:
        """Have frames wait, but for those of which all parts have come: return these."""
        held = frames.at(np.array(places, np.intp))
        tickets = tickets_of(held.rows["event"])
        is_new, seen = list[bool](), set[bytes]()
        for count, ticket in zip(held.rows["parts"].tolist(), tickets, strict=True):
            is_again = count and (ticket in self._by_ticket or ticket in seen)
            is_new.append(not is_again)  # else it was sent twice, at least once
            if count:
                seen.add(ticket)
        places = [place for place, is_one in zip(places, is_new, strict=True) if is_one]
        chunk = Chunk(self._next, held.at(np.flatnonzero(is_new)))
        self._next += 1
        self._line_up(chunk)
        done = list[tuple[Chunk, int]]()
        for place, ticket in enumerate(chunk.tickets):
            for part in self._early.pop(ticket) if chunk.missing[place] else ():
                chunk.add(place, entity_in(part), part)
                if chunk.is_complete(place):
                    done += self._released(chunk.cards[place])
        return {places[place]: list(chunk.parts[place].values()) for _, place in done}

    def _line_up(self, chunk: Chunk) -> None:
        """Put the frames of a chunk that wait behind those of their cards."""
        for place in np.flatnonzero(chunk.waits).tolist():
            self._queues.setdefault(chunk.cards[place], deque()).append((chunk, place))
            if chunk.missing[place]:
                self._by_ticket[chunk.tickets[place]] = chunk, place
        if chunk.left:
            self._chunks[chunk.number] = chunk

    def _add_parts(self, parts: Rows) -> list[_Done]:
        """Add parts to their frames, or keep them for these; return what is complete by that."""
        done = list[tuple[Chunk, int]]()
        entities = parts["entity"].tolist()
        for ticket, entity, part in zip(tickets_of(parts), entities, row_bytes(parts), strict=True):
            found = self._by_ticket.get(ticket)
            if found is None:
                self._early.add(ticket, part)
                continue
            chunk, place = found
            chunk.add(place, entity, part)
            if chunk.is_complete(place):
                done += self._released(chunk.cards[place])
        by_chunk = groupby(done, lambda item: item[0].number)
        return [_taken(list(of_chunk)) for _, of_chunk in by_chunk]

    def _released(self, card: int) -> list[tuple[Chunk, int]]:
        """Let go of the first frames of a card, as far as they are complete; return them."""
        queue, released = self._queues[card], list[tuple[Chunk, int]]()
        while queue and queue[0][0].is_complete(queue[0][1]):
            chunk, place = queue.popleft()
            chunk.let_go(place)
            if chunk.missing[place]:
                del self._by_ticket[chunk.tickets[place]]
            if not chunk.left:
                chunk.delete(self._table)
                del self._chunks[chunk.number]
            released.append((chunk, place))
        if not queue:
            del self._queues[card]
        return released


def _places_of(parts: Rows, frames: Batch) -> NDArray[np.intp] | None:
    """Return i8[N], the frame of each of PART[N]; `None` where not each has one of its own."""
    waiting = np.flatnonzero(frames.rows["parts"])
    tickets = tickets_of(rows_at(frames.rows["event"], waiting))
    place_of = dict(zip(tickets, waiting.tolist(), strict=True))
    found = [place_of.get(ticket, -1) for ticket in tickets_of(parts)]
    kinds = set(zip(found, parts["entity"].tolist(), strict=True))
    is_each_of_one = len(place_of) == len(tickets) and len(kinds) == len(parts)
    return np.array(found, np.intp) if is_each_of_one and -1 not in found else None


def _released_at(frames: Batch, complete_at: NDArray[np.intp]) -> list[int]:
    """Return when each of N frames waits no more: never before those of its card ahead of it."""
    of_card = dict[int, int]()
    released_at = []
    for card, at in zip(frames.rows["event"]["card"].tolist(), complete_at.tolist(), strict=True):
        of_card[card] = max(at, of_card.get(card, -1))
        released_at.append(of_card[card])
    return released_at


def _concerns_parts(batch: Batch) -> bool:
    """Tell whether a batch has parts, or frames that wait for some."""
    return isinstance(batch, RowBatch) or bool(batch.rows["parts"].any())


def _taken(of_chunk: Sequence[tuple[Chunk, int]]) -> _Done:
    """Return frames of one chunk, with their parts."""
    chunk, places = of_chunk[0][0], [place for _, place in of_chunk]
    return _Done(
        chunk.frames.at(np.array(places, np.intp)),
        [list(chunk.parts[place].values()) for place in places],
    )
