"""The pages of the repository, and what can be read from their Markdown."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NOT_OURS = {"build", "state"}
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """Return every page of Markdown, by its path below the root."""
    found = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name[0] != "." and name not in _NOT_OURS]
        found += [Path(folder, file).relative_to(ROOT) for file in files if file.endswith(".md")]
    return sorted(found)


def text_of(page: Path | str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page: Path | str) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", text_of(page))


def links(page: Path) -> list[str]:
    """Return where a page points to within the repository."""
    return [link for link in _LINK.findall(prose(page)) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    return {anchor(heading) for heading in _HEADING.findall(prose(page))}


def anchor(heading: str) -> str:
    """Return the anchor of a heading.

    >>> anchor("`additive`, and its *Cells*")
    'additive-and-its-cells'
    """
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def first_cells(page: Path | str) -> set[str]:
    """Return what is in backticks in the first cells of a page's tables."""
    cells = re.findall(r"^\| (.*?) \|", text_of(page), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
