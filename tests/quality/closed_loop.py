"""Runs of the closed loop: with other models, other labels, and what is let go afterwards."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from msgspec.structs import replace

from agents.backtest.backtest import Backtest, Step
from agents.backtest.closed_loop import ClosedLoop
from agents.backtest.replay import Replay
from agents.evaluation.loop import loop_summary
from agents.evaluation.metrics import average_precision
from agents.evaluation.outcome_collector import Drawn
from agents.evaluation.outcomes import Outcomes
from agents.models.kernels import sigmoid
from agents.models.prior import PriorScorer
from schemas.scored import ALLOW
from streams.durations import DAY_S
from streams.events.batch import TimedBatch
from streams.events.rows import charge_hashes
from streams.features.entities import FEATURES
from streams.simulator import Simulation
from tests.quality.candidates import WEEK_S
from tests.quality.contestants import LightGBM
from tests.quality.sources import write_simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    from agents.settings.schema import Actions, Settings
    from streams.events.rows import Rows

MONTH_DAYS = 30
BURST, BURST_DAYS, CLEAN_DAYS = 5, 28, 21
"""A merchant was compromised that had so many frauds within so many days; it is clean when as many
days as the last follow without one."""


@dataclass(frozen=True, slots=True)
class Events:
    """All events of a trial in the order of their time, and what of it counts.

    Attributes
    ----------
    events
        Charges and disputes.
    frauds
        Hashes of the charges that are disputed as fraudulent.
    start
        First time that counts, Unix seconds.
    """

    events: TimedBatch
    frauds: Collection[bytes]
    start: float


def read_events(charges: Path, disputes: Path, start: float | None) -> Events:
    """Read two files whole; by default all counts from the middle on."""
    replay = Replay(charges, disputes, inf)
    for _ in replay.survey():
        pass
    events = TimedBatch.merged([part.events for part in replay.parts()])
    middle = float(events.times[0] + events.times[-1]) / 2.0
    return Events(events, replay.frauds(), middle if start is None else start)


def simulated_events(seed: int) -> Events:
    """Return 90 days of the simulator, of which the later half counts."""
    with tempfile.TemporaryDirectory(prefix="chargewatch-quality-") as directory:
        files = write_simulation(Simulation(seed=seed, days=90), Path(directory))
        return read_events(*files, None)


@dataclass(frozen=True, slots=True)
class Played:
    """The charges that count, in the order in which they came: columns as in `Outcomes`."""

    rows: Rows

    dtype: ClassVar = np.dtype([
        ("created", "f8"), ("card", "u8"), ("merchant", "u8"), ("amount", "f8"), ("score", "f8"),
        ("action", "u1"), ("withheld", "u1"), ("fraud", "?"),
    ])  # fmt: skip

    @property
    def outcomes(self) -> Outcomes:
        """What an evaluation looks at."""
        rows = self.rows
        columns = (rows[name] for name in ("created", "amount", "score", "action", "fraud"))
        created, amount, score, action, fraud = columns
        return Outcomes(created, rows["card"].astype(np.int64), amount, score, action, fraud)

    @property
    def drawn(self) -> Drawn:
        """What was let through for the holdout."""
        places = np.flatnonzero(self.rows["withheld"] != ALLOW)
        return Drawn(places, self.rows["withheld"][places])

    @property
    def chosen(self) -> NDArray[np.uint8]:
        """What the model chose, before anything was drawn."""
        rows = self.rows
        return np.where(rows["withheld"] != ALLOW, rows["withheld"], rows["action"])

    def by_month(self) -> list[float | None]:
        """Return the average precision of each 30 days that are complete."""
        created = self.rows["created"]
        age = (created - created[0]) // (MONTH_DAYS * DAY_S)
        complete = int((created[-1] - created[0]) // (MONTH_DAYS * DAY_S))
        months = [self.rows[age == month] for month in range(complete)]
        return [average_precision(month["score"], month["fraud"]) for month in months]


def open_loop(backtest: Backtest, events: Events) -> Played:
    """Score everything while nobody acts."""

    def steps() -> Iterator[Step]:
        yield from backtest.run(events.events)
        yield from backtest.end()

    return _played(steps(), events)


def closed_loop(loop: ClosedLoop, events: Events) -> Played:
    """Score everything with the actions carried out."""

    def steps() -> Iterator[Step]:
        yield from loop.run(events.events)
        yield from loop.end()

    return _played(steps(), events)


def side(opened: Played, played: Played, settings: Settings) -> dict[str, Any]:
    """Return what `loop_summary` says of a run, and its average precision by month."""
    summary = loop_summary(opened.outcomes, played.outcomes, played.drawn, settings.costs)
    closed: dict[str, Any] = summary["closed"]
    return {**closed, "by_month": played.by_month()}


class Blind(ClosedLoop):
    """A loop whose outcomes nobody tells: what is stopped is taken for genuine.

    Parameters
    ----------
    settings, frauds
        As for `ClosedLoop`; there is no holdout.
    """

    def __init__(self, settings: Settings, frauds: Collection[bytes]) -> None:
        settings = replace(settings, holdout_share=0.0)
        super().__init__(settings, lambda: 0.0, frauds)
        self.backtest = Backtest(settings, lambda: 0.0, actions="advisory")

    def _carried_out(self, step: Step, ends_at: float) -> TimedBatch:
        super()._carried_out(step, ends_at)
        return TimedBatch()


class Weekly(Backtest):
    """A backtest that scores with LightGBM, trained anew each week on the labels known by then.

    Parameters
    ----------
    settings, actions
        As for `Backtest`.
    seed
        Of LightGBM.
    """

    def __init__(self, settings: Settings, seed: int, actions: Actions = "advisory") -> None:
        super().__init__(settings, lambda: 0.0, actions=actions)
        self._model = LightGBM(seed, matured=True)
        self._new: list[Rows] = []
        self._week = -inf
        self._scorer = _Boosted(self._model)

    def _settle_model(self, now: float) -> None:
        if now // WEEK_S > self._week:
            self._week = now // WEEK_S
            if self._new:
                self._model.learn(np.concatenate(self._new))
                self._new = []

    def _learn(self, examples: Rows) -> None:
        self._new.append(examples)


class _Boosted(PriorScorer):
    """Scores with a LightGBM as it is; reasons are the prior's."""

    def __init__(self, model: LightGBM) -> None:
        super().__init__(FEATURES)
        self._model = model

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return sigmoid(self._model.log_odds(vectors))


