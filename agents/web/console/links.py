"""Addresses of charges and of what they share, which tell viewers no token."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from agents.web.read_model.queries.lines import ChargeLine


def charge_path(line: ChargeLine, queue: str = "", *, is_short: bool = False) -> str:
    """Return where a charge is, for whoever works off a queue.

    `is_short` leaves its card out, which tells apart charges of one id.
    """
    told = {"id": line.charge}
    if not is_short:
        told["card"] = line.card
    if queue:
        told["queue"] = queue
    return f"/charge?{urlencode(told)}"


def history_path(kind: str, value: str, line: ChargeLine | None, *, is_short: bool = False) -> str:
    """Return where the charges are that share a value; `is_short` names a charge in its place."""
    if is_short and kind != "merchant" and line is not None:
        return f"/history?{urlencode({'kind': kind, 'of': line.charge})}"
    return f"/history?{urlencode({'kind': kind, 'value': value})}"


def aggregates_path(kind: str, line: ChargeLine, *, is_short: bool = False) -> str:
    """Return where it is told what was counted of a kind when a charge was scored."""
    told = {"kind": kind, "id": line.charge} | ({} if is_short else {"card": line.card})
    return f"/aggregates?{urlencode(told)}"
