"""What a batch of messages adds to the tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from schemas.reviews import Review

Row = dict[str, Any]
"""A row of a table, by the names of its columns."""

Place = tuple[str, int]
"""A topic and a partition."""


class Key(NamedTuple):
    """What a charge is found by."""

    charge: str
    card: str


@dataclass(slots=True)
class Batch:
    """Rows by their tables, in the order of each partition, and the offsets that come next."""

    charges: list[Row] = field(default_factory=list)
    details: list[Row] = field(default_factory=list)
    disputes: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    rejected: list[Row] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    positions: dict[Place, int] = field(default_factory=dict)
