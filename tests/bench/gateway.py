"""`python -m tests.bench.gateway`: the HTTP API under load, beside its broker and its worker.

Requests are sent on a schedule, in an open loop, over one machine's loopback. First at a rate that
the worker carries; then while the worker is halted nearly all of the time, so that it carries no
more than half of what comes. At the end every accepted charge has to be scored exactly once, and
every answer has to be the one that is on record.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from agents.process import collecting_rarely
from deploy.local_kafka import LocalKafka
from streams.kafka.config import client_config
from tests.bench.data import created_at, until
from tests.bench.installation import Installation, Outputs
from tests.bench.machine import machine
from tests.bench.percentiles import quantile
from tests.bench.process import Running
from tests.bench.systems import OURS
from tests.integration.http_load import HttpLoad, Reply, request
from tests.integration.kafka import Kafka
from tests.integration.worker import _free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.data import Event as Sent

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
DEADLINE_MS = 250
_HISTORY_TIMEOUT_S = 180.0
_TURN_S, _RUNS_S = 0.5, 0.04
"""Of the halted worker: once in each turn it runs so long."""

say = partial(click.echo, err=True)


@dataclass(frozen=True)
class Phase:
    """What came of a stretch of load.

    Attributes
    ----------
    memory_mb
        Of the replica, before and after.
    cpu_s
        That the replica took.
    carried
        Charges a second that the worker scored meanwhile.
    """

    name: str
    rate: float
    replies: list[Reply]
    behind_ms: float
    load: float
    memory_mb: tuple[float, float]
    cpu_s: float
    carried: float


@click.command()
@click.option("--rate", default=500.0, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--short", is_flag=True, help="To see that it works; the figures mean little.")
def main(rate: float, seconds: float, short: bool) -> None:
    """Measure answers to charges at a rate that the worker carries, and at one that it does not."""
    seconds, history = (5.0, 5_000) if short else (seconds, 60_000)
    each = int(rate * seconds)
    with ExitStack() as running:
        kafka = running.enter_context(LocalKafka())
        config = client_config(kafka.bootstrap_servers, {}) | {"log_level": 0}
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="gateway-")))
        say(f"simulating {history + 3 * each:,} charges")
        data = until(time.time(), history, 3 * each)
        installation = running.enter_context(Installation(config, "gateway."))
        installation.load(data.part(0, history))
        worker = running.enter_context(OURS.start(installation, directory / "worker"))
        outputs = Outputs(installation)
        outputs.wait_for(history, _HISTORY_TIMEOUT_S, worker.check)
        outputs.close()
        port = _free_port()
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": installation.topics.prefix,
            "CHARGEWATCH_API_PORT": str(port),
        }
        command = [sys.executable, "-m", "agents", "serve"]
        replica = running.enter_context(Running(command, env, directory / "replica"))
        _wait_until_ready(port, replica)
        scored = _Scored(Kafka(config), installation)
        phases: list[Phase] = []
        for name in ("settling", "carried", "halted"):
            say(name)
            part = data.part(history + each * len(phases), each)
            with ExitStack() as halting:
                if name == "halted":
                    halting.enter_context(_Halted(worker))
                phases.append(_phase(name, part, rate, port, replica, scored))
        say("waiting until everything that was accepted is scored")
        _verify(phases, scored)
    _show(phases)


def _phase(
    name: str, part: Sequence[Sent], rate: float, port: int, replica: Running, scored: _Scored
) -> Phase:
    charges = [event for event in part if event.is_charge]
    start = time.time()
    made = created_at(charges, [start + number / rate for number in range(len(charges))])
    requests = [request("POST", "/v1/charges", event.value) for event in made]
    load, before, cpu_s, began = (
        os.getloadavg()[0],
        _memory_mb(replica),
        replica.cpu_s(),
        scored.count(),
    )
    sending = HttpLoad(port)
    with collecting_rarely():  # else a collection of what is simulated is measured as latency
        replies = sending.run(requests, rate)
    seconds = len(requests) / rate
    return Phase(
        name, rate, replies, 1e3 * sending.behind_s, load, (before, _memory_mb(replica)),
        replica.cpu_s() - cpu_s, (scored.count() - began) / seconds,
    )  # fmt: skip


class _Scored:
    """What is on `scored` and `outcomes`."""

    def __init__(self, kafka: Kafka, installation: Installation) -> None:
        self._kafka, self._topics = kafka, installation.topics

    def count(self) -> int:
        return len(self._kafka.read_all(self._topics.scored))

    def events(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_charge(self._topics.scored)

    def outcomes(self) -> dict[str, list[dict[str, Any]]]:
        return self._by_charge(self._topics.outcomes)

    def _by_charge(self, topic: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for message in self._kafka.read_all(topic):
            event = orjson.loads(message.value() or b"")
            found.setdefault(event["charge"], []).append(event)
        return found


class _Halted:
    """A worker that runs for a moment in each turn."""

    def __init__(self, worker: Running) -> None:
        self._worker = worker
        self._stopping = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._worker.resume()

    def _run(self) -> None:
        while not self._stopping.wait(_RUNS_S):
            self._worker.suspend()
            self._stopping.wait(_TURN_S - _RUNS_S)
            self._worker.resume()


def _verify(phases: Sequence[Phase], scored: _Scored) -> None:
    """Hold every answer against the topics; wait until all that was accepted is scored."""
    answers = [reply.json for phase in phases for reply in phase.replies if reply.status == 200]
    charges = {answer["charge"] for answer in answers}
    deadline = time.monotonic() + _HISTORY_TIMEOUT_S
    while missing := charges - (events := scored.events()).keys():
        assert time.monotonic() < deadline, f"{len(missing)} charges were not scored"
        time.sleep(1.0)
    outcomes = scored.outcomes()
    for answer in answers:
        [event] = events[answer["charge"]]
        told = [outcome["action"] for outcome in outcomes.get(answer["charge"], [])]
        if answer["source"] == "scored":
            assert (answer["action"], answer["scored_at"]) == (event["action"], event["scored_at"])
            assert not told
        else:
            assert told == [answer["action"]]
    say(f"{len(answers):,} answers, each of a charge that is scored once, and as it is on record")


def _show(phases: Sequence[Phase]) -> None:
    facts = machine()
    click.echo(f"{facts['cpu']}, {facts['cores']} cores; {facts['at']}, {facts['commit']}")
    names = [f"p{100 * share:g}" if share < 1 else "max" for share in QUANTILES]
    table = Table(
        "", "answer", "share", *names, "behind", "load", "CPU s", "MB", "carried/s",
        box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for phase in phases:
        for number, (kind, took) in enumerate(_kinds(phase)):
            ordered = sorted(1e3 * each for each in took)
            facts_of = ("",) * 5
            if not number:
                before, after = phase.memory_mb
                facts_of = (
                    f"{phase.behind_ms:.0f}", f"{phase.load:.1f}", f"{phase.cpu_s:.1f}",
                    f"{before:.0f} to {after:.0f}", f"{phase.carried:,.0f}",
                )  # fmt: skip
            table.add_row(
                "" if number else f"{phase.name}, {phase.rate:g}/s", kind,
                f"{100 * len(took) / len(phase.replies):.2f}%",
                *(f"{quantile(ordered, share):.1f}" for share in QUANTILES), *facts_of,
            )  # fmt: skip
    Console(width=150).print(table)


def _kinds(phase: Phase) -> Iterator[tuple[str, list[float]]]:
    """Yield what came back, and how long each of it took, the most frequent first."""
    kinds = Counter(map(_kind, phase.replies))
    for kind, _ in kinds.most_common():
        yield kind, [reply.took_s for reply in phase.replies if _kind(reply) == kind]


def _kind(reply: Reply) -> str:
    if reply.status == 200:
        return str(reply.json["source"])
    return f"{reply.status} accepted {reply.json.get('accepted')}" if reply.status else "none"


def _memory_mb(process: Running) -> float:
    status = Path(f"/proc/{process._process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _wait_until_ready(port: int, replica: Running) -> None:
    deadline = time.monotonic() + 60.0
    while HttpLoad(port).run([request("GET", "/readyz")], 0)[0].status != 200:
        replica.check()
        assert time.monotonic() < deadline, "the replica is not ready"
        time.sleep(0.2)


if __name__ == "__main__":
    main()
