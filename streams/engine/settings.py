"""How the engine works, and how it is a member of its group."""

from dataclasses import dataclass

from schemas.input_rules import DEFAULT_RULES, InputRules
from streams.kafka.config import Config

_HEARTBEAT_MS = 1000  # a member hears of a rebalance by the answer to a heartbeat
_SESSIONS_WITHOUT_POLL = 3


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine works.

    Attributes
    ----------
    application_id
        The consumer group.
    instance_id
        Name of this worker as a static member of the group, empty for a dynamic one: a static
        member that is back within the session timeout finds its tasks as it left them.
    exactly_once
        Whether outputs, state and offsets are one transaction.
    session_timeout_ms
        How long the group waits for a silent worker before its tasks go to others.
    standby_replicas
        Other workers that keep a copy of each task's state.
    max_batch
        Events taken at about the most at a time.
    max_buffered
        Events of a partition that wait at the most, before it is paused.
    future_allowance_s
        Seconds by which an event's time may lie ahead of the clock.
    input_rules
        How inputs are read.
    """

    application_id: str
    instance_id: str = ""
    exactly_once: bool = True
    session_timeout_ms: int = 10_000
    standby_replicas: int = 0
    max_batch: int = 4000
    max_buffered: int = 20_000
    future_allowance_s: float = 3600.0
    input_rules: InputRules = DEFAULT_RULES

    def member(self) -> Config:
        """Return the settings of a member of the group.

        A rebalance waits for a member that will never answer, such as one whose request to join
        was lost with the broker, for as long as members may go without a poll. This one polls all
        the time, so that wait is short; by default it is five minutes, in which no task runs.
        """
        member: Config = {
            "group.id": self.application_id,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": self.session_timeout_ms,
            "heartbeat.interval.ms": _HEARTBEAT_MS,
            "max.poll.interval.ms": _SESSIONS_WITHOUT_POLL * self.session_timeout_ms,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "queued.min.messages": self.max_buffered,
            "queued.max.messages.kbytes": 1 << 16,
        }
        return member | ({"group.instance.id": self.instance_id} if self.instance_id else {})
