"""The models: who scores, how well each of them has scored, and the decisions about them."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.evaluation.metrics import calibration_error
from agents.evaluation.score_calibration import prequential_bins
from agents.learning import promotion
from agents.learning.model_table import MODEL_HEADS, entries, former, model_rows
from agents.learning.promotion import DecisionError
from agents.models.track_record import score_counts_of
from agents.web.console.access.user_topic import audited
from agents.web.console.app import Page
from agents.web.console.pages.rules import DAYS
from agents.web.console.plots import reliability
from agents.web.console.visit import see
from agents.web.problems import Problem
from schemas.control import CHAMPION_KEY, encode_control
from streams.kafka.editor import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from starlette.responses import Response

    from agents.evaluation.metrics import CalibrationBin
    from agents.learning.model_registry import ModelBook
    from agents.terminal.matured_charges import MaturedTopic
    from agents.terminal.model_topic import ModelTopic
    from agents.web.console.link import Log
    from agents.web.console.plots import Reliability
    from agents.web.console.recorder import Recorder
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from schemas.control import Champion
    from streams.kafka.topics import Topics

_DECISIONS: Final[Mapping[str, Callable[[ModelBook], Champion]]] = {
    "rollback": promotion.roll_back,
    "freeze": promotion.freeze,
    "unfreeze": promotion.unfreeze,
}


class Calibrated(NamedTuple):
    """What scores predicted, and what was observed, by bins of the score.

    Attributes
    ----------
    whose
        Who gave them: the name of a model, or empty where it was whoever was the champion.
    bins, charges, error
        The bins, how many charges are in them, and the expected calibration error.
    picture
        Of the bins; all but `whose` is empty without charges.
    """

    whose: str
    bins: Sequence[CalibrationBin]
    charges: float
    error: float | None
    picture: Reliability | None


class ModelPages:
    """The pages of models.

    Parameters
    ----------
    templates
        Of the console.
    models
        The topic of models.
    matured
        Has what became of the scores that were told, of `DAYS`.
    recorder, names
        Write decisions.
    log
        Has what has drifted.
    """

    def __init__(
        self,
        templates: Templates,
        models: Turns[ModelTopic],
        matured: Turns[MaturedTopic],
        recorder: Recorder,
        names: Topics,
        log: Log,
    ) -> None:
        self._templates = templates
        self._models = models
        self._matured = matured
        self._recorder = recorder
        self._names = names
        self._log = log

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/models", self.show, "viewer")
        yield Page("GET", "/models/calibration", self.calibration, "viewer")
        yield Page("POST", "/models", self.decide, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show the models, and what has drifted."""
        rows, before, is_frozen = await self._models.run(lambda topic: _look(topic.book()))
        return self._templates.render(
            visit,
            "models.html",
            heads=MODEL_HEADS,
            rows=rows,
            former=before,
            is_frozen=is_frozen,
            drifts=sorted(self._log.drifts, key=lambda each: -each.at),
        )

    async def calibration(self, visit: Visit) -> Response:
        """Tell how well the scores that were told, and those of each model, are calibrated."""
        told = await self._matured.run(lambda topic: topic.told_scores())
        of_models = await self._models.run(lambda topic: _calibrated(topic.book()))
        return self._templates.part(
            visit, "models_calibration.html", told=_of_bins("", told), models=of_models, days=DAYS
        )

    async def decide(self, visit: Visit) -> Response:
        """Promote a challenger, roll back, freeze or unfreeze."""
        what, name = visit.field("decision"), visit.field("model")
        decide: Callable[[ModelBook], Champion]
        if what == "promote":
            told, decide = f"{what} {name}", partial(promotion.promote, name=name)
        elif what in _DECISIONS:
            told, decide = what, _DECISIONS[what]
        else:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "decision: there is no such")
        try:
            champion = await self._models.run(lambda topic: decide(topic.book()))
        except DecisionError as error:
            raise Problem(HTTPStatus.CONFLICT, str(error)) from None
        signed = visit.signature(visit.field("note"))
        await self._recorder.write(
            [
                audited("model_decision", signed, told, self._names),
                Written(self._names.models, CHAMPION_KEY, encode_control(champion)),
            ]
        )
        visit.tell(f"{champion.name} scores{', frozen' if champion.frozen else ''}.")
        return see("/models")


def _look(book: ModelBook) -> tuple[list[tuple[str, ...]], str | None, bool]:
    """Return the models, whether each can be promoted, and what a rollback would bring back."""
    rows = [
        (*row, "" if entry.role != "challenger" or entry.snapshot is None else entry.name)
        for row, entry in zip(model_rows(book), entries(book), strict=True)
    ]
    return rows, former(book), book.champion.frozen is not None


def _calibrated(book: ModelBook) -> list[Calibrated]:
    """Return the calibration of the newest snapshot of each model, the champion's first."""
    names = dict.fromkeys(entry.name for entry in entries(book))
    return [_of_bins(name, _prequential_bins(book, name)) for name in names]


def _prequential_bins(book: ModelBook, name: str) -> Sequence[CalibrationBin]:
    snapshot = book.newest(name)
    if snapshot is None:
        return ()
    try:
        return prequential_bins(score_counts_of(snapshot))
    except KeyError:  # published by a version that did not count them
        return ()


def _of_bins(whose: str, bins: Sequence[CalibrationBin]) -> Calibrated:
    return Calibrated(
        whose,
        bins,
        sum(each.charges for each in bins),
        calibration_error(bins),
        reliability(bins) if bins else None,
    )
