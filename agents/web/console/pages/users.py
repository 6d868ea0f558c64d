"""Users: who may sign in, and as what."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from agents.web.console.access.passwords import PasswordRefusedError
from agents.web.console.access.users import UserRefusedError, new_user
from agents.web.console.app import Page
from agents.web.console.visit import see
from agents.web.problems import Problem
from schemas.console_users import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from agents.web.console.access.user_topic import UserTopic
    from agents.web.console.access.users import UserBook
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns


class UserPages:
    """The page of users.

    Parameters
    ----------
    templates
        Of the console.
    users
        As they are now.
    topic
        Writes them.
    """

    def __init__(self, templates: Templates, users: UserBook, topic: Turns[UserTopic]) -> None:
        self._templates = templates
        self._users = users
        self._topic = topic

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/users", self.show, "administrator")
        yield Page("POST", "/users", self.put, "administrator")
        yield Page("POST", "/users/remove", self.remove, "administrator")

    async def show(self, visit: Visit) -> Response:
        """Show the users."""
        return self._show(visit)

    async def put(self, visit: Visit) -> Response:
        """Let somebody in, or give them another role and password."""
        name, role = visit.field("name").strip(), visit.field("role")
        if role not in ROLES:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "role: there is no such")
        signed = visit.signature()
        try:
            user = await asyncio.to_thread(new_user, name, role, visit.field("password"), signed)
        except (UserRefusedError, PasswordRefusedError) as error:
            return self._show(visit, str(error))
        await self._topic.run(lambda topic: topic.put(user, signed))
        visit.tell(f"{user.name} may sign in within a second, as {user.role}.")
        return see("/users")

    async def remove(self, visit: Visit) -> Response:
        """Let somebody in no longer."""
        name, signed = visit.field("name"), visit.signature()
        if name == visit.user.name:
            return self._show(visit, "nobody can remove themselves: another administrator can")
        await self._topic.run(lambda topic: topic.remove(name, signed))
        visit.tell(f"{name} may sign in no longer.")
        return see("/users")

    def _show(self, visit: Visit, mistake: str = "") -> Response:
        users = sorted(self._users.records.values(), key=lambda each: each.name)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK
        return self._templates.render(
            visit, "users.html", status, users=users, roles=ROLES, mistake=mistake
        )
