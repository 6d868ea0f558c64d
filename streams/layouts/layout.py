"""Layouts by name: what a record's bytes mean is written down, so that later versions read them.

A record of numpy fields is written as its bytes, behind a head of eight: the number of its layout,
and a mark. The number is that of a document, which names every field with its type and place; the
columns of a vector have the names of features, the tiles of a ring the window they belong to. The
documents are kept beside what is written in them: those of a task's records in its state, and so in
its changelog; and all of them, those of the messages on internal topics too, in
`chargewatch.installation`::

    | number, 0xFFFFFFFF | fields ... |          meta, layout/1f0c44aa -> {"name": "card", ...}

A record may be written without its zeros (`streams.layouts.sparse`).

What the first release wrote has no head. Its layouts are in `first_release.json`; as a float the
mark is no number, and as a day it is negative, so none of its values can begin with it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from zlib import crc32

import msgspec
import numpy as np

from streams.errors import OperationalError
from streams.layouts.sparse import HEAD_BYTES, sparse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Rows = np.ndarray[Any, np.dtype[np.void]]

_FORM: Final = 1
_MARK = b"\xff\xff\xff\xff"
HEAD = "layout"
"""The first field of every record that has a layout: `Record.head`."""


NO_PLACE: Final = 255
"""In the place of a column that is gone, where a field has places of columns."""


class LayoutError(OperationalError):
    """Something was written in a layout that this version cannot read."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            f"{what} was written by another version, in a layout that this one cannot read: "
            f"{reason}. Nothing has been changed: run the version that wrote it, or a later one"
        )


class Tiles(msgspec.Struct, frozen=True, array_like=True):
    """The tiles of one window in a ring: slot `tile % slots` holds `words` numbers of a tile."""

    window: str
    tile_s: float
    slots: int
    words: int = 1


class Ring(msgspec.Struct, frozen=True):
    """Rings of tiles, one behind the other, up to the tile of a clock.

    Attributes
    ----------
    tiles
        Of each window.
    clock
        The field with the time of the newest tile, Unix seconds.
    merge
        What two tiles become as one: their sum, the larger, or the union of their bits.
    """

    tiles: tuple[Tiles, ...]
    clock: str
    merge: Literal["sum", "larger", "union"] = "sum"


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field of a record.

    Attributes
    ----------
    type
        As numpy writes it.
    place
        Bytes before it.
    shape
        Of an array.
    columns
        What each number of a vector is; names are unique and keep their meaning.
    ring
        How the array is parted into tiles.
    places_in
        The vector whose columns the numbers are places of.
    """

    type: str
    place: int
    shape: tuple[int, ...] = ()
    columns: tuple[str, ...] | None = None
    ring: Ring | None = None
    places_in: str | None = None


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document: the fields of a record, those of a nested one as `outer.inner`."""

    name: str
    size_bytes: int
    fields: dict[str, Field]
    form: Literal[1] = _FORM

    @property
    def number(self) -> int:
        """The number under which it is known."""
        return crc32(self.encoded())

    def encoded(self) -> bytes:
        """Return the document as it is kept."""
        return msgspec.json.encode(self)


class Column(Protocol):
    """A column of a vector: a feature."""

    @property
    def name(self) -> str:
        """What it is; unique, and it keeps its meaning."""

    @property
    def default(self) -> float:
        """What stands in it in a record that was written without it."""


