"""What is printed and kept: tables as Markdown, and all figures as JSON."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGES = ("lightgbm", "numba", "numpy", "river")


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as they are shown; the first column is of names, the others are of numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return it as text that also reads well unrendered.

        >>> print(Table("Fruit", ("", "price"), [("pear", "12"), ("fig", "7")]).markdown())
        **Fruit**
        <BLANKLINE>
        |      | price |
        | :--- | ----: |
        | pear |    12 |
        | fig  |     7 |
        <BLANKLINE>
        """
        lines = [self.columns, *self.rows]
        widths = [max(4, *(len(line[i]) for line in lines)) for i in range(len(self.columns))]
        rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
        shown = [
            f"| {' | '.join(_padded(line, widths))} |" for line in (lines[0], rule, *lines[1:])
        ]
        return "\n".join((f"**{self.title}**", "", *shown, ""))


@dataclass(frozen=True, slots=True)
class Findings:
    """What one part of the run found.

    Attributes
    ----------
    name
        Of the part, and of its files.
    about
        What was done, a line each.
    tables
        For people.
    figures
        The same and more, as plain JSON values.
    picture
        An SVG, if there is one.
    """

    name: str
    about: Sequence[str]
    tables: Sequence[Table]
    figures: dict[str, Any]
    picture: bytes = field(default=b"", repr=False)

    def markdown(self) -> str:
        """Return what is printed."""
        tables = [table.markdown() for table in self.tables]
        return "\n".join((f"## {self.name}", "", machine(), *self.about, "", *tables))

    def write(self, directory: Path) -> None:
        """Write ``NAME.md``, ``NAME.json`` and perhaps ``NAME.svg``."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.md").write_text(self.markdown(), encoding="utf-8")
        kept = {"machine": machine(), "about": self.about, **self.figures}
        (directory / f"{self.name}.json").write_bytes(
            orjson.dumps(kept, option=orjson.OPT_INDENT_2)
        )
        if self.picture:
            (directory / f"{self.name}.svg").write_bytes(self.picture)


def machine() -> str:
    """Return what figures depend on, in a line."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{_cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}; "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}"
    )


def _cpu() -> str:
    facts = Path("/proc/cpuinfo")
    text = facts.read_text() if facts.exists() else ""
    found = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
