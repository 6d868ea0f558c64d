"""Latency at a fixed rate, in an open loop: from when a charge was to be sent to its scored event.

Send times are set beforehand, and a latency counts from there: when anything falls behind, be it
the worker, the broker or the sender itself, the charges that wait are seen to wait.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson
from confluent_kafka import Producer

from streams.kafka.subscriber import Subscriber
from tests.bench.data import Dataset, created_at, until
from tests.bench.installation import Installation, Outputs
from tests.bench.percentiles import curve, quantile
from tests.bench.systems import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streams.kafka.config import Config
    from tests.bench.data import Event

RATES = (500, 2_300)
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
GUARANTEES = ("exactly_once", "at_least_once")
_HISTORY_TIMEOUT_S = 120.0
_LEAD_S = 3.0
"""Before the first charge is due, while all are encoded."""

_TICK_S = 0.001
_READ_S = 0.05
_LATE_S = 30.0


@dataclass(frozen=True)
class Latency:
    """Latencies at a rate, in milliseconds.

    Attributes
    ----------
    quantiles
        By name.
    curve
        Pairs of a share of the charges and the latency that so many have at most.
    behind_ms
        The furthest that the sender fell behind its schedule.
    load
        The machine's load average over a minute, before.
    """

    guarantee: str
    rate: int
    charges: int
    quantiles: dict[str, float]
    curve: list[tuple[float, float]]
    behind_ms: float
    load: float


@dataclass(frozen=True)
class Plan:
    """How much is done: charges of history, then seconds of each rate to settle and to count."""

    history: int
    settling_s: float
    seconds: float

    def charges(self, rate: int) -> int:
        """Return how many a rate takes."""
        return int(rate * (self.settling_s + self.seconds))


LONG, SHORT = Plan(120_000, 4.0, 60.0), Plan(20_000, 2.0, 4.0)
"""After a short history the worker has no model yet, and scores with its prior."""


def latency(
    config: Config, directory: Path, say: Callable[[str], None], *, is_short: bool
) -> list[Latency]:
    """Measure each rate with each guarantee, on a worker with a history and a learned model."""
    plan = SHORT if is_short else LONG
    live = sum(plan.charges(rate) for rate in RATES)
    say(f"simulating {plan.history + live:,} charges")
    data = until(time.time(), plan.history, live)
    found = []
    for guarantee in GUARANTEES:
        with Installation(config, f"bench-{guarantee}.") as installation:
            for measured in _measure(installation, data, guarantee, directory / guarantee, plan):
                shown = ", ".join(f"{name} {ms:.1f}" for name, ms in measured.quantiles.items())
                say(f"{guarantee}, {measured.rate:,} charges/s: {shown} ms")
                found.append(measured)
    return found


def _measure(
    installation: Installation, data: Dataset, guarantee: str, directory: Path, plan: Plan
) -> Iterator[Latency]:
    installation.load(data.part(0, plan.history))
    outputs = Outputs(installation)
    system = replace(OURS, guarantee=guarantee)
    with system.start(installation, directory) as process:
        try:
            outputs.wait_for(plan.history, _HISTORY_TIMEOUT_S, process.check)
        finally:
            outputs.close()
        first = plan.history
        for rate in RATES:
            count = plan.charges(rate)
            load = os.getloadavg()[0]
            loop = OpenLoop(installation, data.part(first, count), rate)
            settled = sorted(loop.run()[int(rate * plan.settling_s) :])
            quantiles = {name: quantile(settled, share) for name, share in QUANTILES.items()}
            yield Latency(
                guarantee, rate, len(settled), quantiles, curve(settled), loop.behind_ms, load
            )
            first += count


class OpenLoop:
    """Sends charges on a schedule, and takes down when their scored events come.

    Parameters
    ----------
    installation
        Whose topics are used.
    events
        What is sent; a dispute goes with the charge before.
    rate
        Charges a second.

    Attributes
    ----------
    behind_ms
        The furthest that a charge was sent after its time.
    """

    def __init__(self, installation: Installation, events: Sequence[Event], rate: int) -> None:
        self.behind_ms = 0.0
        self._topics = installation.topics
        charges = [event for event in events if event.is_charge]
        self._numbers = {orjson.loads(e.value)["id"]: n for n, e in enumerate(charges)}
        self._producer = Producer(
            installation.config
            | {"enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 1}
        )
        self._subscriber = Subscriber(installation.config, [self._topics.scored])
        # Both clocks at one moment: charges are made at Unix times, and waited for with the other.
        unix, self._start = time.time() + _LEAD_S, time.monotonic() + _LEAD_S
        self._interval_s = 1.0 / rate
        times = [unix + number * self._interval_s for number in range(len(charges))]
        self._events = created_at(events, times)

    def run(self) -> list[float]:
        """Return how long each charge took, in milliseconds and in the order of sending."""
        gc.freeze()  # a collection of all that is simulated would be measured as latency
        sending = threading.Thread(target=self._send, name="sending")
        with self._subscriber:
            sending.start()
            came = self._receive()
        sending.join()
        gc.unfreeze()
        return [1e3 * (came[number] - self._due(number)) for number in range(len(self._numbers))]

    def _due(self, number: int) -> float:
        return self._start + number * self._interval_s

    def _send(self) -> None:
        number = 0
        for event in self._events:
            if event.is_charge:
                while (ahead := self._due(number) - time.monotonic()) > 0.0:
                    self._producer.poll(0)
                    time.sleep(max(ahead, _TICK_S))
                self.behind_ms = max(self.behind_ms, -1e3 * ahead)
                number += 1
            topic = self._topics.charges if event.is_charge else self._topics.disputes
            self._producer.produce(topic, key=event.key, value=event.value)
        assert self._producer.flush(_LATE_S) == 0, "not all charges were delivered"

    def _receive(self) -> dict[int, float]:
        """Return when the first scored event of each charge came."""
        came: dict[int, float] = {}
        deadline = self._due(len(self._numbers)) + _LATE_S
        while len(came) < len(self._numbers):
            messages = self._subscriber.read(_READ_S)
            now = time.monotonic()
            for message in messages:
                number = self._numbers.get(orjson.loads(message.value() or b"{}")["charge"])
                if number is not None:
                    came.setdefault(number, now)
            if now > deadline:
                raise TimeoutError(f"{len(came)} of {len(self._numbers)} charges were scored")
        return came
