"""The models of an installation in lines: who scores, and how well each of them has scored."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from agents.learning.model_registry import ModelBook
from agents.models.track_record import figures_of
from schemas.snapshot import Snapshot
from streams.durations import DAY_S

MODEL_HEADS = (
    *("model", "role", "kind", "version", "examples", "up to", "days behind"),
    *("charges", "frauds", "AUC", "AP", "log loss", "Brier"),
)
_LEFT, _FIGURES = 4, 6  # columns of text, and of how well it has scored


class Entry(NamedTuple):
    """A model in one of its roles, and the snapshot it stands for."""

    name: str
    role: str
    snapshot: Snapshot | None


def entries(book: ModelBook) -> list[Entry]:
    """Return the champion first; while it is frozen, what its learner has reached comes after."""
    champion = book.champion
    role = "champion, frozen" if champion.frozen else "champion"
    found = [Entry(champion.name, role, book.scoring())]
    if champion.frozen is not None:
        found.append(Entry(champion.name, "learns on", book.newest(champion.name)))
    others = [name for name in book.names if name != champion.name]
    return found + [Entry(name, "challenger", book.newest(name)) for name in others]


def model_lines(book: ModelBook) -> Iterator[str]:
    """Yield a table of the models, and what a rollback would bring back."""
    rows = [MODEL_HEADS, *model_rows(book)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if place < _LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
    if (before := former(book)) is not None:
        yield f"Before it scored {before} (`chargewatch models rollback`)."


def model_rows(book: ModelBook) -> list[tuple[str, ...]]:
    """Return a row of each model, in words, as `MODEL_HEADS` has it."""
    found = entries(book)
    newest = max((entry.snapshot.created for entry in found if entry.snapshot), default=0.0)
    return [_row(entry, newest) for entry in found]


def former(book: ModelBook) -> str | None:
    """Return what a rollback brings back, `None` where nothing has scored before."""
    previous = book.champion.previous
    if previous is None:
        return None
    version = "the prior" if previous.snapshot is None else previous.snapshot.version
    return f"{previous.name}, at {version}"


def _row(entry: Entry, newest: float) -> tuple[str, ...]:
    snapshot = entry.snapshot
    if snapshot is None:
        return (entry.name, entry.role, "", "prior", *[""] * (len(MODEL_HEADS) - _LEFT))
    return (
        entry.name,
        entry.role,
        snapshot.kind,
        snapshot.version,
        f"{snapshot.examples:,}",
        f"{datetime.fromtimestamp(snapshot.created, UTC):%Y-%m-%d %H:%M}",
        f"{(newest - snapshot.created) / DAY_S:.1f}",
        *_figures(snapshot),
    )


def _figures(snapshot: Snapshot) -> tuple[str, ...]:
    try:
        charges, frauds, *shares = figures_of(snapshot)
    except KeyError:  # published by a version that did not count them
        return ("",) * _FIGURES
    written = ("" if math.isnan(share) else f"{share:.4f}" for share in shares)
    return (f"{charges:,.0f}", f"{frauds:,.0f}", *written)
