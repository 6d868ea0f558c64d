"""The answers to charges: with their scores if these come in time, else by fallback.

Of each charge one answer is given, at whichever replica it is asked for:

- What is scored can be answered as scored once it is committed, and no fallback is on record.
- A fallback is given once it is on record: an `answered` outcome on `outcomes`, behind the charge.
  Of several on record the first one counts, for every replica.
- Before a fallback is put on record, and before a charge that came to another replica first is
  answered, everything is read that was committed by then (`agents.web.barrier`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError

from agents.web.api.brokers import Brokers, UnavailableError
from agents.web.api.lag import Lag
from agents.web.api.memory import AnswerMemory, Scored
from agents.web.api.sender import Delivered, QueueFullError
from agents.web.barrier import AwayError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from agents.web.api.asked import Asked
    from agents.web.api.memory import Answer, Key
    from agents.web.api.sender import Delivery
    from schemas.charge import Charge

LEAD_S: Final = 0.06
"""At least so long before its deadline a fallback is begun, and half as long again as the slowest
of late took to be on record; of a short deadline no more than its half."""

LEAD_SHARE: Final = 0.25
"""Of a deadline, at least: who waits longer gets no problem for a pause of the brokers."""

GRACE_S: Final = 0.015
"""After its deadline an answer that is under way is still waited for."""

HOPELESS: Final = 2.0
"""Times its deadline that others wait: then a charge is answered by fallback at once. What is only
a little late may be quick again with the next batch."""

UNSCORED_MAX: Final = 100_000
"""Charges that wait for the workers, answered or not; then no more are taken."""

_FADING: Final = 0.95
"""From one fallback to the next, of how long the slowest of late took."""

_NEVER_SENT: Final = {KafkaError._QUEUE_FULL, KafkaError._PURGE_QUEUE}


class _Waiting:
    """A charge that is waited for, by one request or several."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.requests: list[asyncio.Future[Answer]] = []
        self.is_answered = False
        self.is_scored = False
        self.falls_back_at = 0.0
        self.is_recording = False
        self.on_brokers = asyncio.Event()


