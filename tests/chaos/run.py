"""A chaos run: traffic through workers on a broker while faults hit them, then the verdict."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from deploy.local_kafka import LocalKafka, LocalKafkaError
from tests.chaos.faults import Fault, Faults
from tests.chaos.recovery import Felt, Passage, by_kind, feel, markdown
from tests.chaos.scene import DRAIN_TIMEOUT_S, Scene
from tests.chaos.torn_cluster import TornCluster
from tests.chaos.traffic import ENFORCED
from tests.chaos.unfinished import Unfinished
from tests.chaos.verify import Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.nodes import Nodes
    from tests.chaos.findings import Findings

logger = logging.getLogger(__name__)

_AFTER_CRASH_S = 2.0
_GAP_S = (0.5, 3.0)
_TOGETHER = 0.15


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
    workers, partitions, brokers
        How many.
    kinds
        Of faults that are made; all when it is empty.
    guarantee
        `processing_guarantee` of the workers.
    module, env
        What is run in place of `agents`, and further settings of the workers.
    makes_faults
        Whether any are made; if not, the run lasts until a worker has crashed by itself.
    prefix
        Of the topics: several runs may use one broker, one after the other.
    """

    seed: int
    seconds: float
    faults: int = 0
    rate: float = 150.0
    workers: int = 3
    partitions: int = 6
    brokers: int = 1
    kinds: tuple[str, ...] = ()
    guarantee: str = "exactly_once"
    module: str = "agents"
    env: dict[str, str] = field(default_factory=dict)
    makes_faults: bool = True
    prefix: str = "chaos."


@dataclass
class Report:
    """What a run found; `stopped` tells why it could not go on, if it did not come to its end."""

    plan: Plan
    inputs: int
    findings: Findings
    felt: list[Felt]
    ended: list[str]
    markers: list[str]
    stopped: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it was carried to its end, and nothing is wrong."""
        return not self.stopped and not self.findings

    def __str__(self) -> str:
        return "\n".join(
            [
                f"seed {self.plan.seed}: {self.inputs} inputs, {len(self.felt)} faults",
                *([f"it could not go on: {self.stopped}"] if self.stopped else []),
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
                "stopped": self.stopped,
                "checked": self.findings.checked,
                "wrong": {what: len(found) for what, found in self.findings.wrong.items()},
                "recovery": by_kind(self.felt),
                "faults": faults,
                "markers": self.markers,
            },
            indent=1,
        )


class Run:
    """One run on brokers of its own.

    Parameters
    ----------
    plan
        What it is like.
    kafka
        The brokers, used by this run alone at the time.
    directory
        Where the workers have their state and logs.
    """

    def __init__(self, plan: Plan, kafka: Nodes, directory: Path) -> None:
        self._plan = plan
        self._kafka = kafka
        reached = kafka.worker_env() if isinstance(kafka, TornCluster) else {}
        guarantee = {"CHARGEWATCH_PROCESSING_GUARANTEE": plan.guarantee}
        self._env = ENFORCED | reached | guarantee | plan.env
        self._scene = Scene(
            kafka,
            directory,
            plan.seed,
            int(plan.rate * plan.seconds) + 100,
            plan.rate,
            plan.partitions,
            self._env,
            plan.module,
            prefix=plan.prefix,
            has_outcomes=True,
        )
        self._made: list[Fault] = []

    def carry_out(self) -> Report:
        """Run, drain and verify; a run that cannot go on verifies what was done until then."""
        with self._scene as scene:
            try:
                self._operate()
            except (AssertionError, TimeoutError, KafkaException, LocalKafkaError) as failure:
                logger.exception("the run cannot go on")
                return self._verify_until_now(str(failure).partition("\n")[0])
            logger.info("verifying %d inputs", len(scene.publishing.sent))
            return self._verify()

    def _verify_until_now(self, stopped: str) -> Report:
        scene, sent = self._scene, self._scene.publishing.sent
        for place in range(len(self._kafka.nodes)):  # it may be that one of them is the trouble
            self._kafka.restart_node(place)
        positions = scene.halt()
        logger.info("verifying what was done of %d inputs", len(sent))
        verifier = Unfinished(scene.logs, scene.topics, sent, env=_of_settings(self._env))
        findings = verifier.at_most_once(positions)
        felt = feel(self._made, self._passages(verifier))
        return Report(self._plan, len(sent), findings, felt, scene.fleet.ended, [], stopped)

    def _operate(self) -> None:
        """Run the workers until they have done everything."""
        scene = self._scene
        for _ in range(self._plan.workers):
            scene.fleet.add()
        scene.begin()
        if self._plan.makes_faults:
            scene.await_scored(int(self._plan.rate))
            scene.await_recovery()
            self._make_faults()
        else:
            scene.await_(lambda: bool(scene.fleet.ended), "the planted crash", DRAIN_TIMEOUT_S)
            time.sleep(_AFTER_CRASH_S)
        # A challenger takes its time, the longer the run the more of it.
        scene.finish(DRAIN_TIMEOUT_S + self._plan.seconds)

    def _make_faults(self) -> None:
        random, scene = Random(self._plan.seed), self._scene
        faults = Faults(
            random,
            scene.fleet,
            self._kafka,
            self._plan.partitions,
            scene.make_busy,
            self._plan.kinds,
        )
        end = time.monotonic() + self._plan.seconds
        while time.monotonic() < end or len(self._made) < self._plan.faults:
            is_alone = random.random() >= _TOGETHER
            if is_alone:
                scene.await_recovery()
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

    def _verify(self) -> Report:
        scene, sent = self._scene, self._scene.publishing.sent
        verifier = Verifier(scene.logs, scene.topics, sent, env=_of_settings(self._env))
        if self._plan.guarantee == "exactly_once":
            findings = verifier.exactly_once()
        else:
            findings = verifier.at_least_once()
        felt = feel(self._made, self._passages(verifier))
        for one in felt:
            findings.check("fault came while work was left", one.left > 0, one)
        for stop in scene.fleet.stops:
            findings.check("worker stopped in order and in time", stop.is_in_order, stop)
        markers = [str(marker) for marker in scene.markers.written] if scene.markers else []
        return Report(self._plan, len(sent), findings, felt, scene.fleet.ended, markers)

    def _passages(self, verifier: Verifier) -> list[Passage]:
        merchant_task = verifier.merchant_tasks()
        delivered, scored = self._scene.publishing.delivered, self._scene.watcher.scored
        passed = scored.keys() & merchant_task.keys() & delivered.keys()
        return [
            Passage(
                (delivered[sent.number][1], merchant_task[sent.number]),
                delivered[sent.number][0],
                scored[sent.number],
            )
            for sent in self._scene.charges()
            if sent.number in passed
        ]


def _of_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that are settings."""
    return {name: value for name, value in env.items() if name.startswith("CHARGEWATCH_")}


def run(plan: Plan, directory: Path) -> Report:
    """Carry out a plan on brokers of its own; `directory` gets the workers' states and logs."""
    with LocalKafka() if plan.brokers == 1 else TornCluster(plan.brokers) as kafka:
        return Run(plan, kafka, directory).carry_out()
