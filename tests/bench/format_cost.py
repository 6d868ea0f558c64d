"""What the formats of payloads cost a charge, from bytes to rows.

`python -m tests.bench.format_cost`. The charges are simulated, and written by confluent-kafka's own
serializers. All formats take turns, as what else runs on a machine comes and goes.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
import orjson

from streams.events.decoding import decode_charges
from streams.events.origin import Origin
from streams.events.rejected import Input
from streams.formats.payloads import Payloads
from streams.simulator import Simulation
from tests.registry import Registry
from tests.streams.formats.written import FORMATS, Known, Serializers

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCHES: Final = (12, 4_000)
PLAIN: Final = "json"
_CHARGES, _ROUNDS, _SEED = 4_000, 25, 14
_AFTER_ALL: Final = 1e12


class Cost(NamedTuple):
    """What a format costs.

    Attributes
    ----------
    payload_bytes
        Mean of a charge.
    us
        CPU microseconds a charge, the least of some rounds.
    """

    payload_bytes: float
    us: float


def format_costs(charges: int = _CHARGES, rounds: int = _ROUNDS) -> dict[tuple[str, int], Cost]:
    """Measure in this process, by the format and the size of the batch.

    `json` is plain JSON where no registry is set, `json beside` where one is.
    """
    events = _charges(charges)
    with Registry() as registry:
        written = _written(events, registry.url)
        payloads = Payloads(Known(registry.url))
        runs = {(form, size): (written[form], size) for form in written for size in BATCHES}
        runs |= {("json beside", size): (written[PLAIN], size) for size in BATCHES}
        least = dict.fromkeys(runs, float("inf"))
        for _ in range(rounds):
            for (form, size), (inputs, _) in runs.items():
                took = _decoded(inputs, size, None if form == PLAIN else payloads)
                least[form, size] = min(least[form, size], took)
    return {
        run: Cost(_mean_bytes(inputs), least[run] / charges * 1e6)
        for run, (inputs, _) in runs.items()
    }


def _charges(count: int) -> list[dict[str, Any]]:
    simulation = Simulation(seed=_SEED, cards=2_000, merchants=200, days=30, charges_per_day=2_000)
    charges = (
        {name: content for name, content in event.value.items() if content is not None}
        for event in simulation.events()
        if event.topic == "charges" and event.fault is None
    )
    return [
        {**charge, "created": float(str(charge["created"]))} for charge in islice(charges, count)
    ]


def _written(events: Sequence[dict[str, Any]], url: str) -> dict[str, list[Input]]:
    whole = {name: content for event in events for name, content in event.items()}
    serializers = Serializers(url, whole)
    values = {form: [serializers.write(form, event)[0] for event in events] for form in FORMATS}
    values[PLAIN] = [orjson.dumps(event) for event in events]
    return {
        form: [
            Input(event["card"].encode(), value, Origin("charges", 0, offset))
            for offset, (event, value) in enumerate(zip(events, each, strict=True))
        ]
        for form, each in values.items()
    }


def _decoded(inputs: Sequence[Input], size: int, payloads: Payloads | None) -> float:
    """Return the CPU seconds of a round."""
    began = time.process_time()
    for start in range(0, len(inputs), size):
        batch: Sequence[Input] = inputs[start : start + size]
        if payloads is not None:
            batch = [each for each in payloads.read("charges", batch) if each is not None]
        decoded = decode_charges(batch, _AFTER_ALL)
        assert not decoded.rejected
    return time.process_time() - began


def _mean_bytes(inputs: Sequence[Input]) -> float:
    return sum(len(each.value or b"") for each in inputs) / len(inputs)


if __name__ == "__main__":
    costs = format_costs()
    for (form, size), cost in sorted(costs.items(), key=lambda item: (item[0][1], item[0][0])):
        rate = costs[PLAIN, size].us / cost.us
        click.echo(f"| {form} | {size:,} | {cost.payload_bytes:.0f} | {cost.us:.2f} | {rate:.2f} |")
