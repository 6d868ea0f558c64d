"""Charges: one of them with everything, those of a card or merchant, the search."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from agents.web.console.app import Page
from agents.web.console.links import charge_path
from agents.web.console.plots import timeline
from agents.web.console.queue_order import QueueOrder
from agents.web.console.visit import see
from agents.web.problems import Problem
from agents.web.read_model.queries.charge_view import charge_view
from agents.web.read_model.queries.cursors import CursorError
from agents.web.read_model.queries.histories import Shared, history_page, neighbours, totals
from agents.web.read_model.queries.search import search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection
    from starlette.responses import Response

    from agents.web.console.plots import Timeline
    from agents.web.console.reader import Reader
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.read_model.queries.charge_view import ChargeView
    from agents.web.read_model.queries.histories import HistoryPage, Totals
    from agents.web.read_model.queries.lines import ChargeLine

SHARED: Final[dict[str, str]] = {
    "card": "Card", "merchant": "Merchant", "device": "Device", "ip": "IP address",
    "email": "E-mail",
}  # fmt: skip
PAGE: Final = 50
_NEAR: Final = 15


class Related(NamedTuple):
    """Charges that share something with one, nearest to it in time."""

    kind: str
    value: str
    lines: Sequence[ChargeLine]
    picture: Timeline


class ChargePages:
    """The pages of charges."""

    def __init__(self, templates: Templates, reader: Reader) -> None:
        self._templates = templates
        self._reader = reader

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/charge", self.charge, "viewer")
        yield Page("GET", "/history", self.history, "viewer")
        yield Page("GET", "/search", self.search, "viewer")

    async def charge(self, visit: Visit) -> Response:
        """Show one charge with everything that is known of it."""
        charge, card = visit.query("id"), visit.query("card") or None

        def ask(connection: Connection) -> tuple[ChargeView, list[Related]] | None:
            view = charge_view(connection, charge, card)
            return None if view is None else (view, _related(connection, view))

        found = await self._reader.run(ask)
        if found is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "there is no charge of this id, or it is older than what the console keeps",
            )
        view, related = found
        here = view.line.charge, view.line.card
        own = related[0].lines  # its card's
        place = next((i for i, line in enumerate(own) if (line.charge, line.card) == here), 0)
        order = QueueOrder.read(visit.query("queue"))
        return self._templates.render(
            visit,
            "charge.html",
            view=view,
            line=view.line,
            scored=view.scored,
            related=related,
            shared=SHARED,
            previous=own[place - 1] if place > 0 else None,
            following=own[place + 1] if place + 1 < len(own) else None,
            queue=order.query or "sort=oldest" if "queue" in visit.request.query_params else "",
            now=time.time(),
        )

    async def history(self, visit: Visit) -> Response:
        """Show the charges that share a card, merchant, device, IP address or e-mail."""
        kind, of = visit.query("kind"), visit.query("of")
        if kind not in SHARED:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such page")
        after = visit.query("after") or None

        def ask(connection: Connection) -> tuple[str, HistoryPage, Totals | None]:
            shared = cast("Shared", kind)
            value = _value_of(connection, of, kind) if of else visit.query("value")
            page = history_page(connection, shared, value, after, PAGE)
            return value, page, totals(connection, shared, value)

        try:
            value, page, sums = await self._reader.run(ask)
        except CursorError:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such page") from None
        return self._templates.render(
            visit,
            "history.html",
            kind=kind,
            what=SHARED[kind],
            value=value,
            lines=page.lines,
            newest=None if after else page.lines[0] if page.lines else None,
            next=page.next if visit.may("analyst") else None,  # a cursor has a token in it
            totals=sums,
            picture_drawn=timeline(page.lines[::-1]) if page.lines else None,
        )

    async def search(self, visit: Visit) -> Response:
        """Go to the charge of an id, or show what begins as the text does."""
        text = visit.query("id").strip()[:128]
        found = await self._reader.run(lambda connection: search(connection, text))
        same = [line for line in found.charges if line.charge == text]
        if len(same) == 1:
            return see(charge_path(same[0], is_short=not visit.may("analyst")))
        return self._templates.render(visit, "search.html", text=text, found=found)


def _value_of(connection: Connection, charge: str, kind: str) -> str:
    """Return what a charge has of a kind, empty if it has none."""
    view = charge_view(connection, charge)
    if view is None:
        return ""
    return view.line.card if kind == "card" else str(view.fields.get(kind, ""))


def _related(connection: Connection, view: ChargeView) -> list[Related]:
    """Return the charges that share something with one, its own card first."""
    line = view.line
    values = {"card": line.card, "merchant": line.merchant} | {
        kind: str(view.fields[kind]) for kind in ("device", "ip", "email") if view.fields.get(kind)
    }
    found = []
    for kind, value in values.items():
        lines = neighbours(connection, cast("Shared", kind), value, line.created, _NEAR)
        if lines:
            picture = timeline(lines, (line.charge, line.card))
            found.append(Related(kind, value, lines, picture))
    return found
