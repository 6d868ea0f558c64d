"""The OpenAPI document, from the endpoints and the types of what they take and answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agents.web.api.endpoints import ADMISSION, Endpoint
from agents.web.problems import MEDIA_TYPE, ProblemDetails
from schemas.generate import EVENTS_VERSION, Document, components
from schemas.lists import NAME, NAME_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OPENAPI_VERSION: Final = "3.1.0"

_REFERENCE: Final = "#/components/schemas/{name}"
_NAME: Final = {"type": "string", "minLength": 1}
_PATH: Final[dict[str, Document]] = {
    "merchant": {
        "description": "the merchant account, or `*` for all of them",
        "schema": {**_NAME, "maxLength": 128},
    },
    "id": {"description": "the charge's id", "schema": {**_NAME, "maxLength": 128}},
    "list": {
        "description": "the list's name, as rules have it behind `@`",
        "schema": {**_NAME, "maxLength": NAME_CHARACTERS_MAX, "pattern": f"^{NAME}$"},
    },
    "value": {
        "description": "what is on the list",
        "schema": {**_NAME, "maxLength": 256},
    },
}
_PROBLEM_HEADERS: Final[dict[int, Document]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "`Bearer`"}},
    429: {"Retry-After": {"schema": {"type": "string"}, "description": "seconds"}},
    503: {"Retry-After": {"schema": {"type": "string"}, "description": "seconds"}},
}
_OF_A_BODY: Final = (413, 415, 422)


def openapi(endpoints: Sequence[Endpoint]) -> Document:
    """Return the document."""
    types: list[type[msgspec.Struct]] = [ProblemDetails]
    for endpoint in endpoints:
        types += [endpoint.takes] if endpoint.takes else []
        types += [each for answers in endpoint.answers.values() for each in answers]
    _, schemas = components(dict.fromkeys(types), _REFERENCE)
    paths: dict[str, Document] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Chargewatch",
            "version": EVENTS_VERSION,
            "description": "Charges in, their scores and actions out, while the payment waits.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "of `chargewatch keys add`, with its scopes",
                }
            },
        },
    }


def encoded(endpoints: Sequence[Endpoint]) -> bytes:
    """Return the document in JSON."""
    return msgspec.json.encode(openapi(endpoints))


def _operation(endpoint: Endpoint, schemas: Document) -> Document:
    named = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, **_PATH[name]} for name in named]
    operation: Document = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": [*parameters, *endpoint.parameters],
        "responses": {
            **{str(status): _answer(endpoint, status) for status in endpoint.answers},
            **{str(status): _problem(status) for status in _problems(endpoint)},
        },
    }
    if endpoint.scope is not None:
        operation["security"] = [{"key": [endpoint.scope]}]
    if endpoint.takes is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _taken(endpoint, schemas)}},
        }
    return operation


def _taken(endpoint: Endpoint, schemas: Document) -> Document:
    assert endpoint.takes is not None
    if not endpoint.looked_up:
        return _reference(endpoint.takes)
    schema = schemas[endpoint.takes.__name__]
    required = [name for name in schema["required"] if name not in endpoint.looked_up]
    return {**schema, "required": required}


def _problems(endpoint: Endpoint) -> Iterable[int]:
    own = {*endpoint.problems}
    own |= set(ADMISSION) if endpoint.scope else set()
    own |= set(_OF_A_BODY) if endpoint.takes else set()
    return sorted(own)


def _answer(endpoint: Endpoint, status: int) -> Document:
    types = [_reference(each) for each in endpoint.answers[status]]
    schema: Document = {"type": "string"}
    if types:
        schema = types[0] if len(types) == 1 else {"oneOf": types}
    elif endpoint.media_type == "application/json":
        schema = {"type": "object"}
    answer: Document = {
        "description": HTTPStatus(status).phrase,
        "content": {endpoint.media_type: {"schema": schema}},
    }
    if endpoint.answer_headers:
        answer["headers"] = {
            name: {"schema": {"type": "string"}, "description": what}
            for name, what in endpoint.answer_headers.items()
        }
    return answer


def _problem(status: int) -> Document:
    answer: Document = {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": _reference(ProblemDetails)}},
    }
    if status in _PROBLEM_HEADERS:
        answer["headers"] = _PROBLEM_HEADERS[status]
    return answer


def _reference(type_: type[Any]) -> Document:
    return {"$ref": _REFERENCE.format(name=type_.__name__)}
