"""Templates and static files: what is written into a page, and how."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from functools import cached_property, partial
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from agents.evaluation.formatting import dollars, percent
from agents.web.console.links import aggregates_path, charge_path, history_path
from agents.web.console.visit import CSRF_FIELD, Again
from schemas.printable import printable_lines
from streams.durations import in_words

if TYPE_CHECKING:
    from agents.web.console.access.users import UserBook
    from agents.web.console.visit import Visit
    from agents.web.problems import Problem
    from schemas.currency import Rates

_HERE: Final = Path(__file__).parent
_NOTHING: Final = Again()
_SHORT: Final = 4
"""Characters at either end of a token that a viewer sees."""


class Templates:
    """Writes pages.

    Everything that a template writes is escaped, whoever it is from, and what would act upon a
    reader is shown. `raw` leaves it as it is, though escaped: what a form brings back.

    Parameters
    ----------
    rates
        Tell the digits of currencies.
    users
        As they are now.
    has_provider
        Whether people may sign in by a provider, too.
    """

    def __init__(self, rates: Rates, users: UserBook, *, has_provider: bool) -> None:
        self._rates = rates
        self._users = users
        self._has_provider = has_provider
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "amount": self.amount,
            "time": time_element,
            "dollars": dollars,
            "took": in_words,
            "percent": percent,
            "query": urlencode,
            "tojson": as_json,
            "raw": escape,
        }
        self._environment.globals["static"] = self._versioned

    @cached_property
    def files(self) -> dict[str, tuple[bytes, str, str]]:
        """Static files by name: what is in them, their media type, and a version of each."""
        return {
            file.name: (
                file.read_bytes(),
                mimetypes.guess_type(file.name)[0] or "text/plain",
                sha256(file.read_bytes()).hexdigest()[:12],
            )
            for file in sorted((_HERE / "static").iterdir())
        }

    def render(
        self, visit: Visit, template: str, status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        """Return a page of a template."""
        told = []
        if visit.session is not None:
            told, visit.session.told = visit.session.told, []
        return HTMLResponse(self._write(visit, template, told=told, **values), status)

    def part(self, visit: Visit, template: str, **values: Any) -> Response:
        """Return a part of a page, which takes a place in one that is there."""
        return HTMLResponse(self._write(visit, template, **values))

    def sign_in(
        self, visit: Visit, then: str = "/", mistake: str = "", again: Again = _NOTHING
    ) -> Response:
        """Return the page on which somebody signs in, to go on to a page, or with a form."""
        is_asked = bool(mistake or again.path)
        return self.render(
            visit,
            "sign_in.html",
            HTTPStatus.UNAUTHORIZED if is_asked else HTTPStatus.OK,
            then=then,
            mistake=mistake,
            again=again,
            has_provider=self._has_provider and not again.path,
            has_users=bool(self._users.records),
        )

    def problem(self, visit: Visit, problem: Problem) -> Response:
        """Return the page of what cannot be done."""
        response = self.render(visit, "problem.html", problem.status, problem=problem)
        response.headers.update(problem.headers)
        return response

    def amount(self, minor_units: int, currency: str) -> str:
        """Return an amount in its currency.

        >>> from schemas.currency import bundled_rates
        >>> from agents.web.console.access.users import UserBook
        >>> templates = Templates(bundled_rates(), UserBook(), has_provider=False)
        >>> templates.amount(123456, "usd"), templates.amount(1999, "jpy")
        ('1,234.56 USD', '1,999 JPY')
        """
        code = currency.upper()
        if currency not in self._rates:
            return f"{minor_units:,} minor units of {code}"
        decimals = self._rates.decimals[currency]
        return f"{minor_units / 10**decimals:,.{decimals}f} {code}"

    def _write(self, visit: Visit, template: str, **values: Any) -> str:
        csrf = visit.session.csrf if visit.session else ""
        is_short = not visit.may("analyst")
        return self._environment.get_template(template).render(
            visit=visit,
            csrf=Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, csrf),
            token=partial(shown_token, is_short=is_short),
            path=partial(charge_path, is_short=is_short),
            history=partial(history_path, is_short=is_short),
            aggregates=partial(aggregates_path, is_short=is_short),
            **values,
        )

    def _versioned(self, name: str) -> str:
        return f"/static/{name}?v={self.files[name][2]}"


def _shown(value: object) -> object:
    """Return what a template writes, as it is shown; markup is our own."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable_lines(value)
    return value


def as_json(value: object) -> str:
    """Return a value as JSON, to be escaped as any text: Jinja's own is not, within quotes.

    >>> as_json(["ch_1", "card_1"])
    '["ch_1","card_1"]'
    """
    return orjson.dumps(value).decode()


def time_element(at: float | None) -> Markup:
    """Return a time that the browser shows in its reader's zone; in UTC where it runs no script.

    >>> print(time_element(1.75e9))
    <time datetime="2025-06-15T15:06:40Z">2025-06-15 15:06 UTC</time>
    """
    if at is None:
        return Markup("")
    try:
        then = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):  # no year of a calendar
        return escape(f"{at:g} s")
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d %H:%M} UTC</time>').format(
        then, then
    )


def shown_token(text: str, *, is_short: bool) -> str:
    """Return a token as it is shown.

    >>> shown_token("tok_4f2a9c81d0", is_short=True), shown_token("tok_1", is_short=True)
    ('tok_…81d0', '…')
    """
    if not is_short:
        return text
    return f"{text[:_SHORT]}…{text[-_SHORT:]}" if len(text) > 3 * _SHORT else "…"
