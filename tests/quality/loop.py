"""The closed loop by the share of the holdout, with and without reviews, and beside other ways."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec.structs import replace as with_settings

from agents.backtest.backtest import Backtest
from agents.backtest.closed_loop import ClosedLoop
from agents.evaluation.report.drawing import ACCENT, FRAUD, GENUINE, PERCENT, drawing
from tests.quality.closed_loop import (
    CLEAN_DAYS,
    Blind,
    Weekly,
    closed_loop,
    days_until_let_go,
    open_loop,
    side,
)
from tests.quality.findings import Findings, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.settings.schema import Settings
    from tests.quality.closed_loop import Events, Played

HOLDOUT_SHARES = (0.0, 0.005, 0.02, 0.05, 0.1)
LET_GO_SHARE = 0.05
"""A merchant is let go when less of a day's charges is stopped."""

_COLUMNS = (
    "", "AP", "lowest 30 days", "ECE, pp", "frauds stopped", "blocked", "precision of blocks",
    "saved, $", "held out", "holdout, $", "of what is saved", "let go after, days",
)  # fmt: skip
_COLOURS = {True: ACCENT, False: FRAUD}
_REVIEWS = {True: "with reviews", False: "without reviews"}


class Found(NamedTuple):
    """A run: its measures, and how much is stopped on each day after a merchant is clean."""

    measures: Mapping[str, Any]
    let_go_days: int
    stopped_by_day: Sequence[float]


def loops(
    name: str, events: Events, settings: Settings, seed: int, say: Callable[[str], object]
) -> Findings:
    """Play all loops over the same events.

    Parameters
    ----------
    name
        Of the events.
    events
        What is scored, and what of it counts.
    settings
        Those of a worker.
    seed
        Of LightGBM.
    say
        Is told what is under way.
    """
    found: dict[str, Found] = {}
    opened: Played | None = None

    def take(title: str, played: Played) -> None:
        found[title] = Found(
            side(opened or played, played, settings),
            *days_until_let_go(played, lambda share: share < LET_GO_SHARE),
        )
        say(", ".join(_line(title, found[title])))

    say(f"{name}: nobody acts")
    opened = open_loop(Backtest(settings, lambda: 0.0), events)
    take("nobody acts", opened)
    by_share: dict[bool, list[Found]] = {True: [], False: []}
    for with_reviews, words in _REVIEWS.items():
        for share in HOLDOUT_SHARES:
            say(f"{name}: holdout of {share:g}, {words}")
            played = _with_holdout(settings, events, share, with_reviews=with_reviews)
            title = f"holdout of {100.0 * share:g}%, {words}"
            take(title, played)
            by_share[with_reviews].append(found[title])
    for title, play in _others(settings, events, seed).items():
        say(f"{name}: {title}")
        take(title, play())
    return Findings(
        "loop",
        (
            f"{name}: {len(opened.rows):,} charges that count, {opened.rows['fraud'].sum():,} of "
            f"them frauds; label horizon {settings.label_horizon_days:g} days; LightGBM of seed "
            f"{seed}.",
            "Frauds stopped: in expectation, by the rates of the cost table. Let go: the first day "
            f"after a burst of frauds on which less than {100.0 * LET_GO_SHARE:g}% of a merchant's "
            "charges is stopped, all such merchants together.",
        ),
        [_table(name, found)],
        {
            title: {**one.measures, "stopped_by_day": one.stopped_by_day}
            for title, one in found.items()
        },
        picture(found["nobody acts"].measures, by_share),
    )


def picture(opened: Mapping[str, Any], by_share: Mapping[bool, Sequence[Found]]) -> bytes:
    """Draw average precision, frauds stopped and money saved against the share, as an SVG."""
    panels = {"average_precision": "Average precision", "stopped": "Frauds stopped"}
    with drawing(10.4, 2.4, 2.0, 2.0) as plot:
        places = np.arange(len(HOLDOUT_SHARES))
        for axes, (measure, label) in zip(plot.axes, panels.items(), strict=False):
            axes.axhline(opened[measure], color=GENUINE, linestyle=":", label="nobody acts")
            for with_reviews, runs in by_share.items():
                values = [one.measures[measure] for one in runs]
                colour, words = _COLOURS[with_reviews], _REVIEWS[with_reviews]
                axes.plot(places, values, "o-", color=colour, markersize=5, label=words)
            axes.set(ylabel=label)
            axes.margins(y=0.6)  # runs differ by some thousandths: that is not to fill the panel
        costs = plot.axes[-1]
        for with_reviews, runs in by_share.items():
            values = [_cost_share(one.measures) for one in runs]
            costs.plot(places, values, "o-", color=_COLOURS[with_reviews], markersize=5)
        costs.set(ylabel="Cost of the holdout,\nof what is saved", xlabel="Share of the holdout")
        costs.yaxis.set_major_formatter(PERCENT)
        plot.axes[1].yaxis.set_major_formatter(PERCENT)
        costs.set_xticks(places, [f"{100.0 * share:g}%" for share in HOLDOUT_SHARES])
        plot.axes[0].legend(loc="lower right", ncols=3)
    return b64decode(plot.image.partition(",")[2])


def _with_holdout(
    settings: Settings, events: Events, share: float, *, with_reviews: bool
) -> Played:
    costs = settings.costs
    if not with_reviews:
        costs = replace(costs, review_capacity_share=0.0)
    settings = with_settings(settings, holdout_share=share, costs=costs)
    return closed_loop(ClosedLoop(settings, lambda: 0.0, events.frauds), events)


def _others(settings: Settings, events: Events, seed: int) -> dict[str, Callable[[], Played]]:
    """Return what the answer is compared with."""

    def boosted() -> Played:
        loop = ClosedLoop(settings, lambda: 0.0, events.frauds)
        loop.backtest = Weekly(settings, seed, actions="enforced")
        return closed_loop(loop, events)

    def blind_boosted() -> Played:
        loop = Blind(settings, events.frauds)
        loop.backtest = Weekly(settings, seed)
        return closed_loop(loop, events)

    return {
        "what is stopped is taken for genuine": lambda: closed_loop(
            Blind(settings, events.frauds), events
        ),
        "LightGBM weekly, nobody acts": lambda: open_loop(Weekly(settings, seed), events),
        "LightGBM weekly, labels as here": boosted,
        "LightGBM weekly, what is stopped is taken for genuine": blind_boosted,
    }


def _cost_share(measures: Mapping[str, Any]) -> float:
    saved: float = measures["saved"]
    return measures["holdout"]["cost"] / saved if saved > 0.0 else np.nan


def _table(name: str, found: Mapping[str, Found]) -> Table:
    return Table(name, _COLUMNS, [_line(title, one) for title, one in found.items()])


def _line(title: str, found: Found) -> list[str]:
    measures = found.measures
    blocks, holdout = measures["actions"]["block"], measures["holdout"]
    precision = blocks["precision"]
    days = found.let_go_days
    return [
        title,
        f"{measures['average_precision']:.3f}",
        f"{min(filter(None, measures['by_month']), default=np.nan):.3f}",
        f"{100.0 * measures['calibration_error']:.3f}",
        f"{100.0 * measures['stopped']:.1f}%",
        f"{100.0 * (blocks['recall'] or 0.0):.1f}%",
        "" if precision is None else f"{100.0 * precision:.1f}%",
        f"{measures['saved']:,.0f}",
        f"{holdout['charges']:,}",
        f"{holdout['cost']:,.0f}",
        f"{100.0 * _cost_share(measures):.2f}%",
        str(days) if days <= CLEAN_DAYS else f"over {CLEAN_DAYS}",
    ]
