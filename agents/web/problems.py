"""What a request is told that cannot be answered: problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from schemas.rejected import InvalidEvent

MEDIA_TYPE: Final = "application/problem+json"

Accepted = Literal["no", "unknown"]


class MistakeDetails(Struct, frozen=True, omit_defaults=True):
    """A mistake in a text of rules."""

    line: Annotated[int, Meta(ge=1, description="counted from 1")]
    column: Annotated[int, Meta(ge=1, description="counted from 1")]
    message: Annotated[str, Meta(description="what is wrong")]
    suggestion: Annotated[str, Meta(description="what was probably meant")] = ""


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """Why a request was not done (RFC 9457)."""

    title: Annotated[str, Meta(description="what the status says")]
    status: Annotated[int, Meta(ge=400, le=599, description="the status of the response")]
    detail: Annotated[str, Meta(description="what was expected and what was found, or what to do")]
    field: Annotated[str | None, Meta(description="the field or header that it is about")] = None
    reason: Annotated[
        str | None, Meta(description="of an event: the reason, as workers count rejected inputs")
    ] = None
    accepted: Annotated[
        Accepted | None,
        Meta(
            description="of an event that was not answered: whether it may be on its topic all the "
            "same; sent again, it counts once"
        ),
    ] = None
    mistakes: Annotated[
        tuple[MistakeDetails, ...], Meta(description="of rules: every mistake, with its place")
    ] = ()


class Problem(Exception):  # noqa: N818 - it is what the response calls it
    """A request that is not done.

    Parameters
    ----------
    status
        Of the response.
    detail
        What was expected and what was found, or what to do.
    headers
        Of the response.
    more
        Fields of `ProblemDetails`.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        /,
        **more: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self._more = more

    def response(self) -> Response:
        """Return the response."""
        told = {"title": self.status.phrase, "status": self.status.value, "detail": str(self)}
        details = msgspec.convert(told | self._more, ProblemDetails)
        return Response(
            msgspec.json.encode(details), self.status.value, self.headers, media_type=MEDIA_TYPE
        )


def unavailable(detail: str, accepted: Accepted | None = None, retry_after_s: int = 1) -> Problem:
    """Return the problem of what cannot be done now; `accepted` as in `ProblemDetails`."""
    headers = {"Retry-After": str(retry_after_s)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers, accepted=accepted)


def invalid(error: InvalidEvent) -> Problem:
    """Return the problem of an event that would be rejected."""
    is_large = error.reason == "too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_large else HTTPStatus.UNPROCESSABLE_ENTITY
    field = str(error).partition(":")[0]
    return Problem(status, str(error), field=field, reason=error.reason)
