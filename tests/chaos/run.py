"""A chaos run: traffic through workers on a broker while faults hit them, then the verdict."""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from deploy.local_kafka import LocalKafka
from schemas.charge import Charge
from schemas.snapshot import decode_snapshot
from streams.kafka.config import Admin, client_config
from streams.kafka.retention import DAY_MS
from streams.kafka.topics import Topics, ensure_topics
from tests.chaos.faults import SESSION_TIMEOUT_S, Fault, Faults
from tests.chaos.fleet import Fleet
from tests.chaos.flow import Publishing, Watcher
from tests.chaos.logs import Logs
from tests.chaos.markers import Markers
from tests.chaos.recovery import Felt, Passage, by_kind, feel, markdown
from tests.chaos.traffic import SETTINGS, Traffic
from tests.chaos.verify import Findings, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

DRAIN_TIMEOUT_S = 240.0
_SETTLE_TIMEOUT_S = 60.0
_QUIET_S = 5.0
_AFTER_CRASH_S = 2.0
_GAP_S = (0.5, 3.0)
_TOGETHER = 0.15
_LOG_LINES = 30


@dataclass(frozen=True)
class Plan:
    """What a run is like; all of it follows from the seed but the pace of the machine.

    Attributes
    ----------
    seed
        Of the traffic and of the faults.
    seconds
        How long faults are made.
    faults
        How many have to be made at least.
    rate
        Inputs a second.
    workers, partitions
        How many.
    guarantee
        `processing_guarantee` of the workers.
    module, env
        What is run in place of `agents`, and further settings of the workers.
    makes_faults
        Whether any are made; if not, the run lasts until a worker has crashed by itself.
    """

    seed: int
    seconds: float
    faults: int = 0
    rate: float = 150.0
    workers: int = 3
    partitions: int = 6
    guarantee: str = "exactly_once"
    module: str = "agents"
    env: dict[str, str] = field(default_factory=dict)
    makes_faults: bool = True


@dataclass
class Report:
    """What a run found."""

    plan: Plan
    inputs: int
    findings: Findings
    felt: list[Felt]
    ended: list[str]
    markers: list[str]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"seed {self.plan.seed}: {self.inputs} inputs, {len(self.felt)} faults",
                str(self.findings),
                *(f"worker: {end}" for end in self.ended),
                *(f"written in the broker's place: {marker}" for marker in self.markers),
                markdown(by_kind(self.felt)),
            ]
        )

    def json(self) -> str:
        """Return everything as JSON."""
        faults: list[dict[str, Any]] = [
            asdict(one) | {"fault": asdict(one.fault) | {"tasks": sorted(one.fault.tasks)}}
            for one in self.felt
        ]
        return json.dumps(
            {
                "plan": asdict(self.plan),
                "inputs": self.inputs,
                "checked": self.findings.checked,
                "wrong": {what: len(found) for what, found in self.findings.wrong.items()},
                "recovery": by_kind(self.felt),
                "faults": faults,
                "markers": self.markers,
            },
            indent=1,
        )


