"""One request on its way through the API: who makes it, its body, and what it has to say."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from agents.web.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from schemas.api_keys import ApiKey


_DIGITS_MAX = 18
"""Of a size; one that has more is too large anyway."""


@dataclass(slots=True)
class Call:
    """A request that is answered.

    Attributes
    ----------
    request
        As Starlette has it.
    began
        When it came, seconds of the event loop's clock.
    key
        Whose it is; `None` of this machine's own where there are no keys.
    body
        As it was sent.
    told
        What the log says beside its status.
    """

    request: Request
    began: float
    key: ApiKey | None = None
    body: bytes = b""
    told: str = "-"

    @property
    def caller(self) -> str:
        """Who makes it, as the log of changes calls them."""
        return f"{self.key.name} (key {self.key.id})" if self.key else "this machine (no key)"

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def json(self) -> Any:
        """Return the body as JSON.

        Raises
        ------
        Problem
            When it is none.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"body: expected JSON, got {error}", field="body"
            ) from None


def told_bytes(request: Request) -> int | None:
    """Return how large a request says that its body is, `None` where it does not say it."""
    told = request.headers.get("content-length", "")
    return int(told[:_DIGITS_MAX]) if told.isdecimal() else None


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return the body of a request, without reading much more than it may have.

    Raises
    ------
    Problem
        When it is larger. The connection is closed, so that the rest is not read either.
    """
    if (told_bytes(request) or 0) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(body)


def _too_large(bytes_max: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"body: expected at most {bytes_max} bytes",
        {"Connection": "close"},
        field="body",
        reason="too_large",
    )
