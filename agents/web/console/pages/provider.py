"""Signing in by an OpenID Connect provider: it says who somebody is, the users what they may do."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import RedirectResponse

from agents.policy.edits import Signature
from agents.web.console.access.provider import ProviderError, new_asked
from agents.web.console.access.user_topic import audited
from agents.web.console.app import Page
from agents.web.console.visit import own_path, see
from agents.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.responses import Response

    from agents.web.console.access.guard import Guard
    from agents.web.console.access.provider import Asked, Provider
    from agents.web.console.access.users import UserBook
    from agents.web.console.recorder import Recorder
    from agents.web.console.visit import Visit
    from streams.kafka.topics import Topics

BACK: Final = "/sign-in/back"

_COOKIE: Final = "asked"
_FOR_S: Final = 600.0
_ASKED_MAX: Final = 1_000


class _Underway(NamedTuple):
    """Somebody at the provider: what was asked, where they go then, and until when that holds."""

    asked: Asked
    then: str
    until: float


class ByProvider:
    """The pages that send somebody to a provider and take them back.

    Parameters
    ----------
    provider
        Says who they are.
    guard, users, recorder, names
        Of the console.
    url
        Where browsers find the console; where it is not told, as they say it.
    clock
        Seconds of a clock that does not go back.
    """

    def __init__(
        self,
        provider: Provider,
        guard: Guard,
        users: UserBook,
        recorder: Recorder,
        names: Topics,
        url: str,
        clock: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._guard = guard
        self._users = users
        self._recorder = recorder
        self._names = names
        self._url = url
        self._clock = clock
        self._underway: dict[str, _Underway] = {}

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/sign-in/provider", self.go, None)
        yield Page("GET", BACK, self.back, None)

    async def go(self, visit: Visit) -> Response:
        """Send somebody to the provider, with a cookie by which their browser is known again."""
        base = self._url or str(visit.request.base_url).rstrip("/")
        asked = new_asked(f"{base}{BACK}")
        address = await asyncio.to_thread(self._provider.address, asked)
        if len(self._underway) >= _ASKED_MAX:
            del self._underway[next(iter(self._underway))]
        until = self._clock() + _FOR_S
        self._underway[asked.state] = _Underway(asked, own_path(visit.query("next", "/")), until)
        response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
        return self._guard.keep(response, _COOKIE, asked.state)

    async def back(self, visit: Visit) -> Response:
        """Begin a session for whom the provider names, if they are a user."""
        state = visit.query("state")
        underway = self._underway.pop(state, None)
        is_same = self._guard.kept(visit, _COOKIE) == state
        if underway is None or not is_same or self._clock() > underway.until:
            raise Problem(HTTPStatus.FORBIDDEN, "this sign-in was begun elsewhere, or long ago")
        if not visit.query("code"):
            raise Problem(HTTPStatus.FORBIDDEN, "the provider has not let you in")
        try:
            name = await asyncio.to_thread(self._provider.name, underway.asked, visit.query("code"))
        except ProviderError as error:
            raise Problem(HTTPStatus.FORBIDDEN, str(error)) from None
        user = self._users.records.get(name)
        if user is None:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"{name} is no user of this console: an administrator can let you in by this name",
            )
        signed = Signature(name, time.time(), "by the provider")
        await self._recorder.write([audited("sign_in", signed, "", self._names)])
        return self._guard.open(see(underway.then), self._guard.sessions.begin(user))
