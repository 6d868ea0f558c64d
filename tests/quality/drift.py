"""Fraud of another kind from one day on: the online model against a copy frozen on that day."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import asdict, dataclass
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.evaluation.report.drawing import ACCENT, FRAUD, MUTED, drawing
from agents.models.kinds import DEFAULT
from streams.simulator import DEFAULT_MIX, DRIFTED_MIX, Simulation
from tests.quality.contestants import Registered
from tests.quality.findings import Findings, Table
from tests.quality.measures import DAY_S, precision
from tests.quality.prequential import run
from tests.quality.sources import of_simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.quality.recording import Recording

HORIZON_DAYS = 7.0
DELAY_SCALE = 0.2
"""Of the disputes' delays: a median of 3.4 days for those without an early warning."""

BEFORE_DAYS = 12
"""Days before the change whose average precision is the earlier one."""

WINDOW_DAYS = 5
"""Days that are taken together to tell whether it is back: that of one day is noisy."""

RECOVERED = 0.9


class Change(NamedTuple):
    """What share of the frauds each pattern has, before and afterwards."""

    name: str
    before: Mapping[str, float]
    afterwards: Mapping[str, float]


CHANGES = (
    Change("the simulator's own change", DEFAULT_MIX, DRIFTED_MIX),
    Change(
        "fraud that was never seen before",
        {"stolen_card": 0.7, "card_testing": 0.2, "friendly_fraud": 0.1},
        {"account_takeover": 0.6, "compromised_merchant": 0.3, "friendly_fraud": 0.1},
    ),
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a change did, and how it went on; average precisions throughout.

    Attributes
    ----------
    day
        Days from the change on, negative before.
    online, frozen
        Of each day.
    earlier
        Of the days before the change.
    lowest, lowest_frozen
        Of the worst window that begins within so many days of it: a later one is chance.
    back_from_day
        The first day, none before the worst window's, from which on the online model is back over
        a window; infinite if it never is.
    labels_by_then, labels_at_its_end
        As many days' worth of frauds made after the change had been disputed when that window
        began, and when it ended.
    afterwards, afterwards_frozen
        From its end on, or of the last window.
    """

    day: list[int]
    online: list[float]
    frozen: list[float]
    earlier: float
    lowest: float
    lowest_frozen: float
    back_from_day: float
    labels_by_then: float
    labels_at_its_end: float
    afterwards: float
    afterwards_frozen: float


def drifting(change: Change, seed: int, days: int, charges_per_day: float) -> Simulation:
    """Return a simulation whose fraud changes halfway."""
    start = Simulation(seed=seed).start
    return Simulation(
        seed=seed,
        days=days,
        charges_per_day=charges_per_day,
        fraud_rate=0.01,
        mix=change.before,
        drift_at=start + days // 2 * DAY_S,
        drifted_mix=change.afterwards,
        dispute_delay_scale=DELAY_SCALE,
    )


def recovery(recording: Recording, changed_at: float) -> Recovery:
    """Score with the default model, and with a copy that learns nothing after the change."""
    start = changed_at - BEFORE_DAYS * DAY_S
    online = run(Registered(DEFAULT), recording, start).charges
    frozen = run(Registered(DEFAULT), recording.taught_until(changed_at), start).charges
    age = np.floor((recording.created - changed_at) / DAY_S).astype(int)
    last = int(age[-1])

    def between(log_odds: NDArray[np.float64], first: int, end: float) -> float:
        return precision(log_odds, recording, (age >= first) & (age < end))

    windows = range(last + 2 - WINDOW_DAYS)
    after = [between(online, first, first + WINDOW_DAYS) for first in windows]
    earlier = between(online, -BEFORE_DAYS, 0)
    worst = after.index(min(after[:WINDOW_DAYS]))
    back = [first for first in windows[worst:] if after[first] >= RECOVERED * earlier]
    back_from = float(back[0]) if back else inf
    settled = int(min(back_from + WINDOW_DAYS, windows[-1]))
    days_shown = list(range(-BEFORE_DAYS, last + 1))
    return Recovery(
        day=days_shown,
        online=[between(online, day, day + 1) for day in days_shown],
        frozen=[between(frozen, day, day + 1) for day in days_shown],
        earlier=earlier,
        lowest=after[worst],
        lowest_frozen=min(
            between(frozen, first, first + WINDOW_DAYS) for first in windows[:WINDOW_DAYS]
        ),
        back_from_day=back_from,
        labels_by_then=_days_of_labels(recording, changed_at, back_from),
        labels_at_its_end=_days_of_labels(recording, changed_at, back_from + WINDOW_DAYS),
        afterwards=between(online, settled, inf),
        afterwards_frozen=between(frozen, settled, inf),
    )


def drifts(seeds: Sequence[int], kept_in: Path, say: Callable[[str], object]) -> Findings:
    """Go through both changes with each seed."""
    found: dict[str, dict[int, Recovery]] = {}
    for change in CHANGES:
        found[change.name] = {}
        for seed in seeds:
            say(f"{change.name}, seed {seed}")
            simulation = drifting(change, seed, days=60, charges_per_day=10_000.0)
            assert simulation.drift_at is not None
            recording = of_simulation(simulation, HORIZON_DAYS, kept_in)
            found[change.name][seed] = recovery(recording, simulation.drift_at)
    return Findings(
        "drift",
        (
            f"`{DEFAULT}` on the simulator, 10,000 charges a day, 1% fraud, disputes after "
            f"{DELAY_SCALE:g} of the usual delay (a median of 3.4 days without a warning), horizon "
            f"{HORIZON_DAYS:g} days; the mix of frauds changes after 30 of 60 days.",
            f"Back: the average precision of {WINDOW_DAYS} days together, from the named one on, "
            f"is {100 * RECOVERED:g}% of that of the {BEFORE_DAYS} days before the change; looked "
            f"for from the worst of those on that begin within {WINDOW_DAYS} days. A day of "
            "labels: as many disputes as come of one day's frauds; so many had come when these "
            "days began, and when they were over.",
        ),
        [_table(name, by_seed) for name, by_seed in found.items()],
        {
            name: {str(seed): asdict(one) for seed, one in by_seed.items()}
            for name, by_seed in found.items()
        },
        picture({name: list(by_seed.values()) for name, by_seed in found.items()}),
    )


def picture(found: Mapping[str, Sequence[Recovery]]) -> bytes:
    """Draw the average precision by day, the mean over the seeds, as an SVG."""
    with drawing(10.4, *(2.6 for _ in found)) as plot:
        for axes, (name, runs) in zip(plot.axes, found.items(), strict=True):
            day = runs[0].day
            online, frozen = (
                np.mean([getattr(one, which) for one in runs], axis=0)
                for which in ("online", "frozen")
            )
            axes.plot(day, online, "o-", color=ACCENT, markersize=4, label="online")
            axes.plot(day, frozen, "o-", color=FRAUD, markersize=4, label="frozen at the change")
            needed = RECOVERED * float(np.mean([one.earlier for one in runs]))
            axes.axhline(needed, color=MUTED, linewidth=1.0, linestyle=":")
            axes.axvline(-0.5, color=MUTED, linewidth=1.0)
            axes.set(ylim=(0, 1.03), ylabel="Average precision", title=name)
            axes.legend(loc="upper right", ncols=2)
        plot.axes[-1].set(xlabel="Days from the change on")
    return b64decode(plot.image.partition(",")[2])


def _days_of_labels(recording: Recording, changed_at: float, days: float) -> float:
    """Return how many days' worth of new frauds were disputed so many days after the change."""
    examples = recording.examples
    is_new = (examples["label"] == 1) & (examples["charged_at"] >= changed_at)
    by_then = is_new & (examples["labelled_at"] < changed_at + days * DAY_S)
    fraud = recording.fraud & (recording.created >= changed_at)
    per_day = np.count_nonzero(fraud) / ((recording.created[-1] - changed_at) / DAY_S)
    return float(np.count_nonzero(by_then) / per_day)


def _table(name: str, by_seed: Mapping[int, Recovery]) -> Table:
    columns = (
        "seed", "AP before", f"lowest {WINDOW_DAYS} days", "... frozen", "back from day",
        "days of labels by then", "... at their end", "AP afterwards", "... frozen",
    )  # fmt: skip
    rows = [
        [
            str(seed), f"{one.earlier:.3f}", f"{one.lowest:.3f}", f"{one.lowest_frozen:.3f}",
            f"{one.back_from_day:g}", f"{one.labels_by_then:.1f}", f"{one.labels_at_its_end:.1f}",
            f"{one.afterwards:.3f}", f"{one.afterwards_frozen:.3f}",
        ]
        for seed, one in by_seed.items()
    ]  # fmt: skip
    return Table(name, columns, rows)