class Record:
    """The present layout of one kind of record.

    Parameters
    ----------
    name
        Of the kind; it never changes.
    dtype
        Its fields: `HEAD` first, where each has one.
    columns
        The columns of a vector, by its field, or their names alone.
    rings
        The rings of tiles, by field.
    places_in
        The vector whose columns the numbers of a field are places of, by field.
    is_sparse
        Whether it is written without its zeros.

    Attributes
    ----------
    layout
        Its document.
    head
        What the field `HEAD` of each record holds.
    defaults
        By the vector's field, what stands in a column that a record was written without.
    empty
        The bytes of a record that is all zeros but for its head.
    """

    def __init__(
        self,
        name: str,
        dtype: np.dtype[np.void],
        columns: Mapping[str, Sequence[Column] | Sequence[str]] | None = None,
        rings: Mapping[str, Ring] | None = None,
        places_in: Mapping[str, str] | None = None,
        *,
        is_sparse: bool = False,
    ) -> None:
        self.dtype = dtype
        self._is_sparse = is_sparse
        columns = columns or {}
        parts: dict[str, dict[str, Any]] = {
            "columns": {field: tuple(map(_name_of, of)) for field, of in columns.items()},
            "ring": dict(rings or {}),
            "places_in": dict(places_in or {}),
        }
        self.layout = Layout(name, dtype.itemsize, _fields_of(dtype, parts))
        self.head = self.layout.number | int.from_bytes(_MARK, "little") << 32
        self.defaults = {field: tuple(map(_default_of, of)) for field, of in columns.items()}
        empty = np.zeros(1, dtype)
        if HEAD in (dtype.names or ()):
            empty[HEAD] = self.head
        self.empty = empty.tobytes()

    def new(self, count: int) -> Rows:
        """Return empty records, changeable."""
        return np.frombuffer(bytearray(self.empty * count), self.dtype)

    def written(self, rows: Rows) -> list[bytes]:
        """Return N records as they are written."""
        if self._is_sparse:
            return sparse(rows)
        size, raw = self.dtype.itemsize, rows.tobytes()
        return [raw[start : start + size] for start in range(0, len(raw), size)]


def head_of(number: int) -> bytes:
    """Return the head of what is written in the layout of a number."""
    return number.to_bytes(4, "little") + _MARK


def number_in(value: bytes) -> int | None:
    """Return the number of the layout that a value is written in, `None` if it has no head.

    >>> number_in(head_of(7) + b"..."), number_in(b"of the first release")
    (7, None)
    """
    if value[4:HEAD_BYTES] != _MARK:
        return None
    return int.from_bytes(value[:4], "little")


def decode_layout(document: bytes, what: str) -> Layout:
    """Return the layout in a document.

    Raises
    ------
    LayoutError
        When the document itself is of a later form; `what` names what is written in it.
    """
    try:
        return msgspec.json.decode(document, type=Layout)
    except msgspec.MsgspecError as error:
        raise LayoutError(what, f"its layout is told in another form ({error})") from None


def _fields_of(
    dtype: np.dtype[np.void], parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Field]:
    assert dtype.fields is not None
    fields: dict[str, Field] = {}
    for name, (kind, place, *_) in dtype.fields.items():
        if kind.names is None:
            of_field = {part: told.get(name) for part, told in parts.items()}
            fields[name] = Field(kind.base.str, place, kind.shape, **of_field)
            _check(name, fields[name])
        else:
            for inner, field in _fields_of(kind, {}).items():
                moved = msgspec.structs.replace(field, place=place + field.place)
                fields[f"{name}.{inner}"] = moved
    return fields


def _check(name: str, field: Field) -> None:
    """Assert that the parts of an array add up to it."""
    if field.columns is not None:
        assert field.shape == (len(field.columns),), name
        assert len(set(field.columns)) == len(field.columns), name
    if field.ring is not None:
        assert field.shape == (sum(of.slots * of.words for of in field.ring.tiles),), name


def _name_of(column: Column | str) -> str:
    return column if isinstance(column, str) else column.name


def _default_of(column: Column | str) -> float:
    return 0.0 if isinstance(column, str) else column.default


FIRST: Mapping[str, Layout] = {
    layout.name: layout
    for layout in msgspec.json.decode(
        files("streams.layouts").joinpath("first_release.json").read_bytes(), type=list[Layout]
    )
}
"""The layouts of the first release, by the name of the record."""
