"""Signing in and out."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from agents.policy.edits import Signature
from agents.web.console.access.passwords import is_password
from agents.web.console.access.user_topic import audited
from agents.web.console.app import Page
from agents.web.console.metrics import REFUSED_SIGN_INS
from agents.web.console.visit import Again, own_path, see

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from agents.web.console.access.guard import Guard
    from agents.web.console.access.lockout import Lockout
    from agents.web.console.access.users import UserBook
    from agents.web.console.recorder import Recorder
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from schemas.audit import AuditAction
    from streams.kafka.topics import Topics

_AT_A_TIME: Final = 2
"""Passwords that are looked at: each takes 64 MB."""

_NAME_MAX: Final = 64


class SigningIn:
    """The pages that begin and end a session.

    Parameters
    ----------
    templates, guard
        Of the console.
    users
        As they are now.
    lockout
        Counts wrong passwords.
    recorder, names
        Write the audit log.
    """

    def __init__(
        self,
        templates: Templates,
        guard: Guard,
        users: UserBook,
        lockout: Lockout,
        recorder: Recorder,
        names: Topics,
    ) -> None:
        self._templates = templates
        self._guard = guard
        self._users = users
        self._lockout = lockout
        self._recorder = recorder
        self._names = names
        self._looking = asyncio.Semaphore(_AT_A_TIME)

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/sign-in", self.show, None)
        yield Page("POST", "/sign-in", self.sign_in, None)
        yield Page("POST", "/sign-out", self.sign_out, "viewer")

    async def show(self, visit: Visit) -> Response:
        """Show the form."""
        if visit.account is not None:
            return see(own_path(visit.query("next", "/")))
        return self._templates.sign_in(visit, own_path(visit.query("next", "/")))

    async def sign_in(self, visit: Visit) -> Response:
        """Begin a session, if the password is right."""
        name = visit.field("name").strip()[:_NAME_MAX]
        then, again = own_path(visit.field("next")), _again(visit)
        async with self._looking:
            told = await self._refusal(name, visit.field("password"))
        if told:
            REFUSED_SIGN_INS.inc()
            return self._templates.sign_in(visit, then, told, again)
        user = self._users.records[name]
        await self._record("sign_in", name)
        token = self._guard.sessions.begin(user)
        if not again.path:
            return self._guard.open(see(then), token)
        visit.session, visit.account = self._guard.sessions.find(token) or (None, None)
        return self._guard.open(self._templates.render(visit, "again.html", again=again), token)

    async def sign_out(self, visit: Visit) -> Response:
        """End a session."""
        await self._record("sign_out", visit.user.name)
        return self._guard.close(see("/sign-in"), visit)

    async def _refusal(self, name: str, password: str) -> str:
        """Return why somebody is not let in, nothing if they are."""
        if wait_s := self._lockout.wait_s(name):
            return f"too many wrong passwords; again in {max(1, round(wait_s / 60))} min"
        user = self._users.records.get(name)
        is_right = await asyncio.to_thread(is_password, password, user.password if user else None)
        is_there = user is not None and self._users.records.get(name) is user
        if is_there and is_right:
            self._lockout.succeeded(name)
            return ""
        self._lockout.failed(name)
        if user is not None:  # what is no user's name may be a password
            await self._record("sign_in_refused", name)
        return "this name and this password do not belong together"

    async def _record(self, action: AuditAction, name: str) -> None:
        signed = Signature(name, time.time())
        await self._recorder.write([audited(action, signed, "", self._names)])


def _again(visit: Visit) -> Again:
    """Return the form that was sent when the session had ended, none if there was none."""
    path = visit.field("again")
    return Again(own_path(path), visit.field("fields")) if path else Again()
