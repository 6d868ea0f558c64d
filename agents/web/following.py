"""Topics that a web server follows, and whether the brokers answer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from agents.web.barrier import AwayError, Barrier
from agents.web.follower import Followed, Follower
from streams.kafka.access import NotAllowedError
from streams.kafka.clients import Clients
from streams.kafka.remedies import with_remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import KafkaError

    from streams.kafka.config import Admin, Config

logger = logging.getLogger(__name__)

_HEARTBEAT_S: Final = 1.0
_ANSWER_S: Final = 10.0


class Following:
    """Follows topics and watches the brokers; made on a running event loop.

    Parameters
    ----------
    config
        Settings of Kafka clients.
    admin
        Asks the brokers.

    Attributes
    ----------
    clients, admin
        Reach Kafka.
    is_away
        Whether the brokers do not answer.
    failed
        Is done when something has ended that is needed.
    """

    def __init__(self, config: Config, admin: Admin) -> None:
        self.clients = Clients(config)
        self.admin = admin
        self.is_away = False
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._watching: asyncio.Task[None] | None = None

    async def follow(self, followed: Sequence[Followed]) -> None:
        """Begin to follow topics, and wait until what they hold by now was taken.

        Raises
        ------
        AwayError
            When the brokers do not answer.
        """
        loop = asyncio.get_running_loop()
        self._follower = Follower(self.clients, loop, self.on_error, followed)
        places = [(each.topic, number) for each in followed for number in each.begin]
        self._barrier = Barrier(self.admin, self._follower, places, self._on_answer)
        await self._barrier.passed(_ANSWER_S)
        self._watching = asyncio.create_task(self._watch())

    async def catch_up(self) -> None:
        """Wait until all that is committed by now has been taken.

        Raises
        ------
        AwayError
            When the brokers do not answer.
        """
        await self._barrier.passed()

    async def unfollow(self) -> None:
        """Read no more, and disconnect."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.to_thread(self._follower.close)

    def on_error(self, error: KafkaError) -> None:
        """Hear of an error that a client goes on from by itself; `_watch` tells what it meant."""
        if error.fatal():
            self._fail(f"the producer has failed: {error.str()}")

    async def _watch(self) -> None:
        """Ask now and then, so that it is known when the brokers do not answer, and do again."""
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            try:
                await self._barrier.passed()
            except AwayError:
                pass  # which is noted
            except NotAllowedError as error:
                self._fail(str(error))
            if not self._follower.is_running:
                self._fail("the topics cannot be followed any more; what happened is above")

    def _on_answer(self, has_come: bool) -> None:
        if self.is_away == has_come:
            problem = self.admin.problem()
            logger.warning("Kafka answers again" if has_come else "Kafka does not answer")
            if has_come:
                self.admin.forget()
            elif problem is not None:
                logger.warning("Kafka: %s", with_remedy(problem))
        self.is_away = not has_come

    def _fail(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_result(why)
