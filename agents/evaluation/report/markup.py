"""The few pieces of HTML that the report is made of."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from agents.evaluation.report.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.evaluation.formatting import Headline


class Bar(NamedTuple):
    """A cell that shows a share from 0 to 1 as a bar behind its text; None for no bar."""

    text: str
    share: float | None


class Text(NamedTuple):
    """A cell of words, not of figures."""

    text: str


Cell = str | Bar | Text


class Group(NamedTuple):
    """Rows of a table that belong together, under a title if there is one."""

    title: str
    rows: Iterable[Sequence[Cell]]


def document(title: str, subtitle: str, notes: str, content: str) -> str:
    """Return a page: its head, notes below that, and its sections."""
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n<p>{escape(subtitle)}</p>\n"
        f"{notes}</header>\n<main>\n{content}</main>\n"
        "<footer>Amounts are in US dollars at fixed rates; days are in UTC.</footer>\n"
        "</body>\n</html>\n"
    )


def cards(headlines: Iterable[Headline]) -> str:
    """Return the figures that matter most, each on a card."""
    items = "\n".join(
        f"<li><div class='name'>{escape(name)}</div><div class='value'>{escape(value)}</div>"
        f"<div class='meaning'>{escape(meaning)}</div></li>"
        for name, value, meaning in headlines
    )
    return f"<ul class='cards'>\n{items}\n</ul>\n"


def section(title: str, about: str, *content: str) -> str:
    """Return a section with what it is about in a sentence or two."""
    head = f"<h2>{escape(title)}</h2>\n<p class='about'>{escape(about)}</p>"
    return f"<section>\n{head}\n{''.join(content)}</section>\n"


def pair(*content: str) -> str:
    """Put pieces side by side where there is room."""
    return f"<div class='pair'>\n{''.join(content)}</div>\n"


def figure(image: str, alt: str, caption: str) -> str:
    """Return a plot, with its words for those who do not see it."""
    return (
        f"<figure><img src='{image}' alt='{escape(alt)}'>"
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def note(text: str) -> str:
    """Return a remark that should not be missed."""
    return f"<p class='note'>{escape(text)}</p>\n"


def details(summary: str, content: str) -> str:
    """Return what is shown on request."""
    return f"<details><summary>{escape(summary)}</summary>\n{content}</details>\n"


def table(caption: str, columns: Sequence[str | Text], *groups: Group) -> str:
    """Return a table; the first cell of a row names it.

    >>> print(table("Cards", ["Card", "Charges"], Group("", [["new", Bar("7", 0.5)]])))
    <div class='scroll' tabindex='0'><table><caption>Cards</caption>
    <thead><tr><th scope='col'>Card</th><th scope='col'>Charges</th></tr></thead>
    <tbody>
    <tr><th scope='row'>new</th><td class='bar' style='--share:50.0%'>7</td></tr>
    </tbody></table></div>
    <BLANKLINE>
    """
    head = "".join(map(_head, columns))
    body = "".join(_body(group, len(columns)) for group in groups)
    return (
        f"<div class='scroll' tabindex='0'><table><caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n{body}</table></div>\n"
    )


def _head(column: str | Text) -> str:
    if isinstance(column, Text):
        return f"<th scope='col' class='text'>{escape(column.text)}</th>"
    return f"<th scope='col'>{escape(column)}</th>"


def _body(group: Group, columns: int) -> str:
    title = f"<tr><th scope='rowgroup' colspan='{columns}'>{escape(group.title)}</th></tr>\n"
    rows = "".join(f"<tr>{''.join(map(_cell, row, range(columns)))}</tr>\n" for row in group.rows)
    return f"<tbody>\n{title if group.title else ''}{rows}</tbody>"


def _cell(cell: Cell, column: int) -> str:
    if column == 0:
        return f"<th scope='row'>{escape(str(cell))}</th>"
    match cell:
        case Bar(text, None) | str(text):
            return f"<td>{escape(text)}</td>"
        case Bar(text, share):
            return f"<td class='bar' style='--share:{share:.1%}'>{escape(text)}</td>"
        case Text(text):
            return f"<td class='text'>{escape(text)}</td>"
