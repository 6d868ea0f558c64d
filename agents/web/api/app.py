"""The table of all calls, and the application that serves them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from agents.web.api.answer_types import (
    AcceptedAnswer,
    ChargeAnswer,
    FallbackAnswer,
    ScoredAnswer,
)
from agents.web.api.charge_lookup import LOOKED_UP, ChargeLookup
from agents.web.api.edit_types import EntryEdit, MerchantEdit, RulesEdit
from agents.web.api.endpoints import Endpoint, served
from agents.web.api.events import DEADLINE_HEADER, DEADLINE_MS_MAX, EventCalls
from agents.web.api.openapi import encoded
from agents.web.api.pages import Pages
from agents.web.problems import Problem
from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.lists import ListEntry
from schemas.merchants import MerchantSettings
from schemas.outcome import Outcome
from schemas.rules import MerchantRules
from schemas.validation import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from agents.web.api.access import Access
    from agents.web.api.charge_desk import ChargeDesk
    from agents.web.api.link import KafkaLink
    from agents.web.api.policy_calls import PolicyCalls

Serve = Callable[[Request], Awaitable[Response]]

_TEXT: Final = "text/plain; charset=utf-8"
_DEADLINE: Final = {
    "name": DEADLINE_HEADER,
    "in": "header",
    "description": "milliseconds after which the charge is answered by fallback",
    "schema": {"type": "integer", "minimum": 1, "maximum": DEADLINE_MS_MAX},
}
_PRECONDITIONS: Final = (
    {
        "name": "If-Match",
        "in": "header",
        "description": "`ETag` of the version that the edit was made from; `*` for any",
        "schema": {"type": "string"},
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "`*` where nothing may be there yet",
        "schema": {"type": "string", "const": "*"},
    },
)
_WITH_SLASHES: Final = re.compile(r"\{(id|merchant|value)\}")
_ETAG: Final = {"ETag": "the version, for `If-Match`"}


def event_endpoints(calls: EventCalls, bytes_max: int) -> list[Endpoint]:
    """Return the calls that take events."""
    events = partial(
        Endpoint, method="POST", bytes_max=min(bytes_max, PAYLOAD_BYTES_MAX), problems=(503,)
    )
    labels = partial(
        events,
        scope="labels",
        answers={202: (AcceptedAnswer,)},
        looked_up=LOOKED_UP,
    )
    return [
        events(
            path="/v1/charges",
            summary="Have a charge scored, and get what is to be done with it",
            handler=calls.charge,
            scope="charges",
            takes=Charge,
            answers={200: (ScoredAnswer, FallbackAnswer)},
            parameters=(_DEADLINE,),
        ),
        labels(
            path="/v1/disputes",
            summary="Tell of a dispute or an early fraud warning",
            handler=calls.dispute,
            takes=Dispute,
        ),
        labels(
            path="/v1/outcomes",
            summary="Tell what became of a charge",
            handler=calls.outcome,
            takes=Outcome,
        ),
    ]


def charge_endpoint(lookup: ChargeLookup) -> Endpoint:
    """Return the call that tells of a charge."""
    return Endpoint(
        method="GET",
        path="/v1/charges/{id}",
        summary="Read a charge's scored event, outcomes and disputes",
        handler=lookup.charge,
        scope="read",
        answers={200: (ChargeAnswer,)},
        problems=(404, 503),
    )


def policy_endpoints(calls: PolicyCalls, bytes_max: int) -> list[Endpoint]:
    """Return the calls that read and write what merchants decide."""
    return [
        *_edited("/v1/rules/{merchant}", "rules of a merchant, or those for all",
                 MerchantRules, RulesEdit, (calls.get_rules, calls.put_rules), bytes_max),
        *_edited("/v1/lists/{list}/{value}", "entry of a list",
                 ListEntry, EntryEdit, (calls.get_entry, calls.put_entry), bytes_max),
        *_edited("/v1/merchants/{merchant}", "settings of a merchant, or those for all",
                 MerchantSettings, MerchantEdit, (calls.get_merchant, calls.put_merchant),
                 bytes_max),
    ]  # fmt: skip


def _edited(
    path: str, what: str, record: Any, edit: Any, handlers: tuple[Any, Any], bytes_max: int
) -> list[Endpoint]:
    """Return the two calls of a record that is read and written."""
    get, put = handlers
    either = partial(Endpoint, path=path, answers={200: (record,)}, answer_headers=_ETAG)
    return [
        either(method="GET", summary=f"Read the {what}", handler=get, scope="read",
               problems=(404, 422, 503)),
        either(method="PUT", summary=f"Write the {what}", handler=put, scope="rules",
               takes=edit, bytes_max=bytes_max, problems=(412, 503), parameters=_PRECONDITIONS),
    ]  # fmt: skip


def page_endpoints(pages: Pages) -> list[Endpoint]:
    """Return the calls that need no key."""
    text = partial(Endpoint, method="GET", answers={200: ()}, media_type=_TEXT)
    return [
        text(path="/healthz", summary="Whether the process runs", handler=pages.healthz),
        text(
            path="/readyz",
            summary="Whether charges can be answered",
            handler=pages.readyz,
            problems=(503,),
        ),
        text(
            path="/metrics",
            summary="Metrics of this replica, for Prometheus",
            handler=pages.metrics,
            media_type=CONTENT_TYPE_LATEST,
        ),
        Endpoint(
            method="GET",
            path="/openapi.json",
            summary="This document",
            handler=pages.openapi,
            answers={200: ()},
        ),
    ]


def create_app(
    calls: tuple[EventCalls, ChargeLookup, PolicyCalls],
    link: KafkaLink,
    desk: ChargeDesk,
    access: Access,
    bytes_max: int,
    clock: Callable[[], float],
) -> Router:
    """Return the application: a router alone, as every call tells of its errors by itself.

    Parameters
    ----------
    calls
        That take events, that tell of charges, and that read and write what merchants decide.
    link, desk
        Of the replica.
    access
        Admits requests.
    bytes_max
        Of a body.
    clock
        Of the event loop, seconds.
    """
    pages = Pages(link, desk, calls[1])
    endpoints = [
        *event_endpoints(calls[0], bytes_max),
        charge_endpoint(calls[1]),
        *policy_endpoints(calls[2], bytes_max),
        *page_endpoints(pages),
    ]
    pages.document = encoded(endpoints)
    by_path: dict[str, dict[str, Serve]] = {}
    for each in endpoints:
        by_path.setdefault(each.path, {})[each.method] = served(each, access, clock)
    routes = [Route(_route(path), _Path(serving)) for path, serving in by_path.items()]
    return Router(routes, redirect_slashes=False, default=_no_such_path)


class _Path:
    """What serves a path, given what serves each of its methods; HEAD is a GET."""

    def __init__(self, serving: Mapping[str, Serve]) -> None:
        self._serving = dict(serving)
        if "GET" in serving:
            self._serving["HEAD"] = serving["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serve = self._serving.get(scope["method"])
        if serve is None:
            allowed = {"Allow": ", ".join(sorted(self._serving))}
            problem = Problem(
                HTTPStatus.METHOD_NOT_ALLOWED, f"expected one of {allowed['Allow']}", allowed
            )
            response = problem.response()
        else:
            response = await serve(Request(scope, receive))
        await response(scope, receive, send)


def _route(path: str) -> str:
    """Return a path as Starlette has it: ids, and values of lists, may have slashes."""
    return _WITH_SLASHES.sub(r"{\1:path}", path)


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(HTTPStatus.NOT_FOUND, "there is no such call; /openapi.json has them all")
    await problem.response()(scope, receive, send)
