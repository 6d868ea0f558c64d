"""What the values of a Parquet column are in JSON.

===================  =========================================================================
integer, floating,   themselves, and so are lists and structs of them; NaN is null
boolean, text
timestamp            as `created` Unix seconds, one without a zone taken for UTC; else ISO text
date, time           ISO text
duration             seconds; text as `created`, since it is no time
decimal              a number; text where no number of JSON's is exactly it, and as `amount`
                     where it has decimal places, since these may be of major units
binary               its text if it is UTF-8, hexadecimal digits if not
map                  an object
extension            as what it is stored as; a UUID its text
===================  =========================================================================

What JSON has nothing for, such as a date after the year 9999, is null.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as pt

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS_PER_S: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LARGEST_INTEGER: Final = 2**64 - 1

_UNREADABLE: Final = (ValueError, OverflowError, pa.ArrowException)


def is_plain(type_: pa.DataType) -> bool:
    """Return whether the values of a type are JSON's as Arrow gives them."""
    if pt.is_struct(type_):
        return all(is_plain(type_.field(i).type) for i in range(type_.num_fields))
    if pt.is_list(type_) or pt.is_large_list(type_):
        return is_plain(type_.value_type)
    return (
        pt.is_integer(type_)
        or pt.is_floating(type_)
        or pt.is_boolean(type_)
        or pt.is_string(type_)
        or pt.is_large_string(type_)
        or pt.is_null(type_)
    )


def json_values(column: Any, name: str) -> list[Any]:
    """Return the values of a column, as they are in JSON.

    Parameters
    ----------
    column
        N values.
    name
        The column's name: `created` and `amount` are read in their own ways.

    Returns
    -------
    list
        N values, `None` for nothing.

    Examples
    --------
    >>> json_values(pa.array([1790000000123], pa.timestamp("ms")), "created")
    [1790000000.123]
    >>> json_values(pa.array([Decimal("0.30"), None]), "fee")
    [0.3, None]
    >>> json_values(pa.array([Decimal("20.00")]), "amount")
    ['20.00']
    """
    type_ = column.type
    if pt.is_dictionary(type_):
        return json_values(column.dictionary_decode(), name)
    if isinstance(column, pa.ExtensionArray) and not isinstance(column, pa.UuidArray):
        return json_values(column.storage, name)
    if pt.is_timestamp(type_) and name == "created":
        return _seconds(column, type_.unit)
    if is_plain(type_):
        return _listed(column)
    values = _listed(_in_readable_units(column), maps_as_pydicts="lossy")
    convert = _converter(type_, name)
    return [None if value is None else convert(value) for value in values]


def _seconds(column: pa.Array[Any], unit: str) -> list[Any]:
    units = column.cast(pa.int64())
    if unit == "s":
        return units.to_pylist()
    return pc.divide(units.cast(pa.float64(), safe=False), float(_UNITS_PER_S[unit])).to_pylist()


def _listed(column: Any, **options: Any) -> list[Any]:
    """Return Python's values, `None` for what it has none for."""
    try:
        values: list[Any] = column.to_pylist(**options)  # several times as fast without options
    except _UNREADABLE:
        values = [_value(scalar) for scalar in column]
    return values


def _value(scalar: Any) -> object:
    try:
        if pt.is_string(scalar.type) or pt.is_large_string(scalar.type):
            as_bytes = scalar.as_buffer()
            return as_bytes and as_bytes.to_pybytes().decode(errors="backslashreplace")
        return scalar.as_py(maps_as_pydicts="lossy")
    except _UNREADABLE:
        return None


def _in_readable_units(column: pa.Array[Any]) -> pa.Array[Any]:
    try:
        return column.cast(_readable(column.type), safe=False)
    except pa.ArrowException:
        return column


def _readable(type_: pa.DataType) -> pa.DataType:
    """Return a type in units that Python has, wherever they are in it."""
    if pt.is_struct(type_):
        fields = [type_.field(i) for i in range(type_.num_fields)]
        return pa.struct([field.with_type(_readable(field.type)) for field in fields])
    if pt.is_map(type_):
        return pa.map_(_readable(type_.key_type), _readable(type_.item_type))
    if pt.is_large_list(type_):
        return pa.large_list(_readable(type_.value_type))
    if pt.is_list(type_) or pt.is_fixed_size_list(type_):
        return pa.list_(_readable(type_.value_type))
    return _readable_alone(type_)


def _readable_alone(type_: pa.DataType) -> pa.DataType:
    if pt.is_timestamp(type_):
        return pa.timestamp("us", None if type_.tz is None else "UTC")
    if pt.is_time64(type_):
        return pa.time64("us")
    return pa.duration("us") if pt.is_duration(type_) else type_


def _converter(type_: Any, name: str) -> Callable[[Any], object]:
    if pt.is_duration(type_) and name == "created":
        return str
    if not pt.is_decimal(type_):
        return _json
    if name == "created":
        return float
    return _decimal_text if name == "amount" and type_.scale > 0 else _decimal


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


def _decimal(value: Decimal) -> object:
    if value == value.to_integral_value():
        return int(value) if abs(value) <= _LARGEST_INTEGER >> (value < 0) else _decimal_text(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else _decimal_text(value)


def _json(value: Any) -> object:
    """Return what JSON has for a value, or for what is in it; orjson knows the rest."""
    match value:
        case dict():
            return {_key(key): _json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_json(inner) for inner in value]
        case bytes():
            return _text(value)
        case Decimal():
            return _decimal(value)
        case timedelta():
            return value.total_seconds()
    return value


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _key(key: object) -> str:
    key = _json(key)
    return key if isinstance(key, str) else str(key)
