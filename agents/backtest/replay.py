"""Files of charges, disputes and outcomes as one stream, in the order of event time.

Each file is read twice: first for its times alone, then for its events. So it is known how far back
what is still to come reaches, and an event is let go as soon as nothing older can follow::

    read so far     10:00 10:02 10:01 10:05
    still to come   10:03 10:07 10:06 ...         so everything before 10:03 may go

What waits in memory is what the disorder of the files asks for: a few thousand events of files
that are in order, all of those that are in none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from schemas.input_rules import DEFAULT_RULES, InputRules
from streams.events.batch import TimedBatch
from streams.events.decoding import (
    Decoded,
    Finding,
    card_in,
    decode_charges,
    decode_disputes,
    decode_outcomes,
)
from streams.events.origin import Origin
from streams.events.rejected import Input, Rejected
from streams.events.rows import FRAUD_DISPUTE, Rows, charge_hashes
from streams.events.sources import PlainFile, Source

CHUNK = 10_000
"""TimedBatch that are read at a time."""

T = TypeVar("T")

Files = Path | Source | Sequence[Source] | None
"""A file of events, or sources of them."""

Decode = Callable[[list[Input], float, InputRules], Decoded]


class Part(NamedTuple):
    """What comes next of a replay.

    Attributes
    ----------
    events
        TimedBatch in the order of their time, none older than any before.
    rejected
        Inputs that are no events; their `topic` is the file and their `offset` counts its events.
    inputs
        How many inputs have been read so far.
    findings
        As for `streams.events.decoding.Decoded`.
    """

    events: TimedBatch
    rejected: list[Rejected]
    inputs: int
    findings: Counter[tuple[Finding, str]]


class Replay:
    """Charges, disputes and outcomes; of those with the same time they come in this order.

    Parameters
    ----------
    charges, disputes, outcomes
        Files as for `streams.events.files.read_events`, or sources; of charges one, which comes
        first.
    max_created
        Latest event time that is believed, Unix seconds.
    rules
        How inputs are read.
    """

    def __init__(
        self,
        charges: Path | Source,
        disputes: Files,
        max_created: float,
        rules: InputRules = DEFAULT_RULES,
        outcomes: Files = None,
    ) -> None:
        kinds: tuple[tuple[Files, Decode], ...] = (
            (charges, decode_charges),
            (disputes, decode_disputes),
            (outcomes, decode_outcomes),
        )
        self._files = [
            _File(source, decode, max_created, rules)
            for files, decode in kinds
            for source in _sources(files)
        ]

    @property
    def inputs(self) -> int:
        """How many inputs there are, once they have been surveyed."""
        return sum(file.inputs for file in self._files)

    @property
    def inputs_by_file(self) -> dict[str, int]:
        """How many there are in each file, named as in the rejected copies."""
        return {file.source.name: file.inputs for file in self._files}

    def survey(self) -> Iterator[int]:
        """Read the times, which has to come first; yield how many inputs have been read so far.

        Raises
        ------
        FileError
            As `read_events`.
        """
        for file in self._files:
            for _ in file.survey():
                yield self.inputs

    def frauds(self) -> set[bytes]:
        """Return the hashes of the charges that are disputed as fraudulent, whenever that is.

        Raises
        ------
        FileError
            As `read_events`.
        """
        return {
            charge
            for file in self._files[1:]
            for rows in file.rows()
            for charge in charge_hashes(rows[rows["kind"] == FRAUD_DISPUTE])
        }

    def parts(self) -> Iterator[Part]:
        """Read the events.

        Raises
        ------
        FileError
            As `read_events`.
        """
        for file in self._files:
            file.begin()
        while unread := [file for file in self._files if file.is_unread]:
            decoded = min(unread, key=lambda file: file.oldest_to_come).read_on()
            until = min(file.oldest_to_come for file in self._files)
            ready = [events for file in self._files for events in file.take(until)]
            yield Part(
                TimedBatch.merged(ready or [TimedBatch()]),
                decoded.rejected,
                sum(file.read for file in self._files),
                decoded.findings,
            )


class _File:
    """One file: what was read of it and waits, and how old what is still to come can be."""

    def __init__(
        self, source: Source, decode: Decode, max_created: float, rules: InputRules
    ) -> None:
        self.source = source
        self._decode = decode
        self._max_created = max_created
        self._rules = rules
        self._oldest: list[float] = []
        self._chunks: Iterator[list[bytes]] = iter(())
        self._waiting: list[TimedBatch] = []
        self.inputs = 0
        self.read = 0

    @property
    def is_unread(self) -> bool:
        """Whether there is more to read."""
        return self.read < self.inputs

    @property
    def oldest_to_come(self) -> float:
        """Time that nothing still to be read is older than, infinite when there is nothing."""
        return self._oldest[self.read // CHUNK] if self.is_unread else inf

    def survey(self) -> Iterator[None]:
        """Find out the oldest time from each chunk on; pause after each."""
        for chunk in _chunks(self.source.times()):
            self._oldest.append(min(chunk))
            self.inputs += len(chunk)
            yield
        self._oldest = np.minimum.accumulate(self._oldest[::-1])[::-1].tolist()

    def begin(self) -> None:
        """Begin to read the events."""
        # No more than what was surveyed, in case that somebody is still writing.
        self._chunks = _chunks(islice(self.source.events(), self.inputs))

    def read_on(self) -> Decoded:
        """Read a chunk, whose events then wait; return it."""
        chunk = next(self._chunks, [])
        decoded = self._decoded(chunk, self.read)
        self.read = self.read + len(chunk) if chunk else self.inputs
        self._waiting.append(_in_order(decoded))
        return decoded

    def rows(self) -> Iterator[Rows]:
        """Read all events, apart from those that `read_on` reads."""
        for chunk in _chunks(self.source.events()):
            yield self._decoded(chunk, 0).batch.rows

    def _decoded(self, chunk: list[bytes], first: int) -> Decoded:
        name = self.source.name
        inputs = [
            Input(card_in(line), line, Origin(name, 0, first + number))
            for number, line in enumerate(chunk)
        ]
        return self._decode(inputs, self._max_created, self._rules)

    def take(self, until: float) -> list[TimedBatch]:
        """Take what waits and is older than `until`."""
        taken, waiting = [], []
        for events in self._waiting:
            count = int(np.searchsorted(events.times, until))
            if count:
                taken.append(events.part(0, count))
            if count < len(events):
                waiting.append(events.part(count, len(events)) if count else events)
        self._waiting = waiting
        return taken


def _sources(files: Files) -> Sequence[Source]:
    if files is None:
        return ()
    if isinstance(files, Path):
        return (PlainFile(files),)
    return files if isinstance(files, Sequence) else (files,)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def _in_order(decoded: Decoded) -> TimedBatch:
    created = decoded.batch.rows["created"]
    order = np.argsort(created, kind="stable")
    return TimedBatch(created[order], decoded.batch.at(order))