class ChargeDesk:
    """Answers charges on one event loop.

    Parameters
    ----------
    brokers
        Take charges and fallbacks.
    fallback_of
        Gives the action of a charge when no score comes in time.
    clock
        Gives the time of the loop, seconds.
    in_flight_max
        Requests that are answered at a time.
    window_s
        Of `AnswerMemory`.

    Attributes
    ----------
    memory, lag
        What was answered, and what the workers still have to score.
    in_flight
        Requests that are being answered.
    """

    def __init__(
        self,
        brokers: Brokers,
        fallback_of: Callable[[Charge], str],
        clock: Callable[[], float],
        in_flight_max: int,
        window_s: float,
    ) -> None:
        self._brokers = brokers
        self._fallback_of = fallback_of
        self._clock = clock
        self._in_flight_max = in_flight_max
        self._waiting: dict[Key, _Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recorded_s = 0.0
        self.memory, self.lag = AnswerMemory(window_s), Lag()
        self.in_flight = 0

    async def answer(self, asked: Asked) -> Answer:
        """Return the answer of a charge, by its deadline and a little more.

        Raises
        ------
        UnavailableError
            When there is none.
        """
        self.check_room()
        self.in_flight += 1
        try:
            return await self._answer(asked)
        finally:
            self.in_flight -= 1

    def check_room(self) -> None:
        """Refuse one charge too many.

        Raises
        ------
        UnavailableError
            When as many are being answered as may be.
        """
        if self.in_flight >= self._in_flight_max:
            raise UnavailableError("too many charges at a time", may_be_accepted=False)

    def scored(self, key: Key, event: bytes, created: float, request: str | None) -> None:
        """Take a scored event, and which request its charge was first sent by, if by any."""
        self.memory.scored(key, event, created)
        self.lag.scored(key, self._clock())
        waiting = self._waiting.get(key)
        if waiting is None or waiting.is_scored or self._known(waiting.asked) is None:
            return
        waiting.is_scored = True
        if waiting.is_recording:
            return  # the fallback may be on record already
        if request == waiting.asked.request:
            self._give(waiting)  # nobody can have answered it before it was sent by us
        else:
            self._start(self._give_what_is_known(waiting))

    def fell_back(self, key: Key, action: str, created: float) -> None:
        """Take a fallback that is on record."""
        self.memory.fell_back(key, action, created)
        if (waiting := self._waiting.get(key)) is not None:
            if waiting.is_recording:
                self._note_recorded(self._clock() - waiting.falls_back_at)
            self._give(waiting)

    async def _answer(self, asked: Asked) -> Answer:
        waiting = self._waiting.get(asked.key)
        if waiting is None:
            if self._known(asked) is not None:
                return await self._answer_again(asked)
            waiting = self._send(asked)
        return await self._wait(waiting, asked)

    async def _answer_again(self, asked: Asked) -> Answer:
        """Return the answer of a charge that was answered before, perhaps by another replica."""
        known = self._known(asked)
        if isinstance(known, Scored):
            try:
                async with asyncio.timeout_at(asked.until + GRACE_S):
                    await self._brokers.catch_up()
            except (TimeoutError, AwayError):
                raise UnavailableError("Kafka does not answer", may_be_accepted=True) from None
            known = self._known(asked)
        assert known is not None
        return known

    def _send(self, asked: Asked) -> _Waiting:
        if self._brokers.is_away:
            raise UnavailableError("Kafka does not answer", may_be_accepted=False)
        if len(self.lag) >= UNSCORED_MAX:
            raise UnavailableError("the workers are too far behind", may_be_accepted=False)
        waiting = _Waiting(asked)
        try:
            self._brokers.send_charge(asked, lambda delivery: self._sent(waiting, delivery))
        except QueueFullError:
            reason = "too many charges wait for Kafka"
            raise UnavailableError(reason, may_be_accepted=False) from None
        self._waiting[asked.key] = waiting
        return waiting

    def _sent(self, waiting: _Waiting, delivery: Delivery) -> None:
        """Take the brokers' word on a charge."""
        if not isinstance(delivery, Delivered):
            self._give_up(waiting, delivery)
            return
        waiting.on_brokers.set()
        asked, now = waiting.asked, self._clock()
        if waiting.is_scored or isinstance(self._known(asked), Scored):
            return
        expected_s = self.lag.expected_s(delivery.partition, now)
        self.lag.sent(asked.key, delivery.partition, asked.began)
        if expected_s > HOPELESS * (asked.until - asked.began):
            self._fall_back(waiting)

    async def _wait(self, waiting: _Waiting, asked: Asked) -> Answer:
        """Wait for an answer; timers see to its deadline."""
        loop = asyncio.get_running_loop()
        request: asyncio.Future[Answer] = loop.create_future()
        begins = loop.call_at(asked.until - self._lead_s(asked), self._fall_back, waiting)
        ends = loop.call_at(asked.until + GRACE_S, self._end, waiting, request)
        waiting.requests.append(request)
        try:
            return await request
        finally:
            begins.cancel()
            ends.cancel()
            waiting.requests.remove(request)
            if not waiting.requests:
                self._drop(waiting)

    def _lead_s(self, asked: Asked) -> float:
        """Return how long before its deadline the fallback of a charge is begun, seconds."""
        deadline_s = asked.until - asked.began
        lead_s = max(LEAD_S, LEAD_SHARE * deadline_s, 1.5 * self._recorded_s)
        return min(lead_s, deadline_s / 2)

    def _end(self, waiting: _Waiting, request: asyncio.Future[Answer]) -> None:
        """End a request that has no answer by its deadline."""
        if not request.done():
            self._note_recorded(self._clock() - waiting.falls_back_at)
            reason = "Kafka does not answer in time"
            request.set_exception(UnavailableError(reason, may_be_accepted=True))

    def _fall_back(self, waiting: _Waiting) -> None:
        if not waiting.falls_back_at and not waiting.is_answered:
            waiting.falls_back_at = self._clock()
            self._start(self._record_fallback(waiting))

    async def _record_fallback(self, waiting: _Waiting) -> None:
        """Put the fallback on record, unless the answer is there: it is given once it is read."""
        await waiting.on_brokers.wait()
        if not await self._catch_up_for(waiting):
            return  # it is answered, or given up
        if waiting.is_scored:
            self._give(waiting)
            return
        waiting.is_recording, asked = True, waiting.asked
        action, took_s = self._fallback_of(asked.charge), self._clock() - asked.began
        try:
            self._brokers.send_fallback(asked, action, took_s, lambda _: None)
        except QueueFullError:
            waiting.is_recording = False

    async def _catch_up_for(self, waiting: _Waiting) -> bool:
        """Catch up, however often the brokers do not answer; tell if it is still waited for."""
        while self._is_waited_for(waiting):
            try:
                await self._brokers.catch_up()
            except AwayError:
                continue
            return self._is_waited_for(waiting)
        return False

    async def _give_what_is_known(self, waiting: _Waiting) -> None:
        try:
            await self._brokers.catch_up()
        except AwayError:
            return
        if not waiting.is_recording:
            self._give(waiting)

    def _give(self, waiting: _Waiting) -> None:
        """Answer all who wait for a charge."""
        answer = self._known(waiting.asked)
        if answer is None:
            return  # what came is of an earlier charge of the same id
        waiting.is_answered = True
        self._drop(waiting)
        for request in waiting.requests:
            if not request.done():
                request.set_result(answer)

    def _give_up(self, waiting: _Waiting, error: KafkaError) -> None:
        """Tell all who wait for a charge that the brokers have not taken it."""
        self._drop(waiting)
        waiting.on_brokers.set()
        may_be_accepted = error.code() not in _NEVER_SENT
        for request in waiting.requests:
            if not request.done():
                reason = f"Kafka: {error.str()}"
                request.set_exception(UnavailableError(reason, may_be_accepted=may_be_accepted))

    def _is_waited_for(self, waiting: _Waiting) -> bool:
        return self._waiting.get(waiting.asked.key) is waiting

    def _drop(self, waiting: _Waiting) -> None:
        if self._is_waited_for(waiting):
            del self._waiting[waiting.asked.key]

    def _known(self, asked: Asked) -> Answer | None:
        return self.memory.find(asked.key, asked.charge.created)

    def _note_recorded(self, took_s: float) -> None:
        """Note how long a fallback took to be on record."""
        self._recorded_s = max(took_s, _FADING * self._recorded_s)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
