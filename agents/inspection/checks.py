"""Whether this version can go on from a state: every record is read, and has to make sense."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from xxhash import xxh3_64_digest, xxh3_64_hexdigest

from agents.inspection.tables import (
    CHARGES,
    DISPUTED,
    KINDS,
    META,
    METHOD_CHARGES,
    METHOD_PENDING,
    METHOD_TIMERS,
    OF_ENTITIES,
    PENDING,
    SEEN,
    TIMERS,
    WAITING,
    Kind,
)
from schemas.printable import printable
from streams.engine.task import POSITIONS
from streams.events.origin import decode_label_tail
from streams.labels.charge_index import decode_known
from streams.labels.pending import KEY_BYTES, METHOD_BYTES
from streams.labels.timers import time_in
from streams.labels.waiting import decode_waiting
from streams.layouts.layout import Layout, LayoutError, number_in
from streams.layouts.reader import Conversion, Reader
from streams.layouts.sparse import fits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agents.inspection.meta import Meta
    from streams.events.rows import Rows
    from streams.state.rocksdb_view import Item
    from streams.state.store import Readable

_HASH_BYTES = 16
_TIME_BYTES = 8
_TIMER_BYTES = _TIME_BYTES + _HASH_BYTES
_REBUILT = "stop its worker and remove the directory of the task: it is rebuilt from Kafka"
_KEY_SIZE = f"the key is not of the size that this version writes; {_REBUILT}"
_SIZE = f"the record is not of the size that its layout says; {_REBUILT}"
_VALUE = f"the record is torn, or has a number that is none; {_REBUILT}"
_NOT_KEPT = f"the charge that is due is not kept; {_REBUILT}"
_NO_POSITIONS = (
    "it is not told how far the inputs are in the state, as in one that is restored in part: its "
    "worker restores the rest at its start"
)
_UNDECODABLE = (struct.error, ValueError, TypeError, LookupError)


class Finding(NamedTuple):
    """Records of a table with which the same is wrong.

    Attributes
    ----------
    table
        Where they are.
    records
        How many there are.
    first
        The key of the first one, as it may be shown.
    why
        What is wrong, and what to do.
    """

    table: str
    records: int
    first: str
    why: str


class Checks:
    """Reads the records of a task as a worker does.

    Parameters
    ----------
    store
        Of the task.
    meta
        What it tells of itself.
    """

    def __init__(self, store: Readable, meta: Meta) -> None:
        self._store = store
        self._meta = meta
        self._refused: dict[int, LayoutError] = {}
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._first: dict[tuple[str, str], str] = {}
        for key, why in meta.faults.items():
            self._note(META, f"{why}; {_REBUILT}", [META.prefix + key.encode()])
        self._readers = {kind.name: self._reader(kind) for kind in KINDS if kind.record}

    def read(self, kind: Kind, chunk: Sequence[Item]) -> None:
        """Read some records of a table."""
        if kind.key_bytes is not None:
            size = 1 + kind.key_bytes
            self._note(kind, _KEY_SIZE, [key for key, _ in chunk if len(key) != size])
        if kind.name in self._readers:
            self._read_records(kind, chunk)
        elif kind.name in _IS_READABLE:
            is_readable = _IS_READABLE[kind.name]
            unreadable = [key for key, value in chunk if not is_readable(key[1:], value)]
            self._note(kind, _VALUE, unreadable)
        if kind in (TIMERS, METHOD_TIMERS) and self._meta.positions is not None:
            self._find_due(kind, chunk)

    def findings(self, *, is_empty: bool) -> Iterator[Finding]:
        """Yield what was found; `is_empty` is whether there was no record at all."""
        positions = POSITIONS.decode()
        is_told = self._meta.positions is not None or positions in self._meta.faults
        if not is_told and not is_empty:
            yield Finding(META.name, 1, positions, _NO_POSITIONS)
        for (table, why), records in self._counts.items():
            yield Finding(table, records, self._first[table, why], why)

    def _read_records(self, kind: Kind, chunk: Sequence[Item]) -> None:
        reader = self._readers[kind.name]
        by_number: defaultdict[int | None, list[Item]] = defaultdict(list)
        for item in chunk:
            by_number[number_in(item[1])].append(item)
        for number, items in by_number.items():
            try:
                size = self._layout(reader, number).size_bytes
            except LayoutError as error:
                self._note(kind, str(error), [key for key, _ in items])
                continue
            whole = [item for item in items if fits(item[1], size)]
            self._note(kind, _SIZE, [key for key, value in items if not fits(value, size)])
            is_finite = _are_finite(reader.rows([value for _, value in whole]))
            torn = [key for (key, _), finite in zip(whole, is_finite, strict=True) if not finite]
            self._note(kind, _VALUE, torn)

    def _find_due(self, kind: Kind, chunk: Sequence[Item]) -> None:
        """Look up the charges that will be asked for; those due before are not any more.

        How far those of methods with times of their own have come is not told: all are asked for.
        """
        progress = self._meta.progress
        matured_until = 0.0 if progress is None or kind != TIMERS else progress.matured_until
        asked = [
            (key, _kept_at(charge))
            for key, charge in chunk
            if _IS_READABLE[kind.name](key[1:], charge)
            and time_in(key[-_TIMER_BYTES:]) >= matured_until
        ]
        kept = self._store.get_many([charge for _, charge in asked])
        missing = [key for (key, _), value in zip(asked, kept, strict=True) if value is None]
        self._note(kind, _NOT_KEPT, missing)

    def _reader(self, kind: Kind) -> Reader:
        """Return what reads a table, and note the layouts that it refuses."""
        assert kind.record is not None
        name, layouts = kind.record.layout.name, dict[int, Layout]()
        for number, layout in self._meta.layouts.items():
            if layout.name != name:
                continue
            try:
                Conversion(layout, kind.record)
            except LayoutError as error:
                self._refused[number] = error
                self._note(META, str(error), [META.prefix + b"layout/%08x" % number])
            else:
                layouts[number] = layout
        return Reader(kind.record, layouts)

    def _layout(self, reader: Reader, number: int | None) -> Layout:
        if number in self._refused:
            raise self._refused[number]
        reader.conversion(number)
        return reader.layout(number)

    def _note(self, kind: Kind, why: str, keys: Sequence[bytes]) -> None:
        if keys:
            self._counts[kind.name, why] += len(keys)
            self._first.setdefault((kind.name, why), _shown(kind, keys[0][1:]))


def _shown(kind: Kind, key: bytes) -> str:
    """Return a key as it may be shown: of a card, or whatever may be private, its hash."""
    if kind.name == "merchants" or kind == META:
        return printable(key.decode(errors="backslashreplace"))
    if kind in OF_ENTITIES:
        return f"a key with the XXH3 hash {xxh3_64_hexdigest(key)}"
    return key.hex()


def _are_finite(rows: Rows) -> Iterable[bool]:
    """Tell of each record whether all its numbers are numbers."""
    names = [name for name in rows.dtype.names or () if rows.dtype[name].base.kind == "f"]
    finite = [np.isfinite(rows[name]) for name in names]
    finite = [of_field.all(axis=tuple(range(1, of_field.ndim))) for of_field in finite]
    return np.logical_and.reduce(finite).tolist() if finite else [True] * len(rows)


def _are_times(value: bytes, each_bytes: int) -> bool:
    if not value or len(value) % each_bytes:
        return False
    return all(map(math.isfinite, np.frombuffer(value, np.float64).tolist()))


def _is_due(key: bytes, charge: bytes) -> bool:
    is_whole = len(key) == _TIMER_BYTES and len(charge) == KEY_BYTES
    return is_whole and math.isfinite(time_in(key))


def _is_due_of_method(key: bytes, charge: bytes) -> bool:
    method, timer = key[:METHOD_BYTES], key[METHOD_BYTES:]
    return charge[KEY_BYTES:] == method and _is_due(timer, charge[:KEY_BYTES])


def _kept_at(charge: bytes) -> bytes:
    """Return where in the state the charge is that is due under a key."""
    method, key = charge[KEY_BYTES:], charge[:KEY_BYTES]
    return METHOD_PENDING.prefix + method + key if method else PENDING.prefix + key


def _is_known_charge(_: bytes, value: bytes) -> bool:
    try:
        known = decode_known(value)
        known.merchant.decode()
    except _UNDECODABLE:
        return False
    return math.isfinite(known.created)


def _is_waiting(key: bytes, value: bytes) -> bool:
    try:
        waiting = decode_waiting(key[:_HASH_BYTES], value)
        waiting.card.decode()
        decode_label_tail(waiting.tail)
    except _UNDECODABLE:
        return False
    times = [waiting.created, waiting.since, waiting.known.created if waiting.known else 0.0]
    return key[_HASH_BYTES:] == xxh3_64_digest(waiting.tail) and all(map(math.isfinite, times))


_IS_READABLE: dict[str, Callable[[bytes, bytes], bool]] = {
    SEEN.name: lambda _, value: _are_times(value, 2 * _TIME_BYTES),
    DISPUTED.name: lambda _, value: _are_times(value, _TIME_BYTES),
    CHARGES.name: _is_known_charge,
    TIMERS.name: _is_due,
    METHOD_CHARGES.name: _is_known_charge,
    METHOD_TIMERS.name: _is_due_of_method,
    WAITING.name: _is_waiting,
}
