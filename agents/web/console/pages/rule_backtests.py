"""Backtests of rules: asked for beside the editor or a proposal, watched, cancelled, read."""

from __future__ import annotations

from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agents.evaluation.trial import wording
from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import parse
from agents.web.console.app import Page
from agents.web.console.backtests import Asked
from agents.web.console.rule_texts import merchant_named, sent_text
from agents.web.problems import Problem
from streams.durations import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

    from agents.evaluation.formatting import Headline
    from agents.evaluation.trial.wording import Listing
    from agents.web.console.backtests import Backtests, Trying
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit

SPANS: Final = {
    "0": "all charges that the topics hold",
    "90": "charges of the last 90 days",
    "30": "charges of the last 30 days",
    "7": "charges of the last 7 days",
}
"""Which charges may count: by the days that they are of, the latest."""

_PAIRS: Final = 20


class Report(NamedTuple):
    """What a backtest has told, in words.

    Attributes
    ----------
    told
        As figures.
    headlines, warnings
        What matters most, and what the figures leave out.
    main, more
        Tables.
    never_decide
        Why rules decide nothing.
    matured_until
        Charges before that are known, Unix seconds.
    """

    told: Mapping[str, Any]
    headlines: Sequence[Headline]
    warnings: Sequence[str]
    main: Sequence[Listing]
    more: Sequence[Listing]
    never_decide: Sequence[str]
    matured_until: float

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Report:
        """Word what a backtest has told."""
        main = [wording.action_listing(told), wording.transition_listing(told)]
        if told["rules"]:
            main += [
                wording.match_listing(told, has_conditions=True),
                wording.decision_listing(told),
            ]
        more = [wording.overlap_listing(told, _PAIRS)] if told["overlaps"] else []
        more += [wording.sweep_listing(sweep) for sweep in told["sweeps"]]
        return cls(
            told,
            wording.headlines(told),
            [*told["objections"], *wording.warnings(told)],
            main,
            more,
            [wording.never_decides(row) for row in told["never_decide"]],
            (told["newest"] or 0.0) - told["label_horizon_days"] * DAY_S,
        )


class RuleBacktestPages:
    """The parts of pages that are about a backtest."""

    def __init__(self, templates: Templates, backtests: Backtests) -> None:
        self._templates = templates
        self._backtests = backtests

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/rules/backtest", self.show, "manager")
        yield Page("POST", "/rules/backtest", self.begin, "manager")
        yield Page("POST", "/rules/backtest/cancel", self.cancel, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show how far it is, or what came of it."""
        return self._part(visit)

    async def begin(self, visit: Visit) -> Response:
        """Begin one, unless its rules have mistakes or another one runs."""
        merchant, text = merchant_named(visit.field("merchant")), sent_text(visit)
        days, at = visit.field("days"), visit.signature().at
        if days not in SPANS:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"days: expected {', '.join(SPANS)}")
        try:
            parse(text)
        except RuleErrors as error:
            return self._part(visit, mistakes=error.mistakes)
        count = int(days)
        asked = Asked(merchant, text, count, at - count * DAY_S if count else -inf, at)
        try:
            self._backtests.begin(visit.user.name, asked)
        except Problem as problem:
            return self._part(visit, refused=str(problem))
        return self._part(visit)

    async def cancel(self, visit: Visit) -> Response:
        """End it before it is done."""
        self._backtests.cancel(visit.user.name)
        return self._part(visit)

    def _part(
        self, visit: Visit, *, refused: str = "", mistakes: Sequence[object] = ()
    ) -> Response:
        trying = self._backtests.of(visit.user.name)
        return self._templates.part(
            visit,
            "rules_backtest.html",
            backtest=shown(trying, trying.asked.merchant if trying else ""),
            refused=refused,
            mistakes=mistakes,
        )


class Shown(NamedTuple):
    """A backtest as a page shows it: the report once it is done."""

    trying: Trying
    span: str
    report: Report | None


def shown(trying: Trying | None, merchant: str) -> Shown | None:
    """Return a backtest as it is shown at the rules of a merchant: one that is over if of them."""
    if trying is None or (trying.state != "running" and trying.asked.merchant != merchant):
        return None
    report = Report.of(trying.told) if trying.state == "done" else None
    return Shown(trying, SPANS[str(trying.asked.days)], report)
