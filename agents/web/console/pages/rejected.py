"""Inputs that could not be used: why, and published again when they are mended."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from agents.web.console.access.user_topic import audited
from agents.web.console.app import Page
from agents.web.console.visit import see
from agents.web.problems import Problem
from agents.web.read_model.queries.cursors import CursorError
from agents.web.read_model.queries.rejected_inputs import (
    count_by_reason,
    rejected_input,
    rejected_page,
)
from schemas.printable import printable
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from streams.events.decoding import card_in
from streams.kafka.editor import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.responses import Response

    from agents.settings.schema import Settings
    from agents.web.console.link import Log
    from agents.web.console.reader import Reader
    from agents.web.console.recorder import Recorder
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.read_model.queries.rejected_inputs import RejectedInput
    from schemas.audit import AuditEvent
    from streams.kafka.topics import Topics

PAGE: Final = 50


class RejectedPages:
    """The pages of rejected inputs."""

    def __init__(
        self,
        templates: Templates,
        reader: Reader,
        recorder: Recorder,
        names: Topics,
        settings: Settings,
        log: Log,
    ) -> None:
        self._templates = templates
        self._reader = reader
        self._recorder = recorder
        self._names = names
        self._log = log
        self._rules = settings.input_rules
        self._ahead_s = 60.0 * settings.future_allowance_minutes
        self._parsers: Mapping[str, Callable[..., Any]] = {
            names.charges: parse_charge,
            names.disputes: parse_dispute,
            names.outcomes: parse_outcome,
        }

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/rejected", self.show, "viewer")
        yield Page("GET", "/rejected/{partition:int}/{place:int}", self.one, "viewer")
        yield Page("POST", "/rejected/{partition:int}/{place:int}", self.publish, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show how many there are of each reason, and the newest."""
        reason, after = visit.query("reason") or None, visit.query("after") or None
        try:
            counts, page = await self._reader.run(
                lambda connection: (
                    count_by_reason(connection),
                    rejected_page(connection, reason, after, PAGE),
                )
            )
        except CursorError:
            return see("/rejected")
        published = self._published()
        return self._templates.render(
            visit, "rejected.html", counts=counts, next=page.next,
            inputs=[(each, published.get(_named(each))) for each in page.inputs],
            reason=reason or "",
        )  # fmt: skip

    async def one(self, visit: Visit) -> Response:
        """Show one with its payload, to be mended."""
        found = await self._found(visit)
        return self._show(visit, found, _text(found))

    async def publish(self, visit: Visit) -> Response:
        """Publish it again, if it is an event by now."""
        found, text = await self._found(visit), visit.field("payload")
        parse = self._parsers.get(found.topic)
        if parse is None:
            raise Problem(HTTPStatus.CONFLICT, f"{found.topic}: is no topic of this installation")
        payload = text.encode()
        card = card_in(payload)
        try:
            event, _ = parse(payload, card, time.time() + self._ahead_s, self._rules)
        except InvalidEvent as error:
            return self._show(visit, found, text, str(error))
        signed = visit.signature(_named(found))
        await self._recorder.write(
            [
                audited("rejected_published", signed, event.id, self._names),
                Written(found.topic, card or b"", payload),
            ]
        )
        visit.tell(f"{printable(event.id)} is on {found.topic} again.")
        return see("/rejected")

    async def _found(self, visit: Visit) -> RejectedInput:
        partition, place = int(visit.path("partition")), int(visit.path("place"))
        if max(partition, place) >= 2**31:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such input")
        found = await self._reader.run(
            lambda connection: rejected_input(connection, partition, place)
        )
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such input")
        return found

    def _show(self, visit: Visit, found: RejectedInput, text: str, mistake: str = "") -> Response:
        return self._templates.render(
            visit,
            "rejected_input.html",
            HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK,
            found=found,
            text=text,
            key=printable((found.key or b"").decode(errors="backslashreplace")),
            mistake=mistake,
            published=self._published().get(_named(found)),
        )

    def _published(self) -> dict[str, AuditEvent]:
        """Return what was published again lately, by what was rejected."""
        return {act.note: act for act in self._log.acts if act.action == "rejected_published"}


def _named(found: RejectedInput) -> str:
    """Name one for the audit log."""
    return f"{found.topic}: partition {found.partition}, {found.place}"


def _text(found: RejectedInput) -> str:
    """Return a payload as a form can have it: its line breaks stay, nothing else that acts."""
    text = (found.payload or b"").decode(errors="backslashreplace")
    return "\n".join(map(printable, text.splitlines()))
