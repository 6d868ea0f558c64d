"""The state of one task: tables over its store, whose changes wait for the commit."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from streams.features.entities import RECORDED
from streams.layouts.layout import Layout, Record, decode_layout
from streams.layouts.reader import Reader
from streams.state.store import Changes, KeyRange, Readable, Store

SEEN, PENDING, TIMERS, WAITING, META, DRIFT, DISPUTED, CHARGES = (bytes([n]) for n in range(3, 11))
GATHERING = bytes([12])
METHOD_PENDING, METHOD_TIMERS, METHOD_CHARGES = (bytes([n]) for n in range(32, 35))
"""The first byte of a key tells its table; the changelog and the store hold them all. Those of the
entities are in their declarations. The last three have what PENDING, TIMERS and CHARGES have, of
methods of payment with times of their own: their keys begin with the code of the method."""

_LAYOUTS, _LAYOUTS_END = b"layout/", b"layout0"
"""Between these are the keys of the table META that the layouts of the records are under."""

_FEW = 16
"""New keys that are put in their places one by one: sorting looks at all the others again."""


class Table:
    """One table of a task: reads see what was written and is not in the store yet.

    Examples
    --------
    >>> from streams.state.store import MemoryStore
    >>> table = Table(MemoryStore(), b"t")
    >>> table.put(b"1", b"one")
    >>> table.get(b"1"), table.get(b"2")
    (b'one', None)
    >>> table.delete(b"1")
    >>> table.get(b"1") is None
    True
    """

    def __init__(self, store: Readable, prefix: bytes) -> None:
        assert len(prefix) == 1
        self._store = store
        self._prefix = prefix
        self.changes: dict[bytes, bytes | None] = {}
        self.dropped: list[KeyRange] = []
        self._order: list[bytes] = []  # the changed keys as of the latest scan, sorted
        self._later: dict[bytes, None] | None = None  # those changed since it was sealed, if it is

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, `None` where there is none."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, asking the store once for those that did not change."""
        full = [self._prefix + key for key in keys]
        unchanged = [key for key in full if key not in self.changes]
        if not unchanged:
            return [self.changes[key] for key in full]
        stored = dict(zip(unchanged, self._store.get_many(unchanged), strict=True))
        return [self.changes[key] if key in self.changes else stored[key] for key in full]

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        self._change(self._prefix + key, value)

    def delete(self, key: bytes) -> None:
        """Delete a key, whether it is there or not."""
        self._change(self._prefix + key, None)

    def drop(self, start: bytes, end: bytes) -> None:
        """Drop the keys from `start` up to `end` from the store at the next commit.

        This is for what has expired: nobody looks in the range any more, so the changelog is
        spared the tombstones and forgets by its own retention.
        """
        self.dropped.append(KeyRange(self._prefix + start, self._prefix + end))

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `start` up to `end`, in the order of the keys.

        Only as much is read as is taken. What is yet to come must not be changed meanwhile.
        """
        keys = KeyRange(self._prefix + start, self._prefix + end)
        order = self._order = self._in_order()
        places = range(bisect_left(order, keys.start), bisect_left(order, keys.end))
        stored = (item for item in self._store.scan(keys) if item[0] not in self.changes)
        written = ((order[place], self.changes[order[place]]) for place in places)
        for key, value in merge(stored, written) if places else stored:
            if value is not None:
                yield key[1:], value

    def seal(self) -> None:
        """Tell what is changed and dropped by now from what will be."""
        self._later = {}

    def unseal(self) -> None:
        """Tell them apart no longer."""
        self._later = None

    def forget_sealed(self, dropped: int) -> None:
        """Forget what was changed before it was sealed, and the first `dropped` ranges."""
        assert self._later is not None
        self.changes = {key: self.changes[key] for key in self._later}
        del self.dropped[:dropped]
        self._order = []
        self.unseal()

    def forget_changes(self) -> None:
        """Forget what was changed and dropped."""
        self.changes.clear()
        self.dropped.clear()
        self._order = []
        self.unseal()

    def _in_order(self) -> list[bytes]:
        """Return the changed keys in order; a list that was returned before stays as it is."""
        newest = list(islice(self.changes, len(self._order), None))
        if not newest:
            return self._order
        if len(newest) > _FEW:
            return sorted([*self._order, *newest])
        order = self._order.copy()
        for key in newest:
            insort(order, key)
        return order

    def _change(self, key: bytes, value: bytes | None) -> None:
        self.changes[key] = value
        if self._later is not None:
            self._later[key] = None


class TablePart:
    """The keys of a table that begin alike, known by the rest of them.

    Parameters
    ----------
    table
        The table.
    beginning
        Of the keys.

    Examples
    --------
    >>> from streams.state.store import MemoryStore
    >>> table = Table(MemoryStore(), b"t")
    >>> TablePart(table, b"ab").put(b"1", b"one")
    >>> table.get(b"ab1"), TablePart(table, b"ab").get(b"1"), TablePart(table, b"aa").get(b"1")
    (b'one', b'one', None)
    >>> list(TablePart(table, b"ab").scan(b"", b"9")), beginnings(table, 2)
    ([(b'1', b'one')], [b'ab'])
    """

    def __init__(self, table: Table, beginning: bytes) -> None:
        self._table = table
        self._beginning = beginning

    def get(self, key: bytes) -> bytes | None:
        """See `Table.get`."""
        return self._table.get(self._beginning + key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Table.get_many`."""
        return self._table.get_many([self._beginning + key for key in keys])

    def put(self, key: bytes, value: bytes) -> None:
        """See `Table.put`."""
        self._table.put(self._beginning + key, value)

    def delete(self, key: bytes) -> None:
        """See `Table.delete`."""
        self._table.delete(self._beginning + key)

    def drop(self, start: bytes, end: bytes) -> None:
        """See `Table.drop`."""
        self._table.drop(self._beginning + start, self._beginning + end)

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See `Table.scan`."""
        size = len(self._beginning)
        for key, value in self._table.scan(self._beginning + start, self._beginning + end):
            yield key[size:], value


AnyTable = Table | TablePart


def beginnings(table: Table, size: int) -> list[bytes]:
    """Return with which `size` bytes the keys of a table begin, each once, in their order."""
    found = list[bytes]()
    start, end = b"", b"\xff" * (size + 1)
    while (item := next(table.scan(start, end), None)) is not None:
        found.append(item[0][:size])
        start = found[-1] + end
    return found


class TaskState:
    """All tables of one task, committed or discarded together.

    A commit takes its time, and work goes on meanwhile: what is sealed belongs to the commit, what
    changes afterwards to the next one, and reads see both::

        seal ──▶ write, in whichever thread ──▶ settle
              └▶ discard, when it has failed: what has changed since stood on it
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.entities = {entity.name: Table(store, entity.prefix) for entity in RECORDED}
        self.seen = Table(store, SEEN)
        self.pending = Table(store, PENDING)
        self.timers = Table(store, TIMERS)
        self.waiting = Table(store, WAITING)
        self.meta = Table(store, META)
        self.drift = Table(store, DRIFT)
        self.disputed = Table(store, DISPUTED)
        self.charges = Table(store, CHARGES)
        self.gathering = Table(store, GATHERING)
        self.method_pending = Table(store, METHOD_PENDING)
        self.method_timers = Table(store, METHOD_TIMERS)
        self.method_charges = Table(store, METHOD_CHARGES)
        self._tables = (
            *self.entities.values(),
            self.seen,
            self.pending,
            self.timers,
            self.waiting,
            self.meta,
            self.drift,
            self.disputed,
            self.charges,
            self.gathering,
            self.method_pending,
            self.method_timers,
            self.method_charges,
        )
        self._sealed: Changes | None = None
        self._sealed_drops: list[list[KeyRange]] = []
        self.layouts = layouts_in(self.meta)
        self._new_layouts: list[Layout] = []

    def reader(self, record: Record) -> Reader:
        """Return what reads a kind of record; its present layout is kept with the next commit.

        Raises
        ------
        LayoutError
            When the state has records of this kind that cannot be read.
        """
        reader = Reader(record, self.layouts)
        if record.layout.number not in self.layouts:
            self._new_layouts.append(record.layout)
        return reader

    def changes(self) -> Changes:
        """Return everything that changed and is not in the store yet, by full key."""
        changed: dict[bytes, bytes | None] = {}
        for table in self._tables:
            changed.update(table.changes)
        return changed

    def seal(self) -> Changes:
        """Return everything that changed since the last commit, and keep it for `write`."""
        assert self._sealed is None, "one commit at a time"
        for layout in self._new_layouts:
            self.meta.put(_LAYOUTS + b"%08x" % layout.number, layout.encoded())
        self._sealed = self.changes()
        self._sealed_drops = [list(table.dropped) for table in self._tables]
        for table in self._tables:
            table.seal()
        return self._sealed

    def write(self, offset: int) -> None:
        """Write what is sealed to the store; `offset` is where the changelog goes on after it."""
        assert self._sealed is not None
        dropped = [keys for of_table in self._sealed_drops for keys in of_table]
        self.store.write(self._sealed, dropped, offset)

    def settle(self) -> None:
        """Forget what was sealed, as the store has it."""
        assert self._sealed is not None
        self._new_layouts.clear()
        for table, dropped in zip(self._tables, self._sealed_drops, strict=True):
            table.forget_sealed(len(dropped))
        self._sealed, self._sealed_drops = None, []

    def unseal(self) -> None:
        """Let what was sealed belong to the next commit, as none of it has counted."""
        self._sealed, self._sealed_drops = None, []
        for table in self._tables:
            table.unseal()

    def commit(self, offset: int) -> None:
        """Seal, write and settle at once."""
        self.seal()
        self.write(offset)
        self.settle()

    def discard(self) -> None:
        """Forget what is not in the store, sealed or not."""
        self._sealed, self._sealed_drops = None, []
        for table in self._tables:
            table.forget_changes()


def layouts_in(meta: Table) -> dict[int, Layout]:
    """Return the layouts in which a state is written, by number.

    Raises
    ------
    LayoutError
        When one of them is told in a later form.
    """
    documents = layout_documents(meta).values()
    layouts = [decode_layout(document, "the state") for document in documents]
    return {layout.number: layout for layout in layouts}


def layout_documents(meta: Table) -> dict[bytes, bytes]:
    """Return the documents of these layouts, by the keys that they are under."""
    return dict(meta.scan(_LAYOUTS, _LAYOUTS_END))
