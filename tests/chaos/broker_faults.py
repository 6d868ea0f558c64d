"""The faults of brokers: one of them at a time, each in its turn."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from confluent_kafka import ElectionType, KafkaException

from deploy.broker import COMMON_SETTINGS
from tests.chaos.torn_cluster import TornCluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from confluent_kafka.admin import AdminClient

    from deploy.nodes import Nodes

LEADERS_MOVED: Final = "leaders of a broker moved"

_AWAY_S: Final = 2.0
_ANSWER_S: Final = 10.0
_MOVED_TIMEOUT_S: Final = 30.0
_FENCED_AFTER_S: Final = int(COMMON_SETTINGS["broker.session.timeout.ms"]) / 1e3


class BrokerFaults:
    """Faults of some brokers, by their names.

    Parameters
    ----------
    random
        Decides how long they last.
    kafka
        The brokers.
    session_timeout_s
        Of the workers.
    """

    def __init__(self, random: Random, kafka: Nodes, session_timeout_s: float) -> None:
        self._random = random
        self._kafka = kafka
        self._session_timeout_s = session_timeout_s
        self._turn = 0

    def kinds(self) -> dict[str, Callable[[], None]]:
        """Return what can be done to these brokers."""
        kafka = self._kafka
        kinds: dict[str, Callable[[], None]] = {
            "broker restarted": lambda: kafka.restart_node(self._turn),
            "broker killed": self._kill,
        }
        if len(kafka.nodes) > 1:
            kinds["broker suspended"] = lambda: self._suspend(self._past_the_session())
            # The others wait for it, as long as they do not know that it stands still.
            kinds["broker lags"] = lambda: self._suspend(
                self._random.uniform(0.4, 0.9) * _FENCED_AFTER_S
            )
            kinds[LEADERS_MOVED] = self._move_leaders
        if isinstance(kafka, TornCluster) and kafka.has_disks:
            kinds["broker's disk full"] = lambda: self._fill_disk(kafka)
        return kinds

    @property
    def can_cut(self) -> bool:
        """Whether a process can be cut off from a broker."""
        return isinstance(self._kafka, TornCluster)

    def prepare(self, kind: str) -> None:
        """Turn to the next broker, once no other one is behind."""
        self._turn = (self._turn + 1) % len(self._kafka.nodes)
        self._kafka.wait_until_in_sync()
        if kind == LEADERS_MOVED:  # away from it now, and back to it later
            self._suspend(_FENCED_AFTER_S + _AWAY_S)
            self._kafka.wait_until_in_sync()

    def cut_off(self, process_id: int) -> None:
        """Cut a process off from the broker for longer than its session."""
        assert isinstance(self._kafka, TornCluster)
        relay = self._kafka.relays[self._turn]
        relay.cut(process_id)
        time.sleep(self._past_the_session())
        relay.heal()

    def _past_the_session(self) -> float:
        return self._session_timeout_s + self._random.uniform(1.0, 4.0)

    def _kill(self) -> None:
        self._kafka.kill_node(self._turn)
        time.sleep(self._random.uniform(0.0, _AWAY_S))
        self._kafka.restart_node(self._turn)

    def _suspend(self, seconds: float) -> None:
        """Let a broker stand still, and go on as if nothing had been."""
        process = self._kafka.nodes[self._turn].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    def _move_leaders(self) -> None:
        """Have the first copy of each partition lead it again, and wait until it does."""
        admin = self._kafka.admin()
        deadline = time.monotonic() + _MOVED_TIMEOUT_S
        assert _led_by_others(admin), "no leader has been moved away"
        while left := _led_by_others(admin):
            assert time.monotonic() < deadline, f"not led by their first copies: {left}"
            # Without a timeout: with one, the call of confluent-kafka 2.16 is a SystemError.
            with suppress(KafkaException):  # some are led by their first copy already
                admin.elect_leaders(ElectionType.PREFERRED).result()

    def _fill_disk(self, kafka: TornCluster) -> None:
        kafka.fill_disk(self._turn)
        kafka.restart_node(self._turn)


def _led_by_others(admin: AdminClient) -> list[str]:
    """Return the partitions that are not led by their first copy."""
    topics = admin.list_topics(timeout=_ANSWER_S).topics.values()
    return [
        f"{topic.topic}[{number}]"
        for topic in topics
        for number, partition in topic.partitions.items()
        if partition.leader != partition.replicas[0]
    ]
