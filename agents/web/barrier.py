"""A wait until this replica knows everything that was committed when it was asked for.

What another replica has answered is on a topic before it answers. So whoever is asked afterwards
finds it, once it has read as far as the topics went when it was asked.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.web.follower import Ends
from streams.errors import OperationalError
from streams.kafka.access import NotAllowedError, Right, raise_if_refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agents.web.follower import Follower
    from streams.kafka.config import Admin

logger = logging.getLogger(__name__)

_ANSWER_S: Final = 1.0
_AGAIN_S: Final = 0.05
_PACE_S: Final = 0.005
"""Between two questions: where many charges fall back, more of them share one."""


class AwayError(OperationalError):
    """The brokers do not answer."""


class Barrier:
    """Asks the brokers where topics end, for all who ask at a time together.

    Parameters
    ----------
    admin
        Asks. Its connections are its own: behind a fetch that waits, it would wait as well.
    follower
        Reads the topics.
    places
        Topics and partitions.
    on_answer
        Hears whether the brokers have answered.
    """

    def __init__(
        self,
        admin: Admin,
        follower: Follower,
        places: Iterable[tuple[str, int]],
        on_answer: Callable[[bool], None],
    ) -> None:
        self._admin = admin
        self._follower = follower
        self._on_answer = on_answer
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        self._asked = {TopicPartition(*place): latest for place in places}
        self._next: asyncio.Future[None] | None = None
        self._rounds: asyncio.Task[None] | None = None

    async def passed(self, timeout_s: float = 2 * _ANSWER_S) -> None:
        """Wait until all that is committed by now has been taken, for some seconds.

        Raises
        ------
        AwayError
            When the brokers do not answer.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if self._rounds is None:
                self._rounds = asyncio.create_task(self._ask_in_rounds(timeout_s))
        await asyncio.shield(self._next)

    async def _ask_in_rounds(self, timeout_s: float) -> None:
        """Ask once for all who have come since the last question."""
        while (asking := self._next) is not None:
            self._next = None
            try:
                async with asyncio.timeout(timeout_s):
                    await self._follower.until(await self._ends())
            except TimeoutError:
                self._on_answer(False)
                asking.set_exception(AwayError("Kafka does not answer"))
                asking.exception()  # is known: those who ask may all have gone
            except NotAllowedError as error:
                asking.set_exception(error)
                asking.exception()
            else:
                self._on_answer(True)
                asking.set_result(None)
            await asyncio.sleep(_PACE_S)
        self._rounds = None

    async def _ends(self) -> Ends:
        while True:
            answers = self._admin.list_offsets(
                self._asked,
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=_ANSWER_S,
            )
            ends = Ends()
            for place, answer in answers.items():
                try:
                    found = await asyncio.wrap_future(answer)
                except KafkaException as error:
                    needed = Right("Read", "topic", place.topic)
                    raise_if_refused(error.args[0], self._admin.config, needed)
                else:
                    ends[place.topic, place.partition] = found.offset
            if len(ends) == len(answers):
                return ends
            await asyncio.to_thread(self._admin.find_leaders)
            await asyncio.sleep(_AGAIN_S)
