"""Charges as the read model has them: looked up beside the event loop."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from agents.web.api.endpoints import json_response
from agents.web.problems import Problem, unavailable
from agents.web.read_model.database import ReadModelError, fresh_as_of, is_fresh
from agents.web.read_model.queries.charge_view import charge_view

if TYPE_CHECKING:
    from starlette.responses import Response

    from agents.web.api.calls import Call
    from agents.web.read_model.database import ReadModel
    from agents.web.read_model.queries.charge_view import ChargeView

LOOKED_UP: Final = ("card", "merchant")
"""Fields that a dispute or an outcome may lack."""

_RETRY_AFTER_S: Final = 5
_BEHIND: Final = (
    "the read model is not brought up to date: `chargewatch console`, or `chargewatch read-model`, "
    "does that"
)


_NULL: Final = msgspec.Raw(b"null")


class _Named(msgspec.Struct, gc=False):
    """All that is read of a dispute or an outcome to see whether it names its charge alone."""

    charge: str
    card: msgspec.Raw = _NULL
    merchant: msgspec.Raw = _NULL


_decode_named: Final = msgspec.json.Decoder(_Named).decode


class ChargeLookup:
    """Answers by the read model.

    Parameters
    ----------
    read_model
        It may come, go, and be behind at any time.
    """

    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model

    async def charge(self, call: Call) -> Response:
        """Return a charge's scored event, outcomes and disputes."""
        try:
            view, is_up_to_date = await self.find(call.path("id"))
        except ReadModelError as error:
            raise unavailable(str(error), retry_after_s=_RETRY_AFTER_S) from None
        if not is_up_to_date:
            raise unavailable(_BEHIND, retry_after_s=_RETRY_AFTER_S)
        if view is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no scored charge of this id")
        found = {"scored": view.scored, "outcomes": view.outcomes, "disputes": view.disputes}
        return json_response(orjson.dumps(found))

    async def completed(self, body: bytes) -> bytes:
        """Return a dispute or an outcome with card and merchant of its charge, if it lacks them.

        What is in any other way no event is left as it is, and so is everything where there is no
        read model.

        Raises
        ------
        Problem
            When there is no such charge, or it may not have come to the read model yet.
        """
        try:
            named = _decode_named(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return body
        missing = [name for name in LOOKED_UP if bytes(getattr(named, name)) == b"null"]
        if not missing:
            return body
        try:
            view, is_up_to_date = await self.find(named.charge)
        except ReadModelError:
            return body
        if view is not None:
            return _with_members(body, {name: getattr(view.line, name) for name in missing})
        if not is_up_to_date:
            raise unavailable(_BEHIND, "no", _RETRY_AFTER_S)
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "charge: expected one that is known, as neither card nor merchant is named; got none "
            "of this id: add card and merchant as they are in the charge",
            field="charge",
            reason="unknown_charge",
        )

    async def find(self, charge: str) -> tuple[ChargeView | None, bool]:
        """Return a charge if it is there, and whether the read model is up to date.

        Raises
        ------
        ReadModelError
            When there is no read model.
        """
        return await asyncio.to_thread(self._find, charge)

    async def fresh_as_of(self) -> float | None:
        """Return up to which time all is in the read model; see `database.fresh_as_of`.

        Raises
        ------
        ReadModelError
            When there is no read model.
        """
        return await asyncio.to_thread(self._fresh_as_of)

    def _fresh_as_of(self) -> float | None:
        with self._read_model.reading() as connection:
            return fresh_as_of(connection)

    def _find(self, charge: str) -> tuple[ChargeView | None, bool]:
        with self._read_model.reading() as connection:
            return charge_view(connection, charge), is_fresh(connection)


def _with_members(body: bytes, members: dict[str, str]) -> bytes:
    """Return a JSON object with more members, all else as it was.

    >>> _with_members(b'{"charge":"c1"} ', {"card": "k"})
    b'{"charge":"c1","card":"k"}'
    """
    return body.rstrip().removesuffix(b"}") + b"," + orjson.dumps(members)[1:]
