"""Style, scripts and the health of the process: what anybody may have."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

from agents.web.console.app import Page
from agents.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit


class StaticFiles:
    """The files of a console, from memory; nothing else of the machine can be asked for."""

    def __init__(self, templates: Templates) -> None:
        self._files = templates.files

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/static/{name}", self.file, None)
        yield Page("GET", "/healthz", self.healthz, None)

    async def file(self, visit: Visit) -> Response:
        """Return a file; its address has its version, so it need not be asked for again."""
        found = self._files.get(visit.path("name"))
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such file")
        content, media_type, _ = found
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(content, media_type=media_type, headers=headers)

    async def healthz(self, _: Visit) -> Response:
        """Tell that the process runs."""
        return Response("ok\n", media_type="text/plain")
