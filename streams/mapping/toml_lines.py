"""TOML as proposals are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBERED: Final = re.compile(r"(.*?[A-Za-z_])[0-9]+")


@dataclass(frozen=True)
class Line:
    """A line of the proposal."""

    key: str
    toml: str
    doubt: str = ""

    def __str__(self) -> str:
        text = f"{self.key} = {self.toml}"
        return f"{text}  # not sure: {self.doubt}" if self.doubt else text


def listed(names: Sequence[str]) -> str:
    """Return names as a list of TOML."""
    return f"[{', '.join(map(quoted, names))}]"


def patterns(names: Sequence[str]) -> list[str]:
    """Return names, those that differ by a number alone as one pattern."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        match = _NUMBERED.fullmatch(name)
        groups.setdefault(f"{match[1]}*" if match else name, []).append(name)
    found: list[str] = []
    for pattern, members in groups.items():
        if pattern.endswith("*") and len(members) > 3:
            found.append(_escaped(pattern[:-1]) + "*")
        else:
            found += map(_escaped, members)
    return found


def _escaped(name: str) -> str:
    """Return a pattern that a name fits, whatever characters of patterns it has."""
    return re.sub(r"[*\[]", "?", name)


def quoted(text: str) -> str:
    """Return a text of TOML."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
