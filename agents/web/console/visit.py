"""One request on its way through the console: who makes it, and what its form says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode

from starlette.responses import RedirectResponse

from agents.policy.edits import Signature
from agents.web.api.calls import read_body
from agents.web.console.access.users import may
from agents.web.problems import Problem
from schemas.card_numbers import mask
from schemas.edits import NOTE_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from agents.web.console.access.sessions import Session
    from schemas.console_users import ConsoleUser, Role

CSRF_FIELD: Final = "csrf"

FORM_BYTES_MAX: Final = 2 * 1024 * 1024
"""A text of rules is half a million characters, of which many take three bytes in a form."""

_FIELDS_MAX: Final = 2_000
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Visit:
    """A request that is answered.

    Attributes
    ----------
    request
        As Starlette has it.
    token
        Its cookie, empty if it has none.
    session, account
        Whose it is, `None` of nobody who has signed in.
    form
        What was sent, by name, all values of a name in order.
    """

    request: Request
    token: str = ""
    session: Session | None = None
    account: ConsoleUser | None = None
    form: dict[str, list[str]] = field(default_factory=dict)

    @property
    def user(self) -> ConsoleUser:
        """Who makes it; of pages that need a role."""
        assert self.account is not None
        return self.account

    def may(self, role: Role) -> bool:
        """Return whether whoever makes it has at least a role."""
        return self.account is not None and may(self.account.role, role)

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """Return a part of the query."""
        return self.request.query_params.get(name, default)

    def field(self, name: str) -> str:
        """Return a field of the form, empty if it is not there."""
        return self.form.get(name, [""])[0]

    def fields(self, name: str) -> Sequence[str]:
        """Return all values of a name of the form."""
        return self.form.get(name, [])

    def number(self, name: str) -> int:
        """Return a whole number of the form.

        Raises
        ------
        Problem
            When it is none.
        """
        given = self.field(name)
        if not (given.isdecimal() and len(given) < 16):
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: expected a number")
        return int(given)

    def signature(self, note: str = "") -> Signature:
        """Return who does it now, and why; what looks like a card number is masked."""
        return Signature(self.user.name, time.time(), mask(note.strip())[:NOTE_MAX])

    def tell(self, message: str) -> None:
        """Have the next page say something first."""
        if self.session is not None:
            self.session.told.append(message)


class Again(NamedTuple):
    """A form that was sent when its session had ended: to where, and its fields, as a query."""

    path: str = ""
    fields: str = ""

    @classmethod
    def of(cls, path: str, form: Mapping[str, Sequence[str]]) -> Self:
        """Keep a form, without what was of its session."""
        return cls(path, urlencode({k: v for k, v in form.items() if k != CSRF_FIELD}, doseq=True))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Its fields."""
        return parse_qsl(self.fields, keep_blank_values=True, max_num_fields=_FIELDS_MAX)


def see(path: str) -> Response:
    """Return what sends a browser to another page of the console."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def own_path(path: str) -> str:
    r"""Return a path of the console, its start page in place of anything else.

    >>> own_path("/rules?merchant=m1"), own_path("//evil.example"), own_path(r"/\evil.example")
    ('/rules?merchant=m1', '/', '/')
    """
    is_own = path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()
    return path if is_own else "/"


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the form of a request.

    Raises
    ------
    Problem
        When it is none, or too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type: expected {_FORM}")
    body = await read_body(request, FORM_BYTES_MAX)
    form: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict"
        )
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"form: {error}") from None
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
