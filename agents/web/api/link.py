"""Everything that the API asks of Kafka: events sent, topics followed, brokers watched."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import OFFSET_BEGINNING, IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.policy.book import MerchantsBook
from agents.stages.tasks import terms_of
from agents.web.api.fallback_outcomes import Headers, fallback_in, fallback_outcome
from agents.web.api.keys import KeyRing
from agents.web.api.scored_events import REQUEST_HEADER, ScoredEvents
from agents.web.api.sender import Sender
from agents.web.follower import Followed
from agents.web.following import Following
from schemas.rejected import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka import Message

    from agents.settings.schema import Settings
    from agents.web.api.asked import Asked
    from agents.web.api.charge_desk import ChargeDesk
    from agents.web.api.sender import Delivery
    from schemas.charge import Charge
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

SCORED_LOOK_BACK_S: Final = 60.0
FALLBACKS_LOOK_BACK_S: Final = 900.0
"""How far back a replica reads at its start, to give charges the answers that others gave."""

_ANSWER_S: Final = 10.0


class KafkaLink(Following):
    """The way of the API to Kafka and back; made on a running event loop.

    Parameters
    ----------
    settings, topics
        Of the installation.
    config
        Settings of Kafka clients.
    admin
        Asks the brokers.

    Attributes
    ----------
    keys
        Keys of the API, as they are now.
    merchants
        Settings of merchants, as they are now.
    """

    def __init__(self, settings: Settings, topics: Topics, config: Config, admin: Admin) -> None:
        super().__init__(config, admin)
        self.topics = topics
        self.keys = KeyRing()
        self.merchants = MerchantsBook(terms_of(settings))
        self._rules = settings.input_rules
        self._scored_events = ScoredEvents(settings)
        self._sender = Sender(self.clients, asyncio.get_running_loop(), self.on_error)

    async def start(self, desk: ChargeDesk) -> None:
        """Begin to follow the topics, and wait until what they hold by now was taken.

        Raises
        ------
        AwayError
            When the brokers do not answer.
        """
        await self.follow(await asyncio.to_thread(self._to_follow, desk))

    def send_charge(self, asked: Asked, told: Callable[[Delivery], None]) -> None:
        """Send a charge; see `Sender.send`."""
        headers: Headers = [(REQUEST_HEADER, asked.request.encode())]
        self._sender.send(self.topics.charges, asked.card, asked.payload, headers, told)

    def send_fallback(
        self, asked: Asked, action: str, took_s: float, told: Callable[[Delivery], None]
    ) -> None:
        """Put a fallback on record; see `Sender.send`."""
        value, headers = fallback_outcome(asked, action, took_s)
        self._sender.send(self.topics.outcomes, asked.card, value, headers, told)

    def send(self, topic: str, card: bytes, value: bytes, told: Callable[[Delivery], None]) -> None:
        """Send a dispute or an outcome; see `Sender.send`."""
        self._sender.send(topic, card, value, [], told)

    def fallback_of(self, charge: Charge) -> str:
        """Return the action of a charge when no score comes in time."""
        return self.merchants.terms_of(charge.merchant).fallback_of(charge.payment_method)

    async def close(self) -> None:
        """Let the brokers have what is under way, and disconnect."""
        await self.unfollow()
        await asyncio.to_thread(self._sender.close)

    def _to_follow(self, desk: ChargeDesk) -> list[Followed]:
        names, now = self.topics, time.time()
        scored = self._since(names.scored, now - SCORED_LOOK_BACK_S)
        outcomes = self._since(names.outcomes, now - FALLBACKS_LOOK_BACK_S)
        return [
            Followed(names.scored, scored, partial(self._read_scored, desk)),
            Followed(names.outcomes, outcomes, partial(self._read_outcome, desk)),
            Followed(names.keys, _WHOLE, partial(_read_record, self.keys.take)),
            Followed(names.merchants, _WHOLE, partial(_read_record, self._take_merchant)),
        ]

    def _since(self, topic: str, time_s: float) -> Mapping[int, int]:
        """Return the first offset of each partition that was written at a time or later."""
        numbers = self.admin.list_topics(topic, timeout=_ANSWER_S).topics[topic].partitions
        ends = self._offsets(topic, numbers, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        begins = self._offsets(topic, numbers, OffsetSpec.for_timestamp(int(time_s * 1000)))
        return {number: begins[number] if begins[number] >= 0 else ends[number] for number in ends}

    def _offsets(self, topic: str, numbers: Mapping[int, Any], spec: OffsetSpec) -> dict[int, int]:
        """Ask for offsets, again while brokers come up."""
        asked = {TopicPartition(topic, number): spec for number in numbers}

        def ask() -> dict[int, int]:
            answers = self.admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_ANSWER_S
            )
            return {place.partition: answer.result().offset for place, answer in answers.items()}

        return self.clients.retry.ask(ask)

    def _read_scored(self, desk: ChargeDesk, message: Message) -> Callable[[], None] | None:
        found = self._scored_events.read(message)
        return partial(desk.scored, *found) if found else None

    def _read_outcome(self, desk: ChargeDesk, message: Message) -> Callable[[], None] | None:
        found = fallback_in(message, self._rules)
        return partial(desk.fell_back, *found) if found else None

    def _take_merchant(self, key: bytes, value: bytes | None) -> None:
        try:
            self.merchants.take(key, value)
        except InvalidEvent as error:
            logger.warning("%s: a record cannot be used: %s", self.topics.merchants, error)


_WHOLE: Final = {0: OFFSET_BEGINNING}


def _read_record(
    take: Callable[[bytes, bytes | None], None], message: Message
) -> Callable[[], None]:
    return partial(take, message.key() or b"", message.value())
