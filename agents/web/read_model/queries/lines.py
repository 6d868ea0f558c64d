"""A charge as one line of a list: the queue, a history, what is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, select

from agents.web.read_model.tables import charges, claims

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, Select, Table

    from agents.web.read_model.standing import Verdict


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge of a list.

    Attributes
    ----------
    charge, card, merchant, created, amount, currency, score, risk, action, decided_by
        As in its scored event; `amount` in minor units.
    usd
        The amount in US dollars, by the rates of the installation when it was read.
    given
        The action that was given: the scored one, or a fallback's.
    verdict
        Of an analyst: `fraud`, `genuine`, or empty.
    is_disputed
        Whether it is disputed as fraud.
    claimed_by, claimed_until
        Who works at it, and until when the claim holds, Unix seconds.
    """

    charge: str
    card: str
    merchant: str
    created: float
    amount: int
    currency: str
    usd: float
    score: float
    risk: int
    action: str
    decided_by: str
    given: str
    verdict: Verdict
    is_disputed: bool
    claimed_by: str | None
    claimed_until: float | None


_CHARGE: Final = charges.c
COLUMNS: Final = (
    _CHARGE.charge, _CHARGE.card, _CHARGE.merchant, _CHARGE.created, _CHARGE.amount,
    _CHARGE.currency, _CHARGE.usd_cents, _CHARGE.score, _CHARGE.risk, _CHARGE.action,
    _CHARGE.decided_by, _CHARGE.given, _CHARGE.verdict, _CHARGE.is_disputed,
    claims.c.by.label("claimed_by"), claims.c.until.label("claimed_until"),
)  # fmt: skip


def is_of_charge(table: Table) -> Any:
    """Return the condition that a row of a table is of the charge that it is joined to."""
    return and_(table.c.charge == _CHARGE.charge, table.c.card == _CHARGE.card)


CLAIMED: Final = charges.outerjoin(claims, is_of_charge(claims))
"""Charges, with who works at them."""


def select_lines() -> Select[Any]:
    """Return the query of all lines, to be narrowed."""
    return select(*COLUMNS).select_from(CLAIMED)


def line_of(row: RowMapping) -> ChargeLine:
    """Return the line of a row of `select_lines`."""
    found = {column.name: row[column.name] for column in COLUMNS}
    return ChargeLine(usd=found.pop("usd_cents") / 100.0, **found)
