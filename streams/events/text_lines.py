"""Lines of text from bytes of any encoding that files of tables come in."""

from __future__ import annotations

import codecs
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST_BYTES: Final = 1 << 16
_LINE_CHARACTERS_MAX: Final = 1 << 20


def line_blocks(
    chunks: Iterable[bytes], encoding: str | None, note: Callable[[str], None]
) -> Iterator[list[str]]:
    r"""Yield lines with their ends, many at a time, a byte order mark left out.

    Parameters
    ----------
    chunks
        The text, cut anywhere.
    encoding
        As Python names it; without one a byte order mark tells it, else it is UTF-8, and a line
        that is none is read as Windows-1252, in which Latin-1 is the same.
    note
        Is told when that happens.

    Examples
    --------
    >>> list(line_blocks([b"a\r\nM\xfcl", b"ler\n"], None, print))
    not all of it is UTF-8: the other lines are read as Windows-1252
    [['a\r\n', 'Müller\n']]
    """
    rest = iter(chunks)
    first = b""
    for chunk in rest:
        first += chunk
        if len(first) >= _FIRST_BYTES:
            break
    for mark, marked in _MARKS:
        if first.startswith(mark):
            first, encoding = first[len(mark) :], encoding or marked
            break
    decode = _Given(encoding) if encoding else _Guessing(note)
    return _split(chain([first], rest), decode)


class _Guessing:
    """Decodes whole lines as UTF-8, and each that is none as Windows-1252."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._rest = b""

    def __call__(self, chunk: bytes, *, is_last: bool) -> str:
        text = self._rest + chunk
        end = len(text) if is_last else max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if not end and len(text) > _LINE_CHARACTERS_MAX:
            end = len(text)
        text, self._rest = text[:end], text[end:]
        try:
            return text.decode()
        except UnicodeDecodeError:
            return "".join(map(self._line, text.splitlines(keepends=True)))

    def _line(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            self._note("not all of it is UTF-8: the other lines are read as Windows-1252")
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:
            return line.decode("latin-1")


class _Given:
    """Decodes a given encoding; what it has no character for becomes a replacement character."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")

    def __call__(self, chunk: bytes, *, is_last: bool) -> str:
        return self._decoder.decode(chunk, is_last)


def _split(chunks: Iterable[bytes], decode: _Guessing | _Given) -> Iterator[list[str]]:
    """Yield lines that end in a line feed, or in a carriage return where there is none of these."""
    rest, end = "", ""
    for text in chain((decode(chunk, is_last=False) for chunk in chunks), _last(decode)):
        rest += text
        end = end or _end_in(rest)
        if not end:
            continue
        *lines, rest = rest.split(end)
        if lines:
            yield [line + end for line in lines]
        while len(rest) > _LINE_CHARACTERS_MAX:  # no line is: it is given in parts, and refused
            yield [rest[:_LINE_CHARACTERS_MAX]]
            rest = rest[_LINE_CHARACTERS_MAX:]
    if rest:
        yield [rest]


def _end_in(text: str) -> str:
    """Return what lines end in; nothing while none has ended."""
    if "\n" in text or len(text) > _LINE_CHARACTERS_MAX:
        return "\n"
    return "\r" if "\r" in text[:-1] else ""


def _last(decode: _Guessing | _Given) -> Iterator[str]:
    yield decode(b"", is_last=True)
