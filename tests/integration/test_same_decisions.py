"""A worker on a real Kafka decides, and learns, as the closed loop in process did.

The backtest changes its model at fixed times of the event clock, a worker as soon as a snapshot is
there. So that the same snapshot scores the same charge, the test holds snapshots back: an open
transaction on `models` keeps them from the worker until the charges before the change are scored.

What is said of a charge counts just before the first one that is newer: told between two intervals,
it is learned before the later one begins in the backtest, and with it by a worker. A shop that is
open day and night begins and ends every interval, so that nothing is told in between.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer
from msgspec.structs import replace

from agents.backtest.backtest import MODEL_INTERVAL_S
from agents.backtest.closed_loop import ClosedLoop
from agents.backtest.replay import Replay
from agents.models.prior import VERSION as PRIOR
from agents.settings.costs import Costs
from agents.settings.schema import Settings
from streams.events.files import write_events
from streams.kafka.config import Admin
from streams.kafka.topics import Topics, ensure_topics
from streams.simulator import Simulation
from streams.wire.examples import IMPUTED, decode_examples
from streams.wire.matured import decode_matured
from tests.integration.player import Player, worker_env
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from streams.events.rows import Rows
    from streams.kafka.config import Config
    from tests.integration.kafka import Kafka

SEED = 5
START = 1.75e9 // MODEL_INTERVAL_S * MODEL_INTERVAL_S
DAYS, OPEN_INTERVALS = 6.0, 930
MOMENT_S = 2.0**-10
TIMEOUT_S = 60.0
SETTINGS = Settings(
    label_horizon_days=2.0,
    snapshot_every_examples=1500,
    snapshot_every_s=1e6,
    session_timeout_ms=6000,
    holdout_share=0.2,
    holdout_key="the key of all workers",
    costs=Costs(review_capacity_share=0.05),
    entities=(),  # a charge that waits for a device counts later than in files
)


class Stream(NamedTuple):
    """Charges and disputes, each in the order of their time."""

    charges: list[bytes]
    disputes: list[bytes]

    def write(self, directory: Path) -> Replay:
        """Write them to files; return the replay of these."""
        for name, lines in self._asdict().items():
            write_events(directory / f"{name}.jsonl", lines)
        replay = Replay(directory / "charges.jsonl", directory / "disputes.jsonl", inf)
        for _ in replay.survey():
            pass
        return replay


class Span(NamedTuple):
    """What one model scores: its version, and the time of its last charge."""

    model: str
    until: float


class Closed:
    """What the closed loop over a stream gave."""

    def __init__(self, replay: Replay) -> None:
        loop = ClosedLoop(SETTINGS, lambda: 0.0, replay.frauds())
        steps = [step for part in replay.parts() for step in loop.run(part.events)]
        steps += loop.end()
        self.scored = [orjson.loads(event) for step in steps for event in step.output.scored]
        self.examples: Rows = np.concatenate([step.output.examples for step in steps])
        self.matured: Rows = np.concatenate([step.output.matured for step in steps])
        self.outcomes, self.disputes = loop.taken()

    def spans(self) -> list[Span]:
        """Return the models in their order, each with the last charge it scored."""
        spans: list[Span] = []
        for event in self.scored:
            if "duplicate" in event:
                continue  # has the answer of the first, whoever scores now
            if spans and spans[-1].model == event["model"]:
                spans.pop()
            spans.append(Span(event["model"], event["created"]))
        return spans


class HeldBack:
    """Keeps whoever reads a topic from what is committed in it from now on, until the block ends.

    Readers of what is committed get as far as the oldest open transaction.
    """

    def __init__(self, config: Config, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            config | {"transactional.id": f"{topic}-held", "transaction.timeout.ms": 300_000}
        )
        self._producer.init_transactions(TIMEOUT_S)

    def __enter__(self) -> Self:
        self._producer.begin_transaction()
        self._producer.produce(self._topic, b"", b"held back")
        assert not self._producer.flush(TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._producer.abort_transaction(TIMEOUT_S)


def stream() -> Stream:
    """Make a stream with much fraud, some of it sent twice, and a shop that is always open."""
    simulation = Simulation(
        seed=SEED, cards=300, merchants=30, start=START, days=DAYS, charges_per_day=1000,
        fraud_rate=0.06, dispute_delay_scale=0.1, late_share=0.0, duplicate_share=0.02,
    )  # fmt: skip
    events: dict[str, list[dict[str, Any]]] = {"charges": always_open(), "disputes": []}
    for event in simulation.events():
        events[event.topic].append(event.value)
    end = START + OPEN_INTERVALS * MODEL_INTERVAL_S
    for those in events.values():
        those.sort(key=created)
    lines = [[orjson.dumps(e) for e in those if created(e) <= end] for those in events.values()]
    return Stream(*lines)


def always_open() -> list[dict[str, Any]]:
    """Return a charge at the begin and end of each interval, beyond the last outcome of others."""
    borders = [START + number * MODEL_INTERVAL_S for number in range(OPEN_INTERVALS + 1)]
    return [
        {"id": f"open-{time_s}", "created": time_s, "amount": 100, "currency": "usd",
         "card": f"regular {number % 50}", "merchant": "kiosk"}
        for number, border in enumerate(borders)
        for time_s in (border - MOMENT_S, border + MOMENT_S)
    ]  # fmt: skip


def created(event: dict[str, Any]) -> float:
    return float(event["created"])


def due(lines: list[bytes], after: float, until: float) -> list[bytes]:
    """Return the events made after a time, up to another, in their order."""
    events = [(created(orjson.loads(line)), line) for line in lines]
    events.sort(key=lambda event: event[0])
    return [line for time_s, line in events if after < time_s <= until]


def shown(worker: WorkerProcess) -> str:
    """Return the version that a worker says it scores with."""
    return "".join(
        re.findall(r'\nchargewatch_model_info{version="(.*)"}', worker.page("/metrics")[1])
    )


def await_model(worker: WorkerProcess, version: str) -> None:
    """Wait until a worker scores with a model, which it shows once a second."""
    deadline = time.monotonic() + TIMEOUT_S
    while (found := shown(worker)) != version:
        assert time.monotonic() < deadline, f"{found} is in use, not {version}"
        time.sleep(0.05)


def await_matured(worker: WorkerProcess, charges: float) -> None:
    """Wait until a worker has counted so many matured charges, which it does once a second."""
    deadline = time.monotonic() + TIMEOUT_S
    while (found := worker.metric("chargewatch_matured_charges_total")) != pytest.approx(charges):
        assert time.monotonic() < deadline, f"{found} matured charges, not {charges}"
        time.sleep(0.05)


def answer(event: dict[str, Any]) -> dict[str, Any]:
    """Return a scored event without when it was scored."""
    return {name: value for name, value in event.items() if name != "scored_at"}


def play(
    came: Stream, closed: Closed, kafka: Kafka, topics: Topics, worker: WorkerProcess
) -> Iterator[dict[str, Any]]:
    """Play a stream, and what came of it, to a worker; yield its scored events."""
    spans = closed.spans()
    ends = [-inf, *(span.until for span in spans[:-1]), inf]
    group = f"{topics.prefix}{SETTINGS.application_id}"
    held_back = HeldBack(kafka.config, topics.models)
    with Player(kafka.config, topics, group) as player:
        for span, (after, until) in zip(spans, pairwise(ends), strict=True):
            if span.model != PRIOR:
                await_model(worker, span.model)
            parts = [due(lines, after, until) for lines in (*came, closed.outcomes)]
            with held_back:
                yield from map(orjson.loads, player.play(*parts))


def test_a_worker_decides_and_learns_as_the_closed_loop(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    made, topics = stream(), Topics(prefix)
    closed = Closed(made.write(tmp_path))
    asked = Counter(event.get("holdout", event)["action"] for event in closed.scored)
    assert min(asked[name] for name in ("challenge", "review", "block")) >= 20, asked
    assert sum("holdout" in event for event in closed.scored) >= 20
    assert (closed.examples["source"] == IMPUTED).sum() >= 20

    ensure_topics(Admin(kafka.config), topics, 1)
    settings = replace(SETTINGS, bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)
    came = Stream(made.charges, closed.disputes)
    with WorkerProcess(tmp_path / "worker", worker_env(settings)) as worker:
        worker.wait_until_ready()
        scored = list(play(came, closed, kafka, topics, worker))
        await_matured(worker, float(closed.matured["counts"].sum()))
        assert worker.stop() == 0
    assert len(closed.spans()) >= 6
    for found, wanted in zip(scored, closed.scored, strict=True):
        assert answer(found) == answer(wanted)
    assert_same(decode_examples(values_of(kafka, topics.examples)), closed.examples)
    assert_same(decode_matured(values_of(kafka, topics.matured)), closed.matured)


def values_of(kafka: Kafka, topic: str) -> list[bytes]:
    return [message.value() or b"" for message in kafka.read_all(topic)]


def assert_same(found: Rows, wanted: Rows) -> None:
    assert len(found) == len(wanted) > 0
    for name in found.dtype.names or ():
        assert np.array_equal(found[name], wanted[name]), name
