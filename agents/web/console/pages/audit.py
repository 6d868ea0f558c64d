"""Who did what and when: acts by the console, and changes by anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from agents.web.console.app import Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.responses import Response

    from agents.web.console.link import Log
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit

SHOWN_MAX: Final = 300


class Line(NamedTuple):
    """One act or change."""

    at: float
    by: str
    action: str
    subject: str
    note: str


class AuditPages:
    """The page of the audit log."""

    def __init__(self, templates: Templates, log: Log) -> None:
        self._templates = templates
        self._log = log

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/audit", self.show, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show the latest, those of one user or of one kind where they are named."""
        by, action = visit.query("by"), visit.query("action")
        everything = sorted(self._lines(), key=lambda line: -line.at)
        lines = [line for line in everything if by in {"", line.by} and action in {"", line.action}]
        return self._templates.render(
            visit,
            "audit.html",
            lines=lines[:SHOWN_MAX],
            found=len(lines),
            by=by,
            action=action,
            actions=sorted({line.action for line in everything}),
            users=sorted({line.by for line in everything}),
        )

    def _lines(self) -> Iterator[Line]:
        for act in self._log.acts:
            yield Line(act.at, act.by, act.action.replace("_", " "), act.subject, act.note)
        for change in self._log.changes:
            subject = f"{change.key}, version {change.version}"
            yield Line(change.at, change.by, f"{change.kind} changed", subject, change.note)
