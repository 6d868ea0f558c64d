"""Entries of the named lists that rules ask for, as they are on a compacted topic.

An entry is keyed by its list and its value. A later one takes the place of an earlier one, and so
has all periods in it; none with its key (a tombstone) takes it off the list as if it had never been
there.
"""

import re
from itertools import pairwise
from math import inf
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from schemas.addresses import range_of
from schemas.card_numbers import contains_card_number
from schemas.edits import Author, MadeFrom, Note, Version, WrittenAt, decoded
from schemas.fields import Timestamp
from schemas.rejected import InvalidEvent

NAME: Final = "[A-Za-z0-9_-]+"
"""The names of lists, as rules have them."""

NAME_CHARACTERS_MAX: Final = 64

EARLIER_MAX: Final = 100
"""Periods before the present one that an entry holds; the oldest are left out."""

Name = Annotated[str, Meta(pattern=f"^{NAME}$", max_length=NAME_CHARACTERS_MAX)]
Value = Annotated[str, Meta(min_length=1, max_length=256)]


class ListEntry(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"start": "from"},
):
    """One value on a named list, keyed by both; `from` up to `until` is event time."""

    list: Annotated[Name, Meta(description="the list's name, as rules have it behind `@`")]
    value: Annotated[
        Value,
        Meta(
            description="what is on the list: a text, also a number if it reads as one, or a range "
            "of IP addresses, such as `10.0.0.0/8`; never a card number"
        ),
    ]
    start: Annotated[
        Timestamp, Meta(description="from when on it is on the list, Unix seconds")
    ] = 0.0
    until: Annotated[
        Timestamp | None,
        Meta(description="from when on it is no longer on it, Unix seconds; missing: for ever"),
    ] = None
    note: Note = ""
    by: Author = ""
    at: WrittenAt
    version: Version
    made_from: MadeFrom = 0
    earlier: Annotated[
        tuple[tuple[Timestamp, Timestamp], ...],
        Meta(
            max_length=EARLIER_MAX,
            description="from when on and until when it was on the list before, in order",
        ),
    ] = ()


class Removed(NamedTuple):
    """A value that is taken off a list, with all that was known of it."""

    list: str
    value: str


def list_key(name: str, value: str) -> bytes:
    """Return the key of an entry.

    >>> list_key("blocked_cards", "tok_1")
    b'blocked_cards:tok_1'
    """
    return f"{name}:{value}".encode()


def periods_of(entry: ListEntry) -> tuple[tuple[float, float], ...]:
    """Return from when on and until when a value is on its list, in order.

    >>> entry = ListEntry(list="a", value="b", start=5.0, at=5.0, version=2, earlier=((1.0, 2.0),))
    >>> periods_of(entry)
    ((1.0, 2.0), (5.0, inf))
    """
    return (*entry.earlier, (entry.start, inf if entry.until is None else entry.until))


def encode_list_entry(entry: ListEntry) -> bytes:
    """Return the payload of an entry.

    Raises
    ------
    InvalidEvent
        As `decode_list_entry` would of it.
    """
    payload = _ENCODER.encode(entry)
    decode_list_entry(f"{entry.list}:{entry.value}".encode(errors="replace"), payload)
    return payload


def decode_list_entry(key: bytes | None, value: bytes) -> ListEntry:
    """Return the entry of a message.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none, `card_number` when its value looks
        like one, `range` when its value or its periods cannot be, and `key` when it has another
        key.
    """
    entry = decoded(_DECODER, value, "list entry")
    if not _NAME.fullmatch(entry.list):
        raise InvalidEvent("type", "list entry: list: expected letters, digits, `_` and `-`")
    _check_value(entry.value)
    _check_periods(entry)
    if key != list_key(entry.list, entry.value):
        raise InvalidEvent("key", "list entry: expected the list, `:` and the value as the key")
    return entry


def decode_list_change(key: bytes | None, value: bytes | None) -> ListEntry | Removed:
    """Return what a message of the topic changes: an entry, or what is taken off.

    Raises
    ------
    InvalidEvent
        As `decode_list_entry`; with reason `key` when nothing can be taken off by the key.

    Examples
    --------
    >>> decode_list_change(b"blocked_cards:tok_1", None)
    Removed(list='blocked_cards', value='tok_1')
    """
    if value is not None:
        return decode_list_entry(key, value)
    try:
        name, colon, of_list = (key or b"").decode().partition(":")
    except UnicodeDecodeError:
        colon = name = of_list = ""
    if not colon or not _NAME.fullmatch(name) or not of_list:
        raise InvalidEvent("key", "list entry: expected the list, `:` and the value as the key")
    return Removed(name, of_list)


def _check_value(value: str) -> None:
    if not value.isprintable():
        raise InvalidEvent("range", f"list entry: value: expected printable text, got {value!r}")
    if contains_card_number(value):
        message = "list entry: value: looks like a card number; put its token on the list"
        raise InvalidEvent("card_number", message)
    try:
        range_of(value)
    except ValueError as error:
        raise InvalidEvent("range", f"list entry: value: {error}") from None


def _check_periods(entry: ListEntry) -> None:
    """Check that every period has a length, and ends before the next one begins."""
    periods = periods_of(entry)
    if not all(start < until for start, until in periods):
        raise InvalidEvent("range", "list entry: from: expected a time before `until`")
    if any(one[1] > other[0] for one, other in pairwise(periods)):
        raise InvalidEvent("range", "list entry: earlier: expected one period after another")


_NAME: Final = re.compile(NAME)
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(ListEntry)
