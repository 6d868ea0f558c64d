"""Reading records by name: from the layout they were written in into the present one.

=====================================  ========================================================
field, column, window                  outcome
=====================================  ========================================================
in both                                the same, whatever its place; a wider type holds it
new                                    zero; a column of features: `Feature.default`
gone                                   dropped; a place that pointed there is `NO_PLACE`
window with other tiles                every tile goes to the new one in which it ends: the
                                       window may hold what is up to an old tile too old, until
                                       its length has passed
window with other bitmaps              empty until its length has passed
type that does not hold all values,    `LayoutError`, before anything is read or changed
array of another length
=====================================  ========================================================

Records are read as they are asked for, and written in the present layout when they next change: an
upgrade of a large state costs no time at its start. A record that an older version writes again, in
a rolling upgrade, has lost what that version does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streams.layouts.layout import (
    FIRST,
    HEAD,
    NO_PLACE,
    Field,
    Layout,
    LayoutError,
    Record,
    Rows,
    Tiles,
    number_in,
)
from streams.layouts.raw_rows import put_rows
from streams.layouts.sparse import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    _Step = Callable[[Rows, Rows], None]

_MERGES: dict[str, Any] = {"sum": np.add, "larger": np.maximum, "union": np.bitwise_or}


class Reader:
    """Reads one kind of record.

    Parameters
    ----------
    record
        Its present layout.
    layouts
        Those in which records may be written, by number.

    Raises
    ------
    LayoutError
        When there is one of this kind of record that cannot be read.
    """

    def __init__(self, record: Record, layouts: Mapping[int, Layout]) -> None:
        self.record = record
        self._layouts = layouts
        self._conversions: dict[int | None, Conversion] = {}
        for number, layout in layouts.items():
            if layout.name == record.layout.name:
                self._conversions[number] = Conversion(layout, record)

    def rows(self, values: Sequence[bytes]) -> Rows:
        """Return records in the present layout, changeable, in their order.

        Raises
        ------
        LayoutError
            When one of them is in a layout that is not known, or cannot be read.
        """
        joined = bytearray().join(values)
        if len(joined) == len(values) * self.record.dtype.itemsize:
            rows = np.frombuffer(joined, self.record.dtype)
            if (rows[HEAD] == self.record.head).all():
                return rows
        return self._converted(values)

    def current(self, value: bytes) -> bytes:
        """Return the bytes of a record in the present layout."""
        return value if value[:8] == self.record.empty[:8] else self.rows([value]).tobytes()

    def _converted(self, values: Sequence[bytes]) -> Rows:
        numbers = [number_in(value) for value in values]
        rows = np.empty(len(values), self.record.dtype)
        for number in set(numbers):
            places = [place for place, of_value in enumerate(numbers) if of_value == number]
            of_number = [values[place] for place in places]
            if number == self.record.layout.number:
                read = _read(of_number, self.record.dtype, self.record.layout.name)
            else:
                read = self.conversion(number)(of_number)
            put_rows(rows, np.array(places), read)
        return rows

    def knows(self, number: int) -> bool:
        """Tell whether a number is that of a layout of this kind of record."""
        return number == self.record.layout.number or number in self._conversions

    def layout(self, number: int | None) -> Layout:
        """Return the layout of a number, `None` for that of the first release.

        Raises
        ------
        LayoutError
            When it is not known.
        """
        name = self.record.layout.name
        if number is None:
            return FIRST[name]
        if number == self.record.layout.number:
            return self.record.layout
        try:
            return self._layouts[number]
        except KeyError:
            raise LayoutError(f"a {name} record", f"no layout {number:08x}") from None

    def conversion(self, number: int | None) -> Conversion:
        """Return what converts records of a layout.

        Raises
        ------
        LayoutError
            When it is not known, or cannot be read.
        """
        if number not in self._conversions:
            self._conversions[number] = Conversion(self.layout(number), self.record)
        return self._conversions[number]


class Conversion:
    """From one layout of a record to the present one.

    Parameters
    ----------
    source
        The layout.
    target
        The present one.

    Raises
    ------
    LayoutError
        When something cannot be converted.
    """

    def __init__(self, source: Layout, target: Record) -> None:
        assert source.name == target.layout.name
        self._name = source.name
        self._source, self._target = _flat(source), _flat(target.layout)
        self._empty = target
        self._columns = {name: of.columns or () for name, of in target.layout.fields.items()}
        self._steps = [
            self._step(name, source.fields[name], field, source)
            for name, field in target.layout.fields.items()
            if name in source.fields and name != HEAD
        ]
        self._new_columns = [
            (name, values)
            for name, values in target.defaults.items()
            if name not in source.fields and any(values)
        ]

    def __call__(self, values: Sequence[bytes]) -> Rows:
        """Return the present form of records that are written in the source layout.

        Raises
        ------
        LayoutError
            When one of them is of another size.
        """
        old, rows = self.raw(values), self._empty.new(len(values))
        new = rows.view(self._target)
        for step in self._steps:
            step(old, new)
        for name, columns in self._new_columns:
            new[name] = columns
        return rows

    def raw(self, values: Sequence[bytes]) -> Rows:
        """Return the records as they are written, the fields of nested ones beside the others.

        Raises
        ------
        LayoutError
            When one of them is of another size.
        """
        return _read(values, self._source, self._name)

    def _step(self, name: str, old: Field, new: Field, source: Layout) -> _Step:
        """Return what brings one field over."""
        if not np.can_cast(np.dtype(old.type), np.dtype(new.type)):
            self._refuse(name, f"{old.type} has values that {new.type} has not")
        if old.columns is not None and new.columns is not None:
            return _columns(name, old.columns, new.columns, self._empty.defaults[name])
        if old.places_in is not None and new.places_in is not None:
            names = source.fields[old.places_in].columns, self._columns[new.places_in]
            return _places(name, names[0] or (), names[1])
        if old.ring is not None and new.ring is not None and old.ring != new.ring:
            if old.ring.clock not in source.fields:
                self._refuse(name, f"its clock {old.ring.clock} is missing")
            return _rings(name, old, new)
        if old.shape != new.shape:
            self._refuse(name, f"{old.shape} numbers have become {new.shape}")
        return _same(name)

    def _refuse(self, field: str, reason: str) -> None:
        raise LayoutError(f"a {self._name} record", f"{field}: {reason}")


def _read(values: Sequence[bytes], dtype: np.dtype[np.void], name: str) -> Rows:
    """Return records as they are written, with or without their zeros."""
    try:
        return np.frombuffer(whole(values, dtype.itemsize), dtype)
    except ValueError:
        raise LayoutError(f"a {name} record", "its size is that of no known layout") from None


def _flat(layout: Layout) -> np.dtype[np.void]:
    """Return the dtype of a record whose nested fields stand beside the others."""
    fields = layout.fields
    return np.dtype(
        {
            "names": list(fields),
            "formats": [(field.type, field.shape) for field in fields.values()],
            "offsets": [field.place for field in fields.values()],
            "itemsize": layout.size_bytes,
        }
    )


def _same(name: str) -> _Step:
    def step(old: Rows, new: Rows) -> None:
        new[name] = old[name]

    return step


def _columns(
    name: str, old_names: Sequence[str], new_names: Sequence[str], defaults: Sequence[float]
) -> _Step:
    places = {column: place for place, column in enumerate(old_names)}
    both = [place for place, column in enumerate(new_names) if column in places]
    sources = [places[new_names[place]] for place in both]

    def step(old: Rows, new: Rows) -> None:
        new[name] = defaults
        new[name][:, both] = old[name][:, sources]

    return step


def _places(name: str, old_names: Sequence[str], new_names: Sequence[str]) -> _Step:
    of_new = {column: place for place, column in enumerate(new_names)}
    new_places = np.full(NO_PLACE + 1, NO_PLACE, np.uint8)
    new_places[: len(old_names)] = [of_new.get(column, NO_PLACE) for column in old_names]

    def step(old: Rows, new: Rows) -> None:
        new[name] = new_places[old[name]]

    return step


def _rings(name: str, old: Field, new: Field) -> _Step:
    assert old.ring is not None
    assert new.ring is not None
    clock, merge = old.ring.clock, _MERGES[old.ring.merge]
    of_old = {tiles.window: (at, tiles) for at, tiles in _placed(old.ring.tiles)}
    pairs = [(*of_old[t.window], at, t) for at, t in _placed(new.ring.tiles) if t.window in of_old]

    def step(old: Rows, new: Rows) -> None:
        newest = old[clock].astype(np.int64)
        for old_at, source, new_at, target in pairs:
            if source.words != target.words:
                continue
            was = old[name][:, old_at : old_at + source.slots * source.words]
            now = new[name][:, new_at : new_at + target.slots * target.words]
            shape = (len(old), -1, source.words)
            _move(was.reshape(shape), source, now.reshape(shape), target, newest, merge)

    return step


def _placed(of_windows: Sequence[Tiles]) -> list[tuple[int, Tiles]]:
    """Return where the tiles of each window begin."""
    placed, place = [], 0
    for tiles in of_windows:
        placed.append((place, tiles))
        place += tiles.slots * tiles.words
    return placed


def _move(
    was: Any, source: Tiles, now: Any, target: Tiles, clock: np.ndarray[Any, Any], merge: Any
) -> None:
    """Move a window's tiles, [records, slots, words], to tiles of another length."""
    old_s, new_s = int(source.tile_s), int(target.tile_s)
    rows, last = np.arange(len(was)), clock // new_s
    limit = np.iinfo(now.dtype).max if now.dtype.kind == "u" else np.inf
    for ago in range(source.slots):
        tile = clock // old_s - ago
        goes_to = np.minimum(((tile + 1) * old_s - 1) // new_s, last)
        kept = rows[(last - goes_to < target.slots) & (tile >= 0)]
        values = was[kept, (tile % source.slots)[kept]]
        slots = (goes_to % target.slots)[kept]
        if merge is np.add:
            total = now[kept, slots].astype(np.float64) + values
            now[kept, slots] = np.minimum(total, limit)
        else:
            now[kept, slots] = merge(now[kept, slots], values)
