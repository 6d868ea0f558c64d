"""The application of the console: every page with the role that it needs, served and guarded."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from confluent_kafka import KafkaException
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from agents.web.access_log import access_log
from agents.web.console import metrics
from agents.web.console.access.guard import SignInNeededError, is_own_form, to_sign_in
from agents.web.console.visit import Again, Visit, read_form
from agents.web.problems import Problem, unavailable
from streams.errors import OperationalError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from agents.web.console.access.guard import Guard
    from agents.web.console.rendering import Templates
    from schemas.console_users import Role

logger = logging.getLogger(__name__)

Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page, or one form.

    Attributes
    ----------
    method, path
        `GET` of what is seen, `POST` of what is done; parts of the path are in braces.
    handler
        Answers it.
    role
        The least that it needs; `None` where anybody may see it.
    """

    method: str
    path: str
    handler: Handler
    role: Role | None

    @property
    def name(self) -> str:
        """It in the log: never a value of the path."""
        return f"{self.method} {self.path}"


class Pages(Protocol):
    """Some pages that belong together."""

    def pages(self) -> Iterable[Page]:
        """Return them."""


def create_app(
    parts: Iterable[Pages], guard: Guard, templates: Templates, clock: Callable[[], float]
) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    parts
        All pages.
    guard
        Admits requests.
    templates
        Render what cannot be done.
    clock
        Of the event loop, seconds.
    """
    return _Headed(create_router(parts, guard, templates, clock), guard.headers)


def create_router(
    parts: Iterable[Pages], guard: Guard, templates: Templates, clock: Callable[[], float]
) -> Router:
    """Return what serves each page by its path; parameters as of `create_app`."""
    routes = [
        Route(page.path, _served(page, guard, templates, clock), methods=[page.method])
        for part in parts
        for page in part.pages()
    ]

    async def no_such_page(scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(Request(scope, receive))
        guard.recognise(visit)
        problem = Problem(HTTPStatus.NOT_FOUND, "there is no such page")
        await templates.problem(visit, problem)(scope, receive, send)

    return Router(routes, redirect_slashes=False, default=no_such_page)


def _served(
    page: Page, guard: Guard, templates: Templates, clock: Callable[[], float]
) -> Callable[[Request], Awaitable[Response]]:
    """Return a page as Starlette serves it: admitted, logged, what goes wrong told."""

    async def serve(request: Request) -> Response:
        began = clock()
        visit = Visit(request)
        guard.recognise(visit)
        try:
            response = await _answer(page, guard, visit)
        except SignInNeededError:
            response = await _sign_in(visit, templates)
        except Problem as problem:
            response = templates.problem(visit, problem)
        except OperationalError as error:
            refused = Problem(HTTPStatus.CONFLICT, str(error))
            response = templates.problem(visit, refused)
        except KafkaException as error:
            response = templates.problem(visit, unavailable(f"Kafka: {error.args[0].str()}"))
        except ClientDisconnect:
            response = Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except Exception:
            logger.exception("%s failed", page.name)
            response = templates.problem(visit, _FAILED)
        took_s = clock() - began
        metrics.REQUESTS.labels(page.name, str(response.status_code)).inc()
        metrics.ANSWER_SECONDS.observe(took_s)
        access_log.info(
            "%s %d %.1f ms, user %s", page.name, response.status_code, 1e3 * took_s,
            visit.account.name if visit.account else "-",
        )  # fmt: skip
        return response

    return serve


_FAILED: Final = Problem(
    HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of the console, which its log tells more of"
)


async def _sign_in(visit: Visit, templates: Templates) -> Response:
    """Have somebody sign in; a form that was sent when the session had ended is kept with them."""
    if not is_own_form(visit.request):
        return to_sign_in(visit.request)
    try:
        form = await read_form(visit.request)
    except Problem as problem:
        return templates.problem(visit, problem)
    return templates.sign_in(visit, again=Again.of(visit.request.url.path, form))


async def _answer(page: Page, guard: Guard, visit: Visit) -> Response:
    guard.admit(visit, page.role)
    if page.method == "POST":
        visit.form = await read_form(visit.request)
        guard.admit_form(visit)
    return await page.handler(visit)


class _Headed:
    """Gives every response the headers that it has to have, whoever makes it."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_headed)
