"""What pages point to is there: links, headings, files and modules that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, links, pages, text_of

PLACEHOLDERS = ("ENTITY", "KIND")
FILE = re.compile(r"`((?:agents|deploy|schemas|streams|tests)/[\w./-]+)`")
MODULE = re.compile(r"python -m ((?:agents|deploy|schemas|streams|tests)[\w.]*)")

every_page = pytest.mark.parametrize("page", pages(), ids=str)


def test_there_are_pages() -> None:
    assert {Path("README.md"), Path("ARCHITECTURE.md"), Path("CONTRIBUTING.md")} < set(pages())


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        file, _, heading = link.partition("#")
        target = (ROOT / page.parent / file).resolve() if file else ROOT / page
        if not target.exists() or (heading and heading not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "RESULTS.md"], ids=str)
def test_named_files_and_modules_are_there(page: Path) -> None:
    """Results are of their time; other pages are of the code as it is."""
    text = text_of(page)
    files = {name for name in FILE.findall(text) if not any(p in name for p in PLACEHOLDERS)}
    assert [name for name in sorted(files) if not (ROOT / name).exists()] == []
    modules = [ROOT / name.rstrip(".").replace(".", "/") for name in MODULE.findall(text)]
    assert [m for m in modules if not (m.is_dir() or m.with_suffix(".py").exists())] == []


def test_every_page_is_linked() -> None:
    linked = {
        (ROOT / page.parent / link.partition("#")[0]).resolve()
        for page in pages()
        for link in links(page)
        if link.partition("#")[0]
    }
    folders = {target / "README.md" for target in linked if target.is_dir()}
    start = ROOT / "README.md"
    assert {ROOT / page for page in pages()} - linked - folders - {start} == set()
