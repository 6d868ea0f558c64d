"""One's own password."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from agents.web.console.access.passwords import PasswordRefusedError, is_password
from agents.web.console.access.users import new_user
from agents.web.console.app import Page
from agents.web.console.visit import see

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from agents.web.console.access.guard import Guard
    from agents.web.console.access.lockout import Lockout
    from agents.web.console.access.user_topic import UserTopic
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns


class PasswordPages:
    """The page on which somebody changes their password."""

    def __init__(
        self, templates: Templates, guard: Guard, lockout: Lockout, topic: Turns[UserTopic]
    ) -> None:
        self._templates = templates
        self._guard = guard
        self._lockout = lockout
        self._topic = topic

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/password", self.show, "viewer")
        yield Page("POST", "/password", self.change, "viewer")

    async def show(self, visit: Visit) -> Response:
        """Show the form."""
        return self._form(visit)

    async def change(self, visit: Visit) -> Response:
        """Change the password, and end all sessions of its user."""
        user, signed = visit.user, visit.signature()
        if self._lockout.wait_s(user.name):
            return self._form(visit, "too many wrong passwords; again in some minutes")
        if not await asyncio.to_thread(is_password, visit.field("current"), user.password):
            self._lockout.failed(user.name)
            return self._form(visit, "the present password is another")
        try:
            made = await asyncio.to_thread(
                new_user, user.name, user.role, visit.field("password"), signed
            )
        except PasswordRefusedError as error:
            return self._form(visit, str(error))
        await self._topic.run(lambda topic: topic.put(made, signed))
        return self._guard.close(see("/sign-in"), visit)

    def _form(self, visit: Visit, mistake: str = "") -> Response:
        status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
        return self._templates.render(visit, "password.html", status, mistake=mistake)
