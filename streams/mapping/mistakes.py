"""What is wrong with a mapping: all of it at once, each with its place and what may be meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from schemas.printable import printable
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTED_MAX: Final = 60
_SHOWN_MAX: Final = 30


class MappingError(OperationalError):
    """A mapping cannot be used; the message names every mistake."""


class Mistakes:
    """Gathers the mistakes of one mapping.

    Parameters
    ----------
    name
        Of the mapping.

    Examples
    --------
    >>> mistakes = Mistakes("own.toml")
    >>> mistakes.unknown("charge", "amont", ["amount", "card"])
    >>> mistakes.settle()
    Traceback (most recent call last):
    streams.mapping.mistakes.MappingError: own.toml: charge.amont: unknown; did you mean amount?
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[str] = []

    def add(self, place: str, why: str) -> None:
        """Add what is wrong at a place."""
        self._found.append(printable(f"{place}: {why}" if place else why))

    def unknown(self, place: str, name: str, known: Iterable[str]) -> None:
        """Add a name that there is none of at a place."""
        where = f"{place}.{quoted(name)}" if place else quoted(name)
        self.add(where, f"unknown; {meant(name, known)}")

    def settle(self) -> None:
        """Raise a `MappingError` if there is any mistake."""
        if not self._found:
            return
        if len(self._found) == 1:
            raise MappingError(f"{self._name}: {self._found[0]}")
        shown = self._found[:_SHOWN_MAX]
        if len(self._found) > len(shown):
            shown.append(f"and {len(self._found) - len(shown):,} more")
        lines = "".join(f"\n  {mistake}" for mistake in shown)
        raise MappingError(f"{self._name}: {len(self._found):,} mistakes:{lines}")


def meant(name: str, known: Iterable[str]) -> str:
    """Say what may be meant by a name, or which there are.

    Examples
    --------
    >>> meant("cc_nmu", ["cc_num", "amt"]), meant("x", ["cc_num", "amt"])
    ('did you mean cc_num?', 'expected one of cc_num, amt')
    """
    names = list(known)
    lower = {each.lower(): each for each in reversed(names)}
    if near := get_close_matches(name.lower()[:200], list(lower), 1):
        return f"did you mean {lower[near[0]]}?"
    if not names:
        return "there are none"
    return f"expected one of {', '.join(names[:_SHOWN_MAX])}" + (
        ", ..." if len(names) > _SHOWN_MAX else ""
    )


def quoted(content: object) -> str:
    """Return something short of what was written, fit to be in a message."""
    text = content if isinstance(content, str) else repr(content)
    return text if len(text) <= _QUOTED_MAX else f"{text[:_QUOTED_MAX]}..."