class Run:
    """One run on a broker of its own.

    Parameters
    ----------
    plan
        What it is like.
    kafka
        The broker, used by this run alone.
    directory
        Where the workers have their state and logs.
    """

    def __init__(self, plan: Plan, kafka: LocalKafka, directory: Path) -> None:
        self._plan = plan
        self._kafka = kafka
        self._directory = directory
        # The broker is expected to go away: nothing of that is said.
        self._config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        self._topics = Topics("chaos.")
        size = int(plan.rate * plan.seconds) + 100
        self._traffic = Traffic(plan.seed, size)
        self._admin = Admin(self._config)
        ensure_topics(self._admin, self._topics, plan.partitions)
        self._keep_every_snapshot()
        self._logs = Logs(self._config, "chaos.chargewatch")
        self._publishing = Publishing(self._config, self._topics, self._traffic, plan.rate)
        self._watcher = Watcher(self._config, self._topics, plan.partitions)
        self._markers = Markers(self._config, self._transactional())
        self._made: list[Fault] = []

    def carry_out(self) -> Report:
        """Run, drain and verify."""
        self._watcher.start()
        try:
            with self._markers:
                fleet = self._operate()
                logger.info("verifying %d inputs", len(self._publishing.sent))
                return self._verify(fleet)
        except Exception as error:
            error.add_note(f"The end of the broker's log:\n{self._kafka.log_tail()}")
            for log in sorted(self._directory.glob("*/log")):
                lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
                error.add_note("\n".join([f"The end of {log.parent.name}'s log:", *lines]))
            raise
        finally:
            self._publishing.halt()
            self._watcher.stop()
            self._logs.close()

    def _keep_every_snapshot(self) -> None:
        """Have the broker compact no snapshot away: each is compared with what it scored."""
        lag = ConfigEntry(
            "min.compaction.lag.ms",
            str(DAY_MS),
            incremental_operation=AlterConfigOpType.SET,
        )
        models = ConfigResource(ResourceType.TOPIC, self._topics.models, incremental_configs=[lag])
        self._admin.incremental_alter_configs([models])[models].result()

    def _operate(self) -> Fleet:
        """Run the workers until they have done everything, and return what became of them."""
        with self._fleet() as fleet:
            for _ in range(self._plan.workers):
                fleet.add()
            self._await(lambda: bool(fleet.running[0].tasks()), "a worker with tasks")
            self._publishing.start()
            if self._plan.makes_faults:
                self._warm_up()
                self._make_faults(fleet)
            else:
                self._await(lambda: bool(fleet.ended), "the planted crash", DRAIN_TIMEOUT_S)
                time.sleep(_AFTER_CRASH_S)
            self._publishing.stop()
            self._drain()
            self._publishing.publish(self._traffic.closing())
            self._publishing.flush()
            self._drain()
            # A challenger takes its time, the longer the run the more of it.
            catch_up_s = DRAIN_TIMEOUT_S + self._plan.seconds
            end = self._end_of_examples()
            self._await(
                lambda: self._has_snapshots_at(end), "the snapshot of the last example", catch_up_s
            )
            fleet.stop()
        return fleet

    def _fleet(self) -> Fleet:
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": self._topics.prefix,
            "CHARGEWATCH_SESSION_TIMEOUT_MS": str(int(SESSION_TIMEOUT_S * 1000)),
            "CHARGEWATCH_PROCESSING_GUARANTEE": self._plan.guarantee,
            **SETTINGS,
            **self._plan.env,
        }
        return Fleet(self._directory, env, self._plan.module)

    def _warm_up(self) -> None:
        """Wait until the workers score, and have caught up."""
        self._await(
            lambda: len(self._watcher.scored) > self._plan.rate, "scored charges", DRAIN_TIMEOUT_S
        )
        self._await_recovery()

    def _make_faults(self, fleet: Fleet) -> None:
        random = Random(self._plan.seed)
        faults = Faults(random, fleet, self._kafka, self._plan.partitions, self._make_busy)
        end = time.monotonic() + self._plan.seconds
        while time.monotonic() < end or len(self._made) < self._plan.faults:
            is_alone = random.random() >= _TOGETHER
            if is_alone:
                self._await_recovery()
            time.sleep(random.uniform(*_GAP_S))
            fault = faults.make()
            fault.is_alone = is_alone
            if self._made and not is_alone:
                self._made[-1].is_alone = False
            self._made.append(fault)
            logger.info(
                "%3d. %s: %s, tasks %s, %.1f s",
                len(self._made), fault.kind, fault.target, sorted(fault.tasks),
                fault.ended - fault.began,
            )  # fmt: skip

    def _make_busy(self, tasks: set[int]) -> None:
        """Publish at once what takes a moment, and return while the tasks have work left."""
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while True:
            self._publishing.burst(int(self._plan.rate))
            self._publishing.flush()
            if self._lag(self._topics.charges, sorted(tasks)) > 0:
                return
            assert time.monotonic() < deadline, "the workers are never busy"

    def _lag(self, topic: str, numbers: Sequence[int]) -> int:
        """Return how much is not committed yet, once the broker answers."""
        answers: list[int] = []

        def ask() -> bool:
            answers.append(self._logs.lag(topic, numbers))
            return True

        self._await(ask, f"offsets of {topic}")
        return answers[0]

    def _await_recovery(self) -> None:
        """Wait until all that is in the log by now is scored; what is lost is found at the end."""
        numbers = {sent.number for sent in self._charges()} & self._publishing.delivered.keys()
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while not numbers <= self._watcher.scored.keys() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _drain(self) -> None:
        """Wait until everything that was published is done, or nothing more comes of it."""
        numbers = range(self._plan.partitions)
        for topic in (self._topics.charges, self._topics.disputes):
            self._await(
                lambda t=topic: self._logs.lag(t, numbers) == 0,  # type: ignore[misc]
                f"commits of {topic}",
                DRAIN_TIMEOUT_S,
            )
        sent = list(self._publishing.sent)
        charges, bad = len(self._charges()), sum(item.event is None for item in sent)
        seen, quiet_since = (0, 0), time.monotonic()
        while time.monotonic() < quiet_since + _QUIET_S:
            now_seen = len(self._watcher.scored), len(self._watcher.rejected)
            if now_seen[0] >= charges and now_seen[1] >= bad:
                return
            if now_seen != seen:
                seen, quiet_since = now_seen, time.monotonic()
            time.sleep(0.1)

    def _charges(self) -> list[Any]:
        return [s for s in list(self._publishing.sent) if isinstance(s.event, Charge)]

    def _end_of_examples(self) -> int:
        """Return the offset after the last example: nothing more comes once all is drained."""
        return 1 + max((r.offset for r in self._logs.committed(self._topics.examples)), default=-1)

    def _has_snapshots_at(self, end: int) -> bool:
        newest = {read.key: read.value for read in self._logs.committed(self._topics.models)}
        reached = {decode_snapshot(value or b"").offset for value in newest.values()} or {0}
        return reached == {end}

    def _await(
        self, condition: Callable[[], bool], what: str, timeout_s: float = _SETTLE_TIMEOUT_S
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(KafkaException):  # the broker may be on its way back
                if condition():
                    return
            assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
            time.sleep(0.1)

    def _verify(self, fleet: Fleet) -> Report:
        sent = self._publishing.sent
        verifier = Verifier(self._logs, self._topics, sent)
        names = self._transactional()
        self._await(lambda: not self._logs.open_transactions(names), "the end of all transactions")
        if self._plan.guarantee == "exactly_once":
            findings = verifier.exactly_once()
        else:
            findings = verifier.at_least_once()
        felt = feel(self._made, self._passages(verifier))
        for one in felt:
            findings.check("fault came while work was left", one.left > 0, one)
        for stop in fleet.stops:
            findings.check("worker stopped in order and in time", stop.is_in_order, stop)
        markers = [str(marker) for marker in self._markers.written]
        return Report(self._plan, len(sent), findings, felt, fleet.ended, markers)

    def _transactional(self) -> list[str]:
        return [*self._topics.configs(), "__consumer_offsets"]

    def _passages(self, verifier: Verifier) -> list[Passage]:
        merchant_task = verifier.merchant_tasks()
        delivered, scored = self._publishing.delivered, self._watcher.scored
        return [
            Passage(
                (delivered[sent.number][1], merchant_task[sent.number]),
                delivered[sent.number][0],
                scored[sent.number],
            )
            for sent in self._charges()
            if sent.number in scored and sent.number in merchant_task
        ]


def run(plan: Plan, directory: Path) -> Report:
    """Carry out a plan on a broker of its own; `directory` gets the workers' states and logs."""
    with LocalKafka() as kafka:
        return Run(plan, kafka, directory).carry_out()
