"""Messages of the topics that are followed, as a batch of rows."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from agents.terminal.scored_values import ScoredError, ScoredValues
from agents.web.read_model.keeping.batch import Batch
from agents.web.read_model.keeping.rows import (
    charge_row,
    details_row,
    dispute_row,
    outcome_row,
    rejected_row,
    storable_review,
)
from schemas.rejected import InvalidEvent
from schemas.reviews import decode_review
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from streams.durations import MINUTE_S
from streams.events.headers import carried
from streams.events.origin import Origin
from streams.events.rejected import Input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from confluent_kafka import Message

    from agents.settings.schema import Settings
    from streams.formats.payloads import Payloads
    from streams.kafka.retry import RetryPolicy
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

Content = tuple[bytes | None, bytes | None]
"""Key and payload of a message."""

_WHOM: Final = "the schema registry"
_ASKED_EVERY_S: Final = 0.2


class Incoming:
    """Makes rows of messages: of inputs as workers read them, and of what workers write.

    Parameters
    ----------
    settings, topics
        Of the installation.
    payloads
        Reads inputs that may be other than plain JSON; `None` where all are.
    retry
        Of what a schema is waited for by.
    """

    def __init__(
        self, settings: Settings, topics: Topics, payloads: Payloads | None, retry: RetryPolicy
    ) -> None:
        self._rules = settings.input_rules
        self._allowance_s = settings.future_allowance_minutes * MINUTE_S
        self._payloads = payloads
        self._scored_values = ScoredValues(settings)
        self._retry = retry
        self._take_of: dict[str, Callable[[Sequence[Message], Batch], None]] = {
            topics.scored: self._take_scored,
            topics.charges: self._take_charges,
            topics.disputes: self._take_disputes,
            topics.outcomes: self._take_outcomes,
            topics.rejected: self._take_rejected,
            topics.reviews: self._take_reviews,
        }

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are followed."""
        return tuple(self._take_of)

    def read(self, messages: Iterable[Message]) -> Batch:
        """Return what messages add, those of a partition in their order.

        Raises
        ------
        StoppedError
            When the follower stops while a schema is waited for.
        """
        batch = Batch()
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            topic = cast("str", message.topic())
            by_topic.setdefault(topic, []).append(message)
            place = topic, cast("int", message.partition())
            batch.positions[place] = cast("int", message.offset()) + 1
        for topic, of_topic in by_topic.items():
            self._take_of[topic](of_topic, batch)
        return batch

    def _take_scored(self, messages: Sequence[Message], batch: Batch) -> None:
        rates = self._rules.rates
        written = [message for message in messages if message.value()]
        events = self._scored_json([message.value() or b"" for message in written])
        for message, event in zip(written, events, strict=True):
            try:
                row = charge_row(event, rates, _written_at(message))
            except msgspec.DecodeError:
                continue  # not one of ours
            if row is not None:
                batch.charges.append(row)

    def _scored_json(self, values: list[bytes]) -> list[bytes]:
        """Return scored events in JSON; what cannot be read now is waited for."""
        waiting = self._retry.waiting(_WHOM)
        while True:
            try:
                return self._scored_values.as_json(values)
            except ScoredError as error:
                waiting.say(str(error))
                self._retry.rest(_ASKED_EVERY_S)

    def _take_charges(self, messages: Sequence[Message], batch: Batch) -> None:
        for message, (charge, _) in self._events("charges", _parse_known, messages):
            batch.details.append(details_row(charge, _written_at(message)))

    def _take_disputes(self, messages: Sequence[Message], batch: Batch) -> None:
        for _, (dispute, aside) in self._events("disputes", parse_dispute, messages):
            batch.disputes.append(dispute_row(dispute, aside))

    def _take_outcomes(self, messages: Sequence[Message], batch: Batch) -> None:
        for message, (outcome, aside) in self._events("outcomes", parse_outcome, messages):
            offset = cast("int", message.offset())
            batch.outcomes.append(outcome_row(outcome, aside, offset))

    def _take_rejected(self, messages: Sequence[Message], batch: Batch) -> None:
        for message in messages:
            place = cast("int", message.partition()), cast("int", message.offset())
            headers: Any = message.headers() or ()
            batch.rejected.append(
                rejected_row(message.key(), message.value(), headers, place, _written_at(message))
            )

    def _take_reviews(self, messages: Sequence[Message], batch: Batch) -> None:
        for message in messages:
            try:
                batch.reviews.append(storable_review(decode_review(message.value() or b"")))
            except InvalidEvent as error:
                logger.warning("%s: an entry cannot be used: %s", message.topic(), error)

    def _events(
        self, source: str, parse: Callable[..., Any], messages: Sequence[Message]
    ) -> Iterable[tuple[Message, Any]]:
        """Yield the valid events of messages; workers reject the others."""
        for message, content in zip(messages, self._plain(source, messages), strict=True):
            if content is None:
                continue
            max_created = _written_at(message) + self._allowance_s
            try:
                event = parse(content[1], content[0], max_created, self._rules)
            except InvalidEvent:
                continue
            yield message, event

    def _plain(self, source: str, messages: Sequence[Message]) -> Sequence[Content | None]:
        """Return keys and payloads of JSON, waiting for the schemas that they need."""
        if self._payloads is None:
            return [(message.key(), message.value()) for message in messages]
        inputs = [_input_of(message) for message in messages]
        read = self._payloads.read(source, inputs)
        while len(read) < len(inputs):
            self._retry.rest(_ASKED_EVERY_S)
            if self._payloads.settle():
                read += self._payloads.read(source, inputs[len(read) :])
        return [None if one is None else (one.key, one.value) for one in read]


_parse_known: Final = partial(parse_charge, is_carried=False)
"""What is unknown in a charge is in its scored event."""


def _input_of(message: Message) -> Input:
    origin = Origin(
        cast("str", message.topic()),
        cast("int", message.partition()),
        cast("int", message.offset()),
        carried(cast("Any", message.headers())),
    )
    return Input(message.key(), message.value(), origin)


def _written_at(message: Message) -> float:
    """Return when a message was written to its topic, Unix seconds."""
    return message.timestamp()[1] / 1e3
