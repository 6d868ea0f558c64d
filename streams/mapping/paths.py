"""Where a value is in a row: a column, or a dotted path into what is nested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.events.row_files import Row

    Get = Callable[[Row], object]


def getter(path: str, missing: frozenset[str] = frozenset()) -> Get:
    """Return what reads a path, giving `None` where there is nothing.

    Parameters
    ----------
    path
        A column's name, dots and all; or names of nested fields, or numbers in lists, with dots
        between.
    missing
        Texts that stand for nothing, beside the empty one.

    Examples
    --------
    >>> row = {"a.b": "1", "card": {"checks": [{"cvc": "pass"}]}, "note": ""}
    >>> [getter(path)(row) for path in ("a.b", "card.checks.0.cvc", "note", "card.no")]
    ['1', 'pass', None, None]
    """
    parts = path.split(".")

    def get(row: Row) -> object:
        value = row.get(path)
        if value is None and len(parts) > 1:
            value = _within(row, parts)
        return _given(value)

    def get_known(row: Row) -> object:
        value = get(row)
        return None if isinstance(value, str) and value in missing else value

    return get_known if missing else get


def top(path: str, row: Row) -> str:
    """Return the outermost name that a path begins with in a row.

    >>> top("card.number", {"card": {}}), top("a.b", {"a.b": 1})
    ('card', 'a.b')
    """
    return path if path in row else path.partition(".")[0]


def _given(value: object) -> object:
    """Return a value, `None` for an empty text and for what is no number."""
    if value == "":
        return None
    return None if value != value else value  # noqa: PLR0124 - NaN alone is not itself


def _within(row: Row, parts: list[str]) -> object:
    value: Any = row
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def text_of(value: object) -> str | None:
    """Return a value as text, `None` for what is none, such as an object.

    Examples
    --------
    >>> text_of(13926), text_of(2.0), text_of(0.5), text_of(True), text_of({})
    ('13926', '2', '0.5', 'true', None)
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
    return None
