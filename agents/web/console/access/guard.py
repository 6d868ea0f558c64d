"""Admits requests: by their session, its role, and, where something is changed, its form."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from starlette.responses import Response

from agents.web.console.visit import CSRF_FIELD, see
from agents.web.problems import Problem, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from agents.web.console.access.sessions import Sessions
    from agents.web.console.visit import Visit
    from schemas.console_users import Role

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


class SignInNeededError(Exception):
    """A request of nobody who has signed in."""


class Guard:
    """Admits requests.

    Parameters
    ----------
    sessions
        As they are now.
    is_away
        Tells whether the brokers do not answer.
    is_secure
        Whether browsers reach the console by TLS, here or at a proxy before it.
    """

    def __init__(self, sessions: Sessions, is_away: Callable[[], bool], *, is_secure: bool) -> None:
        self.sessions = sessions
        self._is_away = is_away
        self._is_secure = is_secure
        self._prefix = "__Host-chargewatch" if is_secure else "chargewatch"
        self.headers = _headers(is_secure=is_secure)

    def recognise(self, visit: Visit) -> None:
        """Note whose a request is."""
        visit.token = visit.request.cookies.get(self._prefix, "")
        if visit.token and (found := self.sessions.find(visit.token)) is not None:
            visit.session, visit.account = found

    def admit(self, visit: Visit, role: Role | None) -> None:
        """Refuse what may not be seen by whoever asks; `None` for what anybody may see.

        Raises
        ------
        SignInNeededError
            When nobody has signed in.
        Problem
            When the role is not enough.
        """
        if role is None:
            return
        if visit.account is None:
            raise SignInNeededError
        if not visit.may(role):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"this needs the role {role}, and {visit.user.name} is {visit.user.role}: an "
                "administrator can change that",
            )

    def admit_form(self, visit: Visit) -> None:
        """Refuse a form that another site has sent, and any while nothing can be put on record.

        Raises
        ------
        Problem
            When it is such.
        """
        if not _is_same_origin(visit.request):
            raise Problem(HTTPStatus.FORBIDDEN, "this form was sent from another site")
        given = visit.field(CSRF_FIELD)
        if visit.session is not None and not visit.session.is_csrf(given):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "this form is of a session that has ended: nothing was changed; go back, reload "
                "the page, and send it again",
            )
        if self._is_away():
            raise unavailable(
                "Kafka does not answer: nothing was done. Go back, and send it again when it does"
            )

    def open(self, response: Response, token: str) -> Response:
        """Give a browser the cookie of its session."""
        return self._set(response, self._prefix, token)

    def keep(self, response: Response, name: str, value: str) -> Response:
        """Have a browser keep something else, by which it is known again."""
        return self._set(response, f"{self._prefix}-{name}", value)

    def kept(self, visit: Visit, name: str) -> str:
        """Return what a browser has kept, empty if it has nothing of the name."""
        return visit.request.cookies.get(f"{self._prefix}-{name}", "")

    def close(self, response: Response, visit: Visit) -> Response:
        """End a session, and take its cookie from the browser."""
        self.sessions.end(visit.token)
        response.delete_cookie(
            self._prefix, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )
        return response

    def _set(self, response: Response, name: str, value: str) -> Response:
        response.set_cookie(
            name, value, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )
        return response


def to_sign_in(request: Request) -> Response:
    """Return what sends a browser to sign in, and from there back to where it wanted to go."""
    if "hx-request" in request.headers:  # a part of a page: all of it has to go there
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/sign-in"})
    if request.method in {"GET", "HEAD"}:
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return see("/sign-in" if url == "/" else f"/sign-in?next={quote(url)}")
    return see("/sign-in")


def is_own_form(request: Request) -> bool:
    """Return whether a request is a form that a browser has sent from a page of the console."""
    is_form = request.method == "POST" and "hx-request" not in request.headers
    return is_form and "origin" in request.headers and _is_same_origin(request)


def _is_same_origin(request: Request) -> bool:
    """Return whether a browser has sent a form from a page of the console; others send no origin.

    `Origin` is compared with `Host`, without the scheme: a proxy may have taken TLS off.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def _headers(*, is_secure: bool) -> dict[str, str]:
    headers = {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    return headers | ({"Strict-Transport-Security": "max-age=31536000"} if is_secure else {})
