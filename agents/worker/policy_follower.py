"""The way of what merchants decide and tasks tell: from its topics to the policy of a worker."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from agents.policy.book import MerchantsBook, RulesBook
from agents.policy.fraud_rates import FraudRatesBook
from agents.policy.lists import NamedLists
from agents.policy.policy import Policy
from agents.worker import metrics
from schemas.card_numbers import mask
from schemas.lists import decode_list_change
from schemas.printable import printable
from schemas.rejected import InvalidEvent
from streams.kafka.change_log import read_changes
from streams.kafka.installation import PARTITION
from streams.kafka.partition_reader import PartitionReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message

    from agents.policy.terms import Terms
    from agents.rules.figures import Figures
    from schemas.lists import ListEntry, Removed
    from streams.kafka.clients import Clients
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

_RECORDS_AT_A_TIME = 1000
_FETCH_WAIT_MS = 250
"""These topics rest nearly always: four questions a second are enough to know that they do."""


class _Source(NamedTuple):
    """A topic, what takes its records one by one, and what makes a policy of them."""

    topic: str
    reader: PartitionReader
    take: Callable[[bytes, bytes | None], None]
    settle: Callable[[], None]


class PolicyFollower:
    """Follows the topics of rules, lists, merchants' settings, and what tasks tell of fraud.

    A record that cannot be used changes nothing: it is logged and counted.

    Parameters
    ----------
    topics
        The names of the topics.
    clients
        Makes the clients that follow.
    installed
        The terms of the installation.
    figures
        Its figures, while no task has told anything.

    Attributes
    ----------
    policy
        What holds now; another object once anything has changed.
    topics
        That it follows.
    """

    def __init__(
        self, topics: Topics, clients: Clients, installed: Terms, figures: Figures
    ) -> None:
        self._clients = clients
        self._changes = topics.changes
        self._rules, self._merchants = RulesBook(), MerchantsBook(installed)
        self._lists = NamedLists()
        self._fraud_rates, self._figures = FraudRatesBook(), figures
        self._entries: list[ListEntry | Removed] = []
        taking = {
            topics.lists: (self._take_entry, self._settle_lists),
            topics.rules: (self._rules.take, self._settle),
            topics.merchants: (self._merchants.take, self._settle),
            topics.installation: (self._fraud_rates.take, self._settle_figures),
        }
        self.topics = tuple(taking)
        self._sources = [
            _Source(
                topic,
                PartitionReader(clients, topic, PARTITION, fetch_wait_ms=_FETCH_WAIT_MS),
                *taken_by,
            )
            for topic, taken_by in taking.items()
        ]
        self._settle()

    def catch_up(self) -> None:
        """Read all that is there: no charge is decided by older rules than need be."""
        for source in self._sources:
            for messages in source.reader.read_to_end():
                self._take(source, messages)
        if self._rules.lost or self._merchants.lost:
            self._recover()

    def refresh(self) -> None:
        """Use what has come."""
        for source in self._sources:
            self._take(source, source.reader.take(_RECORDS_AT_A_TIME))

    def close(self) -> None:
        """Disconnect."""
        for source in self._sources:
            source.reader.close()

    def _take_entry(self, key: bytes, value: bytes | None) -> None:
        self._entries.append(decode_list_change(key, value))

    def _recover(self) -> None:
        """Use what the log of changes has in place of records that cannot be used."""
        changes = read_changes(self._clients, self._changes)
        self._rules.recover(changes)
        self._merchants.recover(changes)
        self._settle()

    def _take(self, source: _Source, messages: Sequence[Message]) -> None:
        for message in messages:
            key = message.key() or b""
            try:
                source.take(key, message.value())
            except InvalidEvent as error:
                metrics.POLICY_REJECTED.labels(source.topic).inc()
                shown = printable(mask(key.decode(errors="replace")))
                logger.warning(
                    "%s: a record under the key %r (offset %s) cannot be used, and changes "
                    "nothing: %s",
                    source.topic, shown, message.offset(), error,
                )  # fmt: skip
        if messages:
            source.settle()

    def _settle_lists(self) -> None:
        """Put entries on the lists, which every policy shares: there is no batch now."""
        self._lists.take(self._entries)
        self._entries.clear()

    def _settle(self) -> None:
        self.policy = Policy(
            self._merchants.table(), self._rules.active(), self._lists, self._figures
        )

    def _settle_figures(self) -> None:
        self._figures = replace(self._figures, fraud_rates=self._fraud_rates.rates)
        self.policy = replace(self.policy, figures=self._figures)
