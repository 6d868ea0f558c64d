"""The background half of a subscribed consumer, as librdkafka's own thread runs it.

It joins and sends heartbeats whatever the application does. What the application has to be told
waits until it polls; until then, and while it handles that, the member does not join again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from tests.simulation import groups

if TYPE_CHECKING:
    from tests.simulation.broker import Broker
    from tests.simulation.scheduling import Process

ASSIGN, REVOKE, LOSE = "assign", "revoke", "lose"

_ANSWER_S = 0.01


class Event(NamedTuple):
    """What the application is told: partitions that come, go, or are gone already."""

    kind: str
    partitions: frozenset[int]


class Membership:
    """Membership of one consumer.

    Parameters
    ----------
    process, broker
        Who is a member, and where.
    instance_id
        Name of a static member, empty for a dynamic one.
    session_s
        Silence after which the group goes on without it, seconds.
    heartbeat_s
        Time between two heartbeats, seconds.

    Attributes
    ----------
    events
        What the application has not been told yet, or handles now.
    has_fatal_to_tell
        Whether the application has not been told yet that this consumer is done for.
    """

    def __init__(
        self,
        process: Process,
        broker: Broker,
        instance_id: str,
        session_s: float,
        heartbeat_s: float,
    ) -> None:
        self.events: deque[Event] = deque()
        self.has_fatal_to_tell = False
        self.id = ""
        self.assignment: frozenset[int] = frozenset()
        self._process = process
        self._broker = broker
        self._group = broker.group
        self._instance_id = instance_id
        self._session_s = session_s
        self._heartbeat_s = heartbeat_s
        self._generation = -1
        self._must_join = True
        self._is_joining = False
        self._joins_after_events = False
        self._has_left = False
        self._attempt = 0

    @property
    def metadata(self) -> groups.Member:
        """How it names itself to the group now."""
        return groups.Member(self.id, self._generation, self._instance_id)

    def start(self) -> None:
        """Begin."""
        self._beat()

    def told(self) -> None:
        """Note that the application has handled the first event."""
        if not self.events:
            return  # it was fenced meanwhile
        event = self.events.popleft()
        if event.kind == ASSIGN:
            self.assignment |= event.partitions
        else:
            self.assignment -= event.partitions
        if not self.events and self._joins_after_events:
            self._joins_after_events = False
            self._must_join = True
            self._process.later(_ANSWER_S * self._chance(), self._join)

    def leave(self) -> None:
        """Leave, for good; a static member keeps its place until its session ends."""
        self._has_left = True
        if not self._instance_id and self._broker.answers(self._process):
            self._group.leave(self.id)

    def _chance(self) -> float:
        return self._broker.scheduler.random.random()

    def _beat(self) -> None:
        if self._has_left:
            return
        if self._broker.answers(self._process):
            if self._must_join:
                self._join()
            elif self.id:
                self._heartbeat()
        self._process.later(self._heartbeat_s * (0.8 + 0.2 * self._chance()), self._beat)

    def _join(self) -> None:
        if not self._must_join or self._has_left or not self._broker.answers(self._process):
            return
        self._must_join, self._is_joining = False, True
        self._attempt += 1
        attempt = self._attempt
        try:
            self.id = self._group.join(
                self.metadata,
                self._session_s,
                self.assignment,
                lambda *answer: self._process.later(
                    _ANSWER_S * self._chance(), lambda: self._joined(attempt, *answer)
                ),
            )
        except KafkaException as refusal:
            if self._instance_id and refusal.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID:
                # As of librdkafka 2.16: it joins as a new member at once, and keeps what it had. A
                # dynamic one does not, as the broker then first asks it to join with its new id.
                self.id, self._is_joining, self._must_join = "", False, True
            else:
                self._refused(refusal.args[0])

    def _heartbeat(self) -> None:
        try:
            self._group.heartbeat(self.metadata)
        except KafkaException as refusal:
            code = refusal.args[0].code()
            if code == KafkaError.REBALANCE_IN_PROGRESS:
                if not self.events and not self._joins_after_events and not self._is_joining:
                    self._must_join = True
                    self._join()
            elif code != KafkaError.ILLEGAL_GENERATION or not self._is_joining:
                self._refused(refusal.args[0])

    def _refused(self, refusal: KafkaError) -> None:
        """Give up the membership, and with it all partitions."""
        self._is_joining = False
        if refusal.code() == KafkaError.FENCED_INSTANCE_ID:
            self.has_fatal_to_tell = self._has_left = True
            self.assignment = frozenset()
            self.events.clear()
            return
        self._attempt += 1  # an answer that is under way is for the member that was
        if refusal.code() == KafkaError.UNKNOWN_MEMBER_ID:
            self.id = ""
        to_come = self.assignment
        for event in self.events:
            to_come = (
                to_come | event.partitions if event.kind == ASSIGN else to_come - event.partitions
            )
        if to_come or self.events:
            self.events.append(Event(LOSE, to_come))
            self._joins_after_events = True
        else:
            self._must_join = True

    def _joined(self, attempt: int, name: str, generation: int, assigned: frozenset[int]) -> None:
        if attempt != self._attempt or self._has_left:
            return
        self._is_joining = False
        self.id, self._generation = name, generation
        revoked = self.assignment - assigned
        if revoked:
            self.events.append(Event(REVOKE, revoked))
            self._joins_after_events = True
        self.events.append(Event(ASSIGN, assigned - self.assignment))
