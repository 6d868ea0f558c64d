"""Traffic through workers on a broker of its own, until all of it is done, whatever happens."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.charge import Charge
from schemas.snapshot import decode_snapshot
from streams.kafka.config import Admin, client_config
from streams.kafka.retention import DAY_MS
from streams.kafka.topics import Topics, ensure_topics
from tests.chaos.faults import SESSION_TIMEOUT_S
from tests.chaos.fleet import Fleet
from tests.chaos.flow import Publishing, Watcher
from tests.chaos.logs import Logs
from tests.chaos.markers import Markers
from tests.chaos.traffic import SETTINGS, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from deploy.nodes import Nodes
    from tests.chaos.traffic import Sent

DRAIN_TIMEOUT_S = 240.0
_SETTLE_TIMEOUT_S = 120.0
_QUIET_S = 5.0
_LOG_LINES = 30


class Scene:
    """The topics, the producers and consumers around the workers, and the workers.

    Parameters
    ----------
    kafka
        The brokers, used by this run alone at the time.
    directory
        Where the workers have their state and logs.
    seed, size
        Of the traffic.
    rate
        Inputs a second.
    partitions
        How many.
    env
        Settings of the workers.
    module
        What is run in place of `agents`.
    prefix
        Of the topics.
    has_outcomes
        Whether the traffic has any.

    Attributes
    ----------
    fleet
        The workers, none at first.
    topics, logs, publishing, watcher, markers
        What they work on, and who sees it.
    """

    def __init__(
        self,
        kafka: Nodes,
        directory: Path,
        seed: int,
        size: int,
        rate: float,
        partitions: int,
        env: Mapping[str, str],
        module: str = "agents",
        *,
        prefix: str = "chaos.",
        has_outcomes: bool = False,
    ) -> None:
        self.topics = Topics(prefix)
        self.partitions = partitions
        self._kafka = kafka
        self._directory = directory
        self._rate = rate
        # The broker is expected to go away: nothing of that is said.
        config = client_config(kafka.env["KAFKA_BOOTSTRAP_SERVERS"], kafka.env) | {"log_level": 0}
        self._traffic = Traffic(seed, size, has_outcomes=has_outcomes)
        admin = Admin(config)
        ensure_topics(admin, self.topics, partitions)
        self._keep_everything(admin)
        self.logs = Logs(config, f"{prefix}chargewatch")
        self.publishing = Publishing(config, self.topics, self._traffic, rate)
        self.watcher = Watcher(config, self.topics, partitions)
        # Of several brokers none owes a marker for long: the others decide in its place.
        is_alone = len(kafka.nodes) == 1
        self.markers = Markers(config, self.transactional) if is_alone else None
        self.fleet = Fleet(
            directory,
            {
                **kafka.env,
                "CHARGEWATCH_TOPIC_PREFIX": self.topics.prefix,
                "CHARGEWATCH_SESSION_TIMEOUT_MS": str(int(SESSION_TIMEOUT_S * 1000)),
                **SETTINGS,
                **env,
            },
            module,
        )
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        self.watcher.start()
        self._entered.callback(self.logs.close)
        self._entered.callback(self.watcher.stop)
        self._entered.callback(self.publishing.halt)
        if self.markers is not None:
            self._entered.enter_context(self.markers)
        self._entered.enter_context(self.fleet)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(f"The end of the broker's log:\n{self._kafka.log_tail()}")
            for log in sorted(self._directory.glob("*/log")):
                lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
                error.add_note("\n".join([f"The end of {log.parent.name}'s log:", *lines]))
        self._entered.close()

    @property
    def transactional(self) -> list[str]:
        """The topics that transactions write to."""
        return [*self.topics.configs(), "__consumer_offsets"]

    @property
    def inputs(self) -> tuple[str, str, str]:
        """The topics that everything comes from."""
        return self.topics.charges, self.topics.disputes, self.topics.outcomes

    def begin(self) -> None:
        """Start the traffic once a worker has tasks."""
        self.await_(
            lambda: bool(self.fleet.running[0].tasks()), "a worker with tasks", DRAIN_TIMEOUT_S
        )
        self.publishing.start()

    def finish(self, catch_up_s: float) -> None:
        """End the traffic, wait until all of it is done and learned, and stop the workers."""
        self.publishing.stop()
        self.drain()
        self.publishing.publish(self._traffic.closing())
        self.publishing.flush()
        self.drain()
        end = self._end_of_examples()
        self.await_(
            lambda: self._has_snapshots_at(end), "the snapshot of the last example", catch_up_s
        )
        self.fleet.stop()
        self.await_(
            lambda: not self.logs.open_transactions(self.transactional),
            "the end of all transactions",
        )

    def halt(self) -> dict[str, dict[int, int]]:
        """End all at once, and return how far the group had come; nothing if it does not say.

        Offsets by topic and partition.
        """
        self.publishing.halt()
        if self.fleet.running:
            self.fleet.remove_all(kills=True)
        read = (*self.inputs, self.topics.by_merchant)
        positions: dict[str, dict[int, int]] = {}

        def ask() -> dict[str, dict[int, int]]:
            return {name: self.logs.positions(name) for name in read}

        with suppress(AssertionError):
            self.await_(
                lambda: not self.logs.open_transactions(self.transactional),
                "the end of all transactions",
            )
            self.await_(lambda: positions.update(ask()) is None, "offsets of the group")
        return positions

    def make_busy(self, tasks: set[int]) -> None:
        """Publish at once what takes a moment, and return while the tasks have work left."""
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while True:
            self.publishing.burst(int(self._rate))
            self.publishing.flush()
            if self._lag(self.topics.charges, sorted(tasks)) > 0:
                return
            assert time.monotonic() < deadline, "the workers are never busy"

    def await_recovery(self) -> None:
        """Wait until all that is in the log by now is scored; what is lost is found at the end."""
        numbers = {sent.number for sent in self.charges()} & self.publishing.delivered.keys()
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while not numbers <= self.watcher.scored.keys() and time.monotonic() < deadline:
            time.sleep(0.1)

    def await_scored(self, more: int) -> None:
        """Wait until so many more charges are scored."""
        wanted = len(self.watcher.scored) + more
        self.await_(
            lambda: len(self.watcher.scored) >= wanted, f"{more} charges more", DRAIN_TIMEOUT_S
        )

    def drain(self) -> None:
        """Wait until everything that was published is done, or nothing more comes of it."""
        numbers = range(self.partitions)
        for topic in self.inputs:
            self.await_(
                lambda t=topic: self.logs.lag(t, numbers) == 0,  # type: ignore[misc]
                f"commits of {topic}",
                DRAIN_TIMEOUT_S,
            )
        sent = list(self.publishing.sent)
        charges, bad = len(self.charges()), sum(item.event is None for item in sent)
        seen, quiet_since = (0, 0), time.monotonic()
        while time.monotonic() < quiet_since + _QUIET_S:
            now_seen = len(self.watcher.scored), len(self.watcher.rejected)
            if now_seen[0] >= charges and now_seen[1] >= bad:
                return
            if now_seen != seen:
                seen, quiet_since = now_seen, time.monotonic()
            time.sleep(0.1)

    def charges(self) -> list[Sent]:
        """Return the charges published by now."""
        return [s for s in list(self.publishing.sent) if isinstance(s.event, Charge)]

    def await_(
        self, condition: Callable[[], bool], what: str, timeout_s: float = _SETTLE_TIMEOUT_S
    ) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(KafkaException):  # the broker may be on its way back
                if condition():
                    return
            assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
            time.sleep(0.1)

    def _keep_everything(self, admin: Admin) -> None:
        """Have the broker compact nothing away: all that was ever written is compared."""
        lag = ConfigEntry(
            "min.compaction.lag.ms", str(DAY_MS), incremental_operation=AlterConfigOpType.SET
        )
        resources = [
            ConfigResource(ResourceType.TOPIC, name, incremental_configs=[lag])
            for name in (self.topics.models, self.topics.changelog)
        ]
        for answer in admin.incremental_alter_configs(resources).values():
            answer.result()

    def _lag(self, topic: str, numbers: Sequence[int]) -> int:
        """Return how much is not committed yet, once the broker answers."""
        answers: list[int] = []

        def ask() -> bool:
            answers.append(self.logs.lag(topic, numbers))
            return True

        self.await_(ask, f"offsets of {topic}")
        return answers[0]

    def _end_of_examples(self) -> int:
        """Return the offset after the last example: nothing more comes once all is drained."""
        return 1 + max((r.offset for r in self.logs.committed(self.topics.examples)), default=-1)

    def _has_snapshots_at(self, end: int) -> bool:
        newest = {read.key: read.value for read in self.logs.committed(self.topics.models)}
        reached = {decode_snapshot(value or b"").offset for value in newest.values()} or {0}
        return reached == {end}
