"""Pictures of charges, drawn as SVG by the server: they need no script, and are read aloud."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from agents.evaluation.metrics import CalibrationBin
    from agents.web.read_model.queries.lines import ChargeLine
    from agents.web.read_model.queries.overview import DaySums

WIDTH: Final = 720
HEIGHT: Final = 130
LEFT: Final = 62
_RIGHT: Final = 14
_TOP: Final = 14
_BOTTOM: Final = 24
_RADIUS: Final = 5.0

GIVEN: Final = ("allow", "challenge", "review", "block")


@dataclass(frozen=True, slots=True)
class Mark:
    """A charge in a timeline; its shape tells the action as its colour does."""

    x: float
    y: float
    path: str
    line: ChargeLine
    is_here: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis of amounts, US dollars."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Charges over time, with their amounts on a logarithmic scale."""

    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    first: float
    last: float


def timeline(lines: Sequence[ChargeLine], here: tuple[str, str] | None = None) -> Timeline:
    """Return a timeline of some charges, the one of an id and card marked."""
    first, last = lines[0].created, lines[-1].created
    span = last - first or 1.0
    exponents = [log10(max(0.1, line.usd)) for line in lines]
    low, high = min(exponents), max(exponents)
    low, high = (low - 0.5, high + 0.5) if high - low < 1.0 else (low, high)

    def height(exponent: float) -> float:
        share = (exponent - low) / (high - low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    def place(at: float) -> float:
        share = 0.5 if first == last else (at - first) / span
        return round(LEFT + 10 + share * (WIDTH - LEFT - 10 - _RIGHT), 1)

    marks = [
        Mark(
            place(line.created),
            height(exponent),
            _shape(line.given, place(line.created), height(exponent)),
            line,
            (line.charge, line.card) == here,
        )
        for line, exponent in zip(lines, exponents, strict=True)
    ]
    powers = range(int(low // 1) + 1, int(high // 1) + 1)
    ticks = [Tick(height(power), f"${10**power:,.0f}" if power >= 0 else "") for power in powers]
    return Timeline(marks, ticks, first, last)


def _shape(given: str, x: float, y: float) -> str:
    """Return the outline of an action: a circle, triangle, diamond or square."""
    r = _RADIUS
    match given:
        case "block":
            return f"M{x - r} {y - r}h{2 * r}v{2 * r}h{-2 * r}z"
        case "challenge":
            return f"M{x} {y - r - 1}l{r + 1} {2 * r}h{-2 * r - 2}z"
        case "review":
            return f"M{x} {y - r - 1}l{r + 1} {r + 1}l{-r - 1} {r + 1}l{-r - 1} {-r - 1}z"
        case _:
            return f"M{x - r} {y}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0z"


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a day's bar."""

    x: float
    y: float
    width: float
    height: float
    given: str
    told: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Charges by day and action."""

    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    first: date
    last: date


def daily_bars(days: Sequence[DaySums]) -> Bars:
    """Return the bars of some days, of at least one charge."""
    first, last = days[0].day, days[-1].day
    count = (last - first).days + 1
    by_day: dict[date, Mapping[str, int]] = {}
    for each in days:
        by_day[each.day] = {**by_day.get(each.day, {}), each.given: each.charges}
    most = max(sum(given.values()) for given in by_day.values())
    step = (WIDTH - LEFT - _RIGHT) / count
    scale = (HEIGHT - _TOP - _BOTTOM) / most
    bars = []
    for day, given in by_day.items():
        y = float(HEIGHT - _BOTTOM)
        for action in GIVEN:
            charges = given.get(action, 0)
            if not charges:
                continue
            y -= charges * scale
            x = LEFT + (day - first).days * step
            told = f"{day:%Y-%m-%d}: {charges:,} {action}"
            bars.append(
                Bar(round(x, 1), round(y, 1), round(max(1.0, min(step * 0.8, 60.0)), 1),
                    round(charges * scale, 1), action, told)
            )  # fmt: skip
    ticks = [Tick(HEIGHT - _BOTTOM, "0"), Tick(_TOP, f"{most:,}")]
    return Bars(bars, ticks, first, last)


SIDE: Final = 240
"""Of the square in which a reliability diagram is; its lower left corner is at (`LEFT`, `SIDE`)."""

_SHARES: Final = (0.001, 0.01, 0.1, 0.5, 0.9)
_LOW, _HIGH = -8.0, 4.0  # log-odds at the ends of the axes


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin of scores: the larger, the more charges. `is_none` where no fraud was observed."""

    x: float
    y: float
    radius: float
    is_none: bool
    told: str


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was predicted (across) and observed (up), by their log-odds.

    Attributes
    ----------
    dots
        The bins.
    ticks
        How far along either axis a share is, and what it is called.
    """

    dots: Sequence[Dot]
    ticks: Sequence[tuple[float, str]]


def reliability(bins: Sequence[CalibrationBin]) -> Reliability:
    """Return the reliability diagram of some bins of scores.

    What is beyond the ends of an axis is at its end: where no fraud was observed, at the bottom.
    """
    most = max(each.charges for each in bins)
    dots = [
        Dot(
            round(LEFT + _along(each.predicted), 1),
            round(SIDE - _along(each.observed), 1),
            round(3.0 + 6.0 * log1p(each.charges) / log1p(most), 1),
            each.frauds == 0.0,
            f"predicted {each.predicted:.2%}, observed {each.observed:.2%}",
        )
        for each in bins
    ]
    return Reliability(dots, [(_along(share), f"{100.0 * share:g}%") for share in _SHARES])


def _along(share: float) -> float:
    """Return how far along its axis a share is."""
    if not 0.0 < share < 1.0:
        return SIDE * share
    place = (log(share / (1.0 - share)) - _LOW) / (_HIGH - _LOW)
    return round(SIDE * min(max(place, 0.0), 1.0), 1)
