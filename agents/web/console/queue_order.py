"""Which charges of the queue somebody works off, and in which order: as the address has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self, cast, get_args
from urllib.parse import parse_qsl, urlencode

from agents.web.read_model.queries.cursors import cursor_of
from agents.web.read_model.queries.review_queue import QueueFilter, Sort
from streams.durations import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.web.read_model.queries.lines import ChargeLine

_SORTS: Final = get_args(Sort)
_QUERY_MAX: Final = 1000
_FIELDS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class QueueOrder:
    """What was asked for, each as it was written.

    Attributes
    ----------
    merchant, risk_min, usd_min, older_h, newer_h
        Of this merchant, at least of this risk and amount, of at least and at most this age in
        hours.
    sort
        Their order.
    free
        Whether those that another works at are left out.
    """

    merchant: str = ""
    risk_min: str = ""
    usd_min: str = ""
    older_h: str = ""
    newer_h: str = ""
    sort: str = "oldest"
    free: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read it from a query; what cannot be is as if it were not there."""
        sort = query.get("sort", "oldest")
        return cls(
            merchant=query.get("merchant", "")[:128],
            risk_min=_number(query.get("risk_min", "")),
            usd_min=_number(query.get("usd_min", "")),
            older_h=_number(query.get("older_h", "")),
            newer_h=_number(query.get("newer_h", "")),
            sort=sort if sort in _SORTS else "oldest",
            free="1" if query.get("free") else "",
        )

    @classmethod
    def read(cls, query: str) -> Self:
        """Read it from the text of a query."""
        return cls.of(dict(parse_qsl(query[:_QUERY_MAX], max_num_fields=_FIELDS_MAX)))

    @property
    def order(self) -> Sort:
        """Its order, as the read model has it."""
        return cast("Sort", self.sort)

    @property
    def query(self) -> str:
        """It as a query.

        >>> QueueOrder(risk_min="90", sort="risk").query
        'risk_min=90&sort=risk'
        """
        told = {name: getattr(self, name) for name in self.__slots__}
        return urlencode({name: value for name, value in told.items() if value})

    def no_older_than(self, hours: float) -> Self:
        """Return it without charges that are older.

        >>> QueueOrder(newer_h="1").no_older_than(4).newer_h, QueueOrder().no_older_than(4).newer_h
        ('1', '4')
        """
        if self.newer_h and float(self.newer_h) <= hours:
            return self
        return replace(self, newer_h=f"{hours:g}")

    def cursor(self, line: ChargeLine) -> str:
        """Return the cursor of what comes behind a charge in this order."""
        first: dict[Sort, float | int] = {
            "oldest": line.created,
            "newest": line.created,
            "risk": line.risk,
            "amount": round(line.usd * 100.0),
        }
        return cursor_of(first[self.order], line.charge, line.card)

    def wanted(self, analyst: str, now: float) -> QueueFilter:
        """Return it as the read model has it."""
        return QueueFilter(
            merchant=self.merchant or None,
            risk_min=int(float(self.risk_min)) if self.risk_min else None,
            usd_min=float(self.usd_min) if self.usd_min else None,
            created_min=now - float(self.newer_h) * HOUR_S if self.newer_h else None,
            created_max=now - float(self.older_h) * HOUR_S if self.older_h else None,
            free_for=analyst if self.free else None,
            now=now,
        )


def _number(text: str) -> str:
    """Return a number as it was written, nothing of anything else.

    >>> _number("12.5"), _number("1e999"), _number("ten")
    ('12.5', '', '')
    """
    return (
        text if text.replace(".", "", 1).isdecimal() and text.isascii() and len(text) < 12 else ""
    )
