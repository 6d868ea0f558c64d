"""Charges, disputes and outcomes as requests: read, sent, and answered."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import orjson

from agents.web.api import metrics
from agents.web.api.answer_types import AcceptedAnswer, FallbackAnswer
from agents.web.api.asked import Asked
from agents.web.api.brokers import UnavailableError
from agents.web.api.endpoints import json_response
from agents.web.api.memory import Scored
from agents.web.api.sender import Delivered, Delivery, QueueFullError
from agents.web.problems import Problem, invalid, unavailable
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from streams.events.decoding import card_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from agents.settings.schema import Settings
    from agents.web.api.calls import Call
    from agents.web.api.charge_desk import ChargeDesk
    from agents.web.api.charge_lookup import ChargeLookup
    from agents.web.api.link import KafkaLink
    from agents.web.api.memory import Answer
    from agents.web.problems import Accepted
    from schemas.charge import Charge
    from schemas.dispute import Dispute
    from schemas.outcome import Outcome

DEADLINE_HEADER: Final = "Chargewatch-Deadline-Ms"
DEADLINE_MS_MAX: Final = 10_000

_DIGITS: Final = re.compile("[0-9]{1,5}")
_LABEL_TIMEOUT_S: Final = 5.0


class EventCalls:
    """The calls that take events.

    Parameters
    ----------
    settings
        Of the installation.
    link
        The way to Kafka.
    desk
        Answers charges.
    lookup
        Finds the charges that disputes and outcomes name alone.
    clock
        Of the event loop, seconds.
    """

    def __init__(
        self,
        settings: Settings,
        link: KafkaLink,
        desk: ChargeDesk,
        lookup: ChargeLookup,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._rules = settings.input_rules
        self._link = link
        self._desk = desk
        self._lookup = lookup
        self._clock = clock
        self._replica = uuid.uuid4().hex
        self._numbers = count()

    async def charge(self, call: Call) -> Response:
        """Have a charge scored, and answer it by its deadline."""
        try:
            self._desk.check_room()  # before anything is read: refusing has to be quick
            asked = self._asked(call)
            answer = await self._desk.answer(asked)
        except UnavailableError as error:
            accepted: Accepted = "unknown" if error.may_be_accepted else "no"
            metrics.UNANSWERED.labels(accepted).inc()
            call.told = f"unanswered, accepted {accepted}"
            raise unavailable(str(error), accepted) from None
        return self._answered(call, asked.charge, answer)

    async def dispute(self, call: Call) -> Response:
        """Put a dispute on its topic."""
        return await self._take(call, parse_dispute, self._link.topics.disputes)

    async def outcome(self, call: Call) -> Response:
        """Put an outcome on its topic."""
        return await self._take(call, parse_outcome, self._link.topics.outcomes)

    def _asked(self, call: Call) -> Asked:
        until = call.began + self._deadline_ms(call) / 1e3
        charge, card = self._read(parse_charge, call.body)
        request = f"{self._replica}-{next(self._numbers)}"
        return Asked(cast("Charge", charge), call.body, card, request, call.began, until)

    def _answered(self, call: Call, charge: Charge, answer: Answer) -> Response:
        took_s = self._clock() - call.began
        is_scored = isinstance(answer, Scored)
        call.told = "scored" if is_scored else "fallback"
        metrics.ANSWER_SECONDS.labels(call.told).observe(took_s)
        took_ms = round(1e3 * took_s, 3)
        if isinstance(answer, Scored):
            return json_response(scored_answer(answer.event, took_ms))
        metrics.FALLBACKS.labels(answer.action).inc()
        told = FallbackAnswer(
            charge=charge.id,
            card=charge.card,
            merchant=charge.merchant,
            amount=charge.amount,
            currency=charge.currency,
            created=charge.created,
            action=cast("Any", answer.action),
            source="fallback",
            took_ms=took_ms,
        )
        return json_response(msgspec.json.encode(told))

    async def _take(self, call: Call, parse: Any, topic: str) -> Response:
        """Put an event on its topic, and answer once the brokers have it."""
        body = await self._lookup.completed(call.body)
        event, card = self._read(parse, body)
        if self._link.is_away:
            raise unavailable("Kafka does not answer", "no")
        delivered: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        try:
            self._link.send(topic, card, body, partial(_settle, delivered))
        except QueueFullError:
            raise unavailable("too many events wait for Kafka", "no") from None
        await asyncio.wait([delivered], timeout=_LABEL_TIMEOUT_S)
        if not delivered.done() or not isinstance(delivered.result(), Delivered):
            raise unavailable("Kafka does not answer in time", "unknown")
        call.told = "accepted"
        return json_response(msgspec.json.encode(AcceptedAnswer(event.id)), HTTPStatus.ACCEPTED)

    def _read(self, parse: Any, body: bytes) -> tuple[Charge | Dispute | Outcome, bytes]:
        """Return the event of a body, and its card as it was sent, by which it is keyed."""
        card = card_in(body)
        max_created = time.time() + 60.0 * self._settings.future_allowance_minutes
        try:
            event, _ = parse(body, card, max_created, self._rules)
        except InvalidEvent as error:
            raise invalid(error) from None
        assert card is not None, "what has no card is no event"
        return event, card

    def _deadline_ms(self, call: Call) -> int:
        told = call.request.headers.get(DEADLINE_HEADER)
        if told is None:
            return self._settings.api_deadline_ms
        if not _DIGITS.fullmatch(told) or not 1 <= int(told) <= DEADLINE_MS_MAX:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{DEADLINE_HEADER}: expected an integer from 1 to {DEADLINE_MS_MAX}",
                field=DEADLINE_HEADER,
            )
        return int(told)


def scored_answer(event: bytes, took_ms: float) -> bytes:
    """Return the answer to a charge, given its scored event in JSON.

    Unknown fields of the charge are carried along in it; these two names are the answer's.

    Examples
    --------
    >>> scored_answer(b'{"charge":"c1","score":0.5}', 46.1)
    b'{"charge":"c1","score":0.5,"source":"scored","took_ms":46.1}'
    >>> scored_answer(b'{"charge":"c1","source":"web"}', 46.1)
    b'{"charge":"c1","source":"scored","took_ms":46.1}'
    """
    if b'"source"' in event or b'"took_ms"' in event:
        return orjson.dumps(orjson.loads(event) | {"source": "scored", "took_ms": took_ms})
    return b'%b,"source":"scored","took_ms":%r}' % (event[:-1], took_ms)


def _settle(delivered: asyncio.Future[Delivery], delivery: Delivery) -> None:
    if not delivered.done():
        delivered.set_result(delivery)
