"""The review queue: what waits for a verdict, claimed and worked off one by one or many at once."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson

from agents.web.console.app import Page
from agents.web.console.decisions import review_records, verdict_records
from agents.web.console.links import charge_path
from agents.web.console.queue_order import QueueOrder
from agents.web.console.visit import see
from agents.web.problems import Problem
from agents.web.read_model.queries.charge_view import charge_view
from agents.web.read_model.queries.cursors import CursorError
from agents.web.read_model.queries.review_queue import QueueFilter, count_queue, queue_page
from streams.durations import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection
    from starlette.responses import Response

    from agents.web.console.decisions import Verdict
    from agents.web.console.reader import Reader
    from agents.web.console.recorder import Recorder
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.read_model.queries.lines import ChargeLine
    from agents.web.read_model.queries.review_queue import QueuePage
    from schemas.reviews import Kind
    from streams.kafka.editor import Written
    from streams.kafka.topics import Topics

PAGE: Final = 50
_TRIES: Final = 5
"""Charges that somebody else may claim a moment before, until there is nothing to claim."""

VERDICTS: Final[dict[str, Verdict]] = {"fraud": "fraud", "genuine": "genuine"}


class Reviews:
    """Everything that is done at charges that wait.

    Parameters
    ----------
    templates, reader, recorder, names
        Of the console.
    due_h
        Within how many hours a charge should have its verdict.
    """

    def __init__(
        self,
        templates: Templates,
        reader: Reader,
        recorder: Recorder,
        names: Topics,
        due_h: float,
    ) -> None:
        self._templates = templates
        self._reader = reader
        self._recorder = recorder
        self._names = names
        self._due_h = due_h

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/reviews", self.show, "viewer")
        yield Page("POST", "/reviews/next", self.next, "analyst")
        yield Page("POST", "/reviews/marked", self.marked, "analyst")
        yield Page("POST", "/charge/verdict", self.verdict, "analyst")
        yield Page("POST", "/charge/claim", self.claim, "analyst")
        yield Page("POST", "/charge/note", self.note, "analyst")

    async def show(self, visit: Visit) -> Response:
        """Show what waits."""
        order = QueueOrder.of(visit.request.query_params)
        now, after = time.time(), visit.query("after") or None
        in_time = order.no_older_than(self._due_h)

        def ask(connection: Connection) -> tuple[QueuePage, list[int]]:
            wanted = order.wanted(visit.user.name, now)
            page = queue_page(connection, wanted, order.order, after, PAGE)
            still = in_time.wanted(visit.user.name, now)
            counted = wanted, still, QueueFilter()
            return page, [count_queue(connection, each) for each in counted]

        try:
            page, (found, still_in_time, waiting) = await self._reader.run(ask)
        except CursorError:
            return see(f"/reviews?{order.query}")
        return self._templates.render(
            visit,
            "reviews.html",
            order=order,
            lines=page.lines,
            next=page.next if visit.may("analyst") else None,  # a cursor has a token in it
            found=found,
            waiting=waiting,
            in_time=in_time,
            still_in_time=still_in_time,
            now=now,
            due_at=now - self._due_h * HOUR_S,
            due_h=self._due_h,
            is_first=after is None,
        )

    async def next(self, visit: Visit) -> Response:
        """Claim the first charge and go to it, or the one behind the charge that is left."""
        if not visit.field("charge"):
            return await self._next(visit, _order(visit))
        line = await self._line(visit)
        if line.claimed_by == visit.user.name:
            records = review_records(line, "release", visit.signature(), self._names)
            await self._write(visit, records, self._names.reviews)
        return await self._next(visit, _order(visit), line)

    async def marked(self, visit: Visit) -> Response:
        """Give many charges the same verdict, all or none."""
        order, verdict = _order(visit), _verdict(visit)
        keys = [_key(each) for each in visit.fields("marked")]
        if not keys:
            visit.tell("No charge is marked: nothing was done.")
            return see(f"/reviews?{order.query}")

        def ask(connection: Connection) -> list[ChargeLine]:
            views = (charge_view(connection, *key) for key in keys[:PAGE])
            return [view.line for view in views if view]

        now = time.time()
        lines = await self._reader.run(ask)
        free = [line for line in lines if not line.verdict and _holder(line, visit, now) is None]
        signed = visit.signature()
        records = [
            each for line in free for each in verdict_records(line, verdict, signed, self._names)
        ]
        if records:
            await self._write(visit, records, self._names.outcomes)
        left = len(keys) - len(free)
        others = f" {left} were left: others work at them, or have decided them." if left else ""
        visit.tell(f"{len(free)} found to be {verdict}.{others}")
        return see(f"/reviews?{order.query}")

    async def verdict(self, visit: Visit) -> Response:
        """Give a charge its verdict, and go on to the next, or stay."""
        line, verdict = await self._line(visit), _verdict(visit)
        if line.verdict != visit.field("before"):
            raise Problem(
                HTTPStatus.CONFLICT,
                f"meanwhile it was found to be {line.verdict or 'without a verdict'}: "
                "nothing was done; go back, reload the page, and look again",
            )
        self._check_free(line, visit)
        records = verdict_records(line, verdict, visit.signature(), self._names)
        await self._write(visit, records, self._names.outcomes)
        visit.tell(f"{line.charge} found to be {verdict}.")
        if visit.field("queue"):
            return await self._next(visit, _order(visit), line)
        return see(charge_path(line))

    async def claim(self, visit: Visit) -> Response:
        """Claim a charge, or release it."""
        line = await self._line(visit)
        kind: Kind = "release" if visit.field("kind") == "release" else "claim"
        if kind == "claim":
            self._check_free(line, visit)
        records = review_records(line, kind, visit.signature(), self._names)
        await self._write(visit, records, self._names.reviews)
        if kind == "claim":
            self._check_free(await self._line(visit), visit)
        return see(charge_path(line, visit.field("queue")))

    async def note(self, visit: Visit) -> Response:
        """Write a note at a charge."""
        line, text = await self._line(visit), visit.field("text").strip()
        if text:
            signed = visit.signature(text)  # with what looks like a card number masked
            records = review_records(line, "note", signed, self._names, signed.note)
            await self._write(visit, records, self._names.reviews)
        return see(charge_path(line, visit.field("queue")))

    async def _next(
        self, visit: Visit, order: QueueOrder, left: ChargeLine | None = None
    ) -> Response:
        """Claim the first charge that nobody works at, behind one that is left, and go to it."""
        after = order.cursor(left) if left else None
        for _ in range(_TRIES):
            wanted = replace(order, free="1").wanted(visit.user.name, time.time())

            def ask(connection: Connection, wanted: QueueFilter = wanted) -> QueuePage:
                return queue_page(connection, wanted, order.order, after, 1)

            line = next(iter((await self._reader.run(ask)).lines), None)
            if line is None:
                behind = " behind it" if left else ""
                visit.tell(f"Nothing else waits{behind} that nobody works at.")
                return see(f"/reviews?{order.query}")
            records = review_records(line, "claim", visit.signature(), self._names)
            await self._write(visit, records, self._names.reviews)
            if await self._is_own(visit, line):
                return see(charge_path(line, order.query or "sort=oldest"))
        raise Problem(HTTPStatus.CONFLICT, "others were faster each time: try again")

    async def _is_own(self, visit: Visit, line: ChargeLine) -> bool:
        view = await self._reader.run(lambda connection: charge_view(connection, *_of(line)))
        return view is None or _holder(view.line, visit, time.time()) is None

    async def _line(self, visit: Visit) -> ChargeLine:
        charge, card = visit.field("charge"), visit.field("card")
        view = await self._reader.run(lambda connection: charge_view(connection, charge, card))
        if view is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such charge")
        return view.line

    async def _write(self, visit: Visit, records: list[Written], topic: str) -> None:
        """Put records on their topics, and wait until the read model has those of one."""
        places = await self._recorder.write(records)
        if not await self._reader.reached(place for place in places if place.topic == topic):
            visit.tell("It is on record; the pages follow in a moment.")

    def _check_free(self, line: ChargeLine, visit: Visit) -> None:
        """Refuse what somebody else works at."""
        if (holder := _holder(line, visit, time.time())) is not None:
            raise Problem(
                HTTPStatus.CONFLICT,
                f"{holder} works at this charge: nothing was done. Take another, or wait until "
                "the claim has run out",
            )


def _holder(line: ChargeLine, visit: Visit, now: float) -> str | None:
    """Return who else works at a charge."""
    if line.claimed_by in {None, visit.user.name} or (line.claimed_until or 0.0) <= now:
        return None
    return line.claimed_by


def _of(line: ChargeLine) -> tuple[str, str]:
    return line.charge, line.card


def _order(visit: Visit) -> QueueOrder:
    return QueueOrder.read(visit.field("queue"))


def _verdict(visit: Visit) -> Verdict:
    if (verdict := VERDICTS.get(visit.field("verdict"))) is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "verdict: expected fraud or genuine")
    return verdict


def _key(text: str) -> tuple[str, str]:
    """Return the charge and the card of a box that is marked."""
    try:
        charge, card = orjson.loads(text)
    except (orjson.JSONDecodeError, ValueError, TypeError):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "marked: expected a charge") from None
    return str(charge), str(card)
