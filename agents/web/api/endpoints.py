"""A call of the API: where it is, who may make it, what it takes and what it may answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from agents.web.access_log import access_log
from agents.web.api import metrics
from agents.web.api.calls import Call, read_body, told_bytes
from agents.web.problems import Problem

if TYPE_CHECKING:
    import msgspec
    from starlette.requests import Request

    from agents.web.api.access import Access
    from schemas.api_keys import Scope

logger = logging.getLogger(__name__)

Handler = Callable[[Call], Awaitable[Response]]

JSON: Final = "application/json"

_READ_ON_BYTES: Final = 64 * 1024
"""Of a body that is not asked for: a longer one costs its connection."""

_FAILED: Final = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake of the API, which it logs")

ADMISSION: Final = (401, 403, 429)
"""Problems of every call that needs a scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One call.

    Attributes
    ----------
    method, path, summary
        What it is; parts of the path are in braces.
    handler
        Answers it.
    scope
        What its key needs; `None` where none is needed.
    takes
        Type of its body; `None` where it has none.
    looked_up
        Fields of its body that may be missing though its type needs them: they are looked up.
    bytes_max
        Of its body.
    answers
        Types of what it answers, by status.
    problems
        Statuses of its problems beside those of admission.
    parameters
        Headers and query of the request, as OpenAPI has them.
    answer_headers
        Of the response, by status, with what they say.
    media_type
        Of the answer.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    scope: Scope | None = None
    takes: type[msgspec.Struct] | None = None
    looked_up: tuple[str, ...] = ()
    bytes_max: int = 0
    answers: Mapping[int, tuple[type[msgspec.Struct], ...]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    parameters: tuple[Mapping[str, Any], ...] = ()
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON

    @property
    def name(self) -> str:
        """It in logs and metrics: never a value of the path."""
        return f"{self.method} {self.path}"


def json_response(value: bytes, status: int = 200, **headers: str) -> Response:
    """Return a response of JSON."""
    return Response(value, status, headers, media_type=JSON)


def served(
    endpoint: Endpoint, access: Access, clock: Callable[[], float]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint as Starlette serves it: admitted, counted, logged, its problems told."""

    async def serve(request: Request) -> Response:
        call = Call(request, clock())
        try:
            response = await _answer(endpoint, access, call)
        except Problem as problem:
            response = problem.response()
        except ClientDisconnect:
            response = Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except Exception:
            logger.exception("%s failed", endpoint.name)
            response = _FAILED.response()
        metrics.REQUESTS.labels(endpoint.name, str(response.status_code)).inc()
        if endpoint.scope:
            access_log.info(
                "%s %d %s %.1f ms, key %s",
                endpoint.name, response.status_code, call.told, 1e3 * (clock() - call.began),
                call.key.id if call.key else "-",
            )  # fmt: skip
        return response

    return serve


async def _answer(endpoint: Endpoint, access: Access, call: Call) -> Response:
    if endpoint.scope is not None:
        try:
            call.key = access.admit(call.request, endpoint.scope)
        except Problem as problem:
            _close_unread(call, problem)
            raise
    if endpoint.takes is not None:
        _check_media_type(call)
        call.body = await read_body(call.request, endpoint.bytes_max)
    return await endpoint.handler(call)


def _close_unread(call: Call, problem: Problem) -> None:
    """Have the connection closed behind a problem if a long body would still have to be read."""
    is_chunked = "transfer-encoding" in call.request.headers
    if is_chunked or (told_bytes(call.request) or 0) > _READ_ON_BYTES:
        problem.headers["Connection"] = "close"


def _check_media_type(call: Call) -> None:
    media_type = call.request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type != JSON:
        problem = Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type: expected {JSON}",
            field="Content-Type",
        )
        _close_unread(call, problem)
        raise problem