def days_until_let_go(
    played: Played, is_let_go: Callable[[float], bool]
) -> tuple[int, list[float]]:
    """Return after how many days merchants that were compromised are treated as any others.

    Parameters
    ----------
    played
        A run.
    is_let_go
        Tells it of the share of a day's charges that was stopped.

    Returns
    -------
    int, list
        The first day after a merchant's last fraud on which its charges are let go, all such
        merchants together, and the share stopped on each of `CLEAN_DAYS` days.
    """
    rows, is_stopped = played.rows, played.chosen != ALLOW
    stopped, charges = np.zeros(CLEAN_DAYS), np.zeros(CLEAN_DAYS)
    for merchant in np.unique(rows["merchant"][rows["fraud"]]):
        places = np.flatnonzero(rows["merchant"] == merchant)
        created = rows["created"][places]
        last = _last_fraud(created, rows["fraud"][places])
        if last is None:
            continue
        day = np.floor((created - last) / DAY_S).astype(int)
        after = (created > last) & (day < CLEAN_DAYS)
        np.add.at(charges, day[after], 1.0)
        np.add.at(stopped, day[after], is_stopped[places][after])
    shares = stopped / np.maximum(charges, 1.0)
    let_go = [day for day, share in enumerate(shares.tolist()) if is_let_go(share)]
    return (let_go[0] + 1 if let_go else CLEAN_DAYS + 1), shares.tolist()


def _last_fraud(created: NDArray[np.float64], fraud: NDArray[np.bool_]) -> float | None:
    """Return when a merchant's first burst of frauds ended, `None` where there was none."""
    times = created[fraud]
    ends = np.append(np.flatnonzero(np.diff(times) > CLEAN_DAYS * DAY_S), len(times) - 1)
    for end in ends.tolist():
        in_burst = np.count_nonzero(times[: end + 1] > times[end] - BURST_DAYS * DAY_S)
        if in_burst >= BURST and created[-1] > times[end] + CLEAN_DAYS * DAY_S:
            return float(times[end])
    return None


def _played(steps: Iterator[Step], events: Events) -> Played:
    parts = [np.empty(0, Played.dtype)]
    for step in steps:
        charges, answers = step.charges, step.output.answers
        counts = (charges["duplicate"] == 0) & (charges["created"] >= events.start)
        part = np.empty(int(np.count_nonzero(counts)), Played.dtype)
        for name in ("created", "card", "merchant", "amount"):
            part[name] = charges[name][counts]
        for name in ("score", "action", "withheld"):
            part[name] = answers[name][counts]
        part["fraud"] = [charge in events.frauds for charge in charge_hashes(charges[counts])]
        parts.append(part)
    return Played(np.concatenate(parts))
