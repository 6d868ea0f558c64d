"""What signals of a producer's own cost a charge: from bytes to rows, and from heads to columns.

`python -m tests.bench.signal_cost`. Numbers have as many digits as a float has, which look most
like card numbers; all counts take turns, as what else runs on a machine comes and goes.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import click
import orjson

from schemas.input_rules import InputRules
from schemas.signals import SIGNALS_MAX, signals_of
from streams.events.decoding import decode_charges
from streams.events.origin import Origin
from streams.events.rejected import Input
from streams.features.signals import read_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.signals import Signal

COUNTS: Final = (0, 1, 8, 28, SIGNALS_MAX)
_CHARGES, _ROUNDS, _SEED = 4_000, 15, 14
_AFTER_ALL: Final = 1e12


class Cost(NamedTuple):
    """CPU microseconds a charge, the least of some rounds."""

    decoding_us: float
    reading_us: float


def signal_costs(charges: int = _CHARGES, rounds: int = _ROUNDS) -> dict[int, Cost]:
    """Measure in this process, by the number of signals."""
    signals = {count: signals_of({f"V{n}": "number" for n in range(count)}) for count in COUNTS}
    inputs = {count: _inputs(charges, count) for count in COUNTS}
    rounds_of = {count: list[Cost]() for count in COUNTS}
    for _ in range(rounds):
        for count in COUNTS:
            rounds_of[count].append(_round(inputs[count], signals[count]))
    return {
        count: Cost(*(min(part) / charges * 1e6 for part in zip(*costs, strict=True)))
        for count, costs in rounds_of.items()
    }


def _inputs(charges: int, signals: int) -> list[Input]:
    rng, inputs = Random(_SEED), list[Input]()
    for number in range(charges):
        card = f"card_{rng.randrange(1000)}"
        charge: dict[str, object] = {
            "id": f"ch_{number}",
            "created": 1.79e9 + number,
            "amount": 1999,
            "currency": "usd",
            "card": card,
            "merchant": f"m_{rng.randrange(100)}",
            "channel": "online",
            "card_country": "US",
            "ip_country": "US",
            "cvc_check": "pass",
        }
        charge |= {f"V{n}": rng.gauss(0.0, 1.0) for n in range(signals)}
        inputs.append(Input(card.encode(), orjson.dumps(charge), Origin("charges", 0, number)))
    return inputs


def _round(inputs: Sequence[Input], signals: tuple[Signal, ...]) -> Cost:
    """Return the CPU seconds of a round."""
    began = time.process_time()
    decoded = decode_charges(inputs, _AFTER_ALL, InputRules(signals=signals))
    between = time.process_time()
    values = read_signals(signals, decoded.batch.tails)
    ended = time.process_time()
    assert not decoded.rejected
    assert values.columns.shape == (len(inputs), len(signals))
    return Cost(between - began, ended - between)


if __name__ == "__main__":
    for count, cost in signal_costs().items():
        click.echo(f"| {count} | {cost.decoding_us:.1f} | {cost.reading_us:.1f} |")
