"""JSON text of events: lines, an array, or objects over several lines, told by how it begins."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_FIRST_BYTES: Final = 1 << 16
_VALUE_BYTES_MAX: Final = 16 << 20

_OTHERS: Final = {
    b"\xff\xfe": "UTF-16 text: convert it (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16 text: convert it (iconv -f UTF-16 -t UTF-8)",
    b"{\0": "UTF-16 text: convert it (iconv -f UTF-16LE -t UTF-8)",
    b"\0{\0": "UTF-16 text: convert it (iconv -f UTF-16BE -t UTF-8)",
    b"[\0": "UTF-16 text: convert it (iconv -f UTF-16LE -t UTF-8)",
    b"\0[\0": "UTF-16 text: convert it (iconv -f UTF-16BE -t UTF-8)",
    b"\x1f\x8b": "gzip: let its name end in .gz",
    b"\x28\xb5\x2f\xfd": "zstd: let its name end in .zst",
    b"PAR1": "Parquet: let its name end in .parquet",
}

_ARRAY: Final = re.compile(rb"\s*\[\s*(\{|\]\s*\Z)")
# An object goes on after a line that ends like this. After a comma another one does not begin: then
# the line is one that was cut off, and costs no other.
_OPEN_LINE: Final = re.compile(
    rb"\s*\{(?:[^\r\n]*[{\[]|[^\r\n]*\},|[^\r\n]*,(?!\s*\{))?[ \t]*\r?\n"
)
_BETWEEN: Final = re.compile(rb"[\s,]++")
# Possessive: what does not match yet is not tried again in other ways.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN: Final = rb'[^"{}\[\]]*+'
_TO_BRACKET: Final = re.compile(_PLAIN + rb"(?:" + _STRING + _PLAIN + rb")*+([{}\[\]])", re.DOTALL)
_OTHER_VALUE: Final = re.compile(_STRING + rb'|[^\s,\[\]{}"]++', re.DOTALL)


class JsonTextError(ValueError):
    """The text is none of what is read; the message says what it is, or where it ends."""


def events_in(chunks: Iterator[bytes]) -> Iterator[bytes]:
    r"""Yield the events of JSON text, a byte order mark left out.

    Parameters
    ----------
    chunks
        The text, cut anywhere. It is JSON Lines, unless it begins as an array of objects does, or
        as an object over several lines: then each element or object is an event.

    Raises
    ------
    JsonTextError
        When it is no UTF-8, or packed; when an array or an object is cut off.

    Examples
    --------
    >>> list(events_in(iter([b'[{"id":"c1"},', b' {"id":"c2"}]'])))
    [b'{"id":"c1"}', b'{"id":"c2"}']
    >>> list(events_in(iter([b'{"id":"c1"}', b'\r\n{"id":"c2"}'])))
    [b'{"id":"c1"}', b'{"id":"c2"}']
    """
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= _FIRST_BYTES:
            break
    for mark, what in _OTHERS.items():
        if first.startswith(mark):
            raise JsonTextError(f"expected JSON, got what looks like {what}")
    first = first.removeprefix(_BYTE_ORDER_MARK)
    text = chain([first], chunks)
    if _ARRAY.match(first) or _OPEN_LINE.match(first):
        return _values(text)
    return _lines(text)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        may_be_marked = _BYTE_ORDER_MARK[0] in chunk or _BYTE_ORDER_MARK[0] in rest
        *lines, rest = (rest + chunk).split(b"\n")
        if may_be_marked:  # where files were put together
            lines = [line.removeprefix(_BYTE_ORDER_MARK) for line in lines]
        for line in lines:
            if event := line.removesuffix(b"\r"):
                yield event
    if event := rest.removeprefix(_BYTE_ORDER_MARK).removesuffix(b"\r"):
        yield event


def _values(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the elements of an array, or values one after another; commas are not asked for."""
    text, start, passed, in_array = b"", 0, 0, False
    for chunk in chain(chunks, [b"\n"]):  # which ends a number at the end of the text
        passed += start
        text, start = text[start:] + chunk, 0
        while start < len(text):
            between = _BETWEEN.match(text, start)
            here = text[start : start + 1]
            if between:
                start = between.end()
            elif here == (b"]" if in_array else b"["):
                start, in_array = start + 1, not in_array
            elif here in b"}]":
                raise JsonTextError(
                    f"byte {passed + start}: expected an event, got {here.decode()}"
                )
            elif (end := _end_of_value(text, start)) is None:
                break
            else:
                yield text[start:end]
                start = end
        if len(text) - start > _VALUE_BYTES_MAX:
            raise JsonTextError(f"byte {passed + start}: an event that does not end")
    if in_array or text[start:]:
        raise JsonTextError("the JSON is cut off")


def _end_of_value(text: bytes, start: int) -> int | None:
    """Return where a value ends, `None` if that is further on than the text."""
    if text[start] not in b"{[":
        other = _OTHER_VALUE.match(text, start)
        return other.end() if other and other.end() < len(text) else None
    depth, end = 0, start
    while bracket := _TO_BRACKET.match(text, end):
        depth += 1 if bracket[1] in b"{[" else -1
        end = bracket.end()
        if not depth:
            return end
    return None
