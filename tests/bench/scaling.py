"""What a charge costs as things grow: workers, cards, challengers, and the lengths of windows."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import orjson

from agents.settings.schema import Settings
from agents.stages.tasks import open_store
from tests.bench.data import DAYS, Dataset, Event
from tests.bench.filling import card_key, fill, sample
from tests.bench.installation import PARTITIONS, Installation, Outputs
from tests.bench.process import Together
from tests.bench.systems import OURS
from tests.bench.throughput import TIMEOUT_S, Run, at_full_load
from tests.bench.window_cost import WindowCost, window_costs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streams.kafka.config import Config

WARM_UP, SETTLING, MEASURED = 100_000, 120_000, 200_000
"""Charges until models have learned, until workers that start again have their caches full, and
those that are measured."""

SHORT = 0.02
"""Share of the charges, and of the cards, in a short run."""

WORKERS = (1, 2, 4)
CARDS = (10_000, 1_000_000, 10_000_000)
CHALLENGERS = ((), ("linear",))

_SEED = 6
_DAY_S = 86_400.0
_SESSION_TIMEOUT_MS = 60_000
"""Halted workers keep their tasks for so long."""


@dataclass(frozen=True)
class Size:
    """What was measured at one size of one thing.

    Attributes
    ----------
    grows
        What it is that has the size: "workers", "cards" or "challengers".
    charges
        How many were measured.
    run
        CPU is of all workers together.
    peak_mb
        The most memory that any worker had resident.
    state_mb
        Files of the local state of all tasks, afterwards.
    """

    grows: str
    size: int
    charges: int
    run: Run
    peak_mb: float
    state_mb: float


@dataclass(frozen=True)
class Scaling:
    """All of it."""

    sizes: list[Size]
    windows: list[WindowCost]


@dataclass(frozen=True)
class Trial:
    """One size, and what is to be set up for it.

    Attributes
    ----------
    cards
        How many have a record before the measurement; 0 for those of the charges alone.
    """

    grows: str
    size: int
    workers: int = 1
    cards: int = 0
    challengers: tuple[str, ...] = ()

    @property
    def partitions(self) -> int:
        """As usual; one, where cards are many, so that one cache stands before all of them."""
        return 1 if self.cards else PARTITIONS


def scaling(
    config: Config, directory: Path, say: Callable[[str], None], *, is_short: bool
) -> Scaling:
    """Measure every size once, one after the other."""
    scale = SHORT if is_short else 1.0
    counts = [int(count * scale) for count in (WARM_UP, SETTLING, MEASURED)]
    say(f"simulating {sum(counts):,} charges")
    data = Dataset(sum(counts), time.time() - (DAYS + 1.0) * _DAY_S)
    sizes = []
    for trial in _trials(scale):
        name = f"bench-{trial.grows}-{trial.size}."
        with Installation(config, name, trial.partitions) as installation:
            size = _Measurement(trial, installation, data, directory / name, counts)()
        sizes.append(size)
        say(
            f"{trial.grows} {trial.size:,}: {size.run.charges_per_s:,.0f} charges/s, "
            f"{size.run.cpu_s_per_million:,.1f} CPU s a million, {size.peak_mb:,.0f} MB"
        )
    return Scaling(sizes, window_costs())


def _trials(scale: float) -> Iterator[Trial]:
    for workers in WORKERS:
        yield Trial("workers", workers, workers=workers)
    for cards in CARDS:
        yield Trial("cards", int(cards * scale), cards=int(cards * scale))
    for challengers in CHALLENGERS:
        yield Trial("challengers", len(challengers), challengers=challengers)


class _Measurement:
    """One trial: a warm-up, the store filled, then the workers at full load."""

    def __init__(
        self,
        trial: Trial,
        installation: Installation,
        data: Dataset,
        directory: Path,
        counts: Sequence[int],
    ) -> None:
        self._trial = trial
        self._installation = installation
        self._data = data
        self._directory = directory
        self._counts = counts
        env = {
            "CHARGEWATCH_CHALLENGERS": ",".join(trial.challengers),
            "CHARGEWATCH_SESSION_TIMEOUT_MS": str(_SESSION_TIMEOUT_MS),
        }
        self._system = replace(OURS, env=env)

    def __call__(self) -> Size:
        outputs = Outputs(self._installation)
        try:
            if self._trial.cards:
                return self._with_cards(outputs)
            return self._measure(outputs, self._events(0, 2), self._events(2, 3))
        finally:
            outputs.close()

    def _with_cards(self, outputs: Outputs) -> Size:
        """Measure charges of all cards alike, so that the cache seldom has the record."""
        warm_up = self._events(0, 1)
        self._installation.load(warm_up)
        with self._system.start(self._installation, self._directory / "0") as process:
            outputs.wait_for(charges_in(warm_up), TIMEOUT_S, process.check)
        settings = Settings(
            topic_prefix=self._installation.topics.prefix, state_dir=self._directory / "0" / "state"
        )
        store = open_store(0, settings)
        fill(store, sample(store), self._trial.cards)
        store.close()
        outputs.times.clear()
        events = spread_over(self._events(1, 3), self._trial.cards)
        place = next(
            place
            for place, count in enumerate(np.cumsum([event.is_charge for event in events]))
            if count > self._counts[1]
        )
        return self._measure(outputs, events[:place], events[place:])

    def _measure(
        self, outputs: Outputs, before: Sequence[Event], measured: Sequence[Event]
    ) -> Size:
        self._installation.load(before)
        with ExitStack() as stack:
            processes = Together(
                [
                    stack.enter_context(
                        self._system.start(self._installation, self._directory / str(number))
                    )
                    for number in range(self._trial.workers)
                ]
            )
            outputs.wait_for(charges_in(before), TIMEOUT_S, processes.check)
            run = at_full_load(processes, self._installation, outputs, measured)
            peak_mb = processes.peak_mb()
        files = [path for path in self._directory.rglob("*") if path.is_file()]
        state_mb = sum(file.stat().st_size for file in files) / 1e6
        return Size(
            self._trial.grows, self._trial.size, charges_in(measured), run, peak_mb, state_mb
        )

    def _events(self, first: int, last: int) -> Sequence[Event]:
        """Return the events of some of the parts that the stream is cut into."""
        start, stop = sum(self._counts[:first]), sum(self._counts[:last])
        return self._data.part(start, stop - start)


def charges_in(events: Sequence[Event]) -> int:
    """Return how many of the events are charges."""
    return sum(event.is_charge for event in events)


def spread_over(events: Sequence[Event], cards: int) -> list[Event]:
    """Return the events as if each charge were made by any of so many cards, all alike.

    A dispute goes with its charge, where that is among them.
    """
    drawn = iter(np.random.default_rng(_SEED).integers(cards, size=len(events)).tolist())
    card_of: dict[str, bytes] = {}
    moved = []
    for event in events:
        value = orjson.loads(event.value)
        if event.is_charge:
            key = card_of[value["id"]] = card_key(next(drawn))
        else:
            key = card_of.get(value["charge"], event.key)
        moved.append(Event(event.is_charge, key, orjson.dumps(value | {"card": key.decode()})))
    return moved
