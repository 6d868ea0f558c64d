"""The kinds of models by the means of river and LightGBM themselves, to compare with."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from river.compose import FuncTransformer
from river.forest import ARFClassifier
from river.linear_model import LogisticRegression
from river.optim import SGD, AdaGrad
from river.optim.base import Optimizer
from river.preprocessing import StandardScaler
from river.utils import VectorDict

from agents.models import additive, blend, linear, stack
from agents.models.boosted import model as boosted
from agents.models.forest import model as forest
from agents.models.linear import LEARNING_RATE
from tests.agents.models.boosting import boosters

if TYPE_CHECKING:
    from collections.abc import Callable


def limited(row: dict[str, float]) -> dict[str, float]:
    """Return the standardised row within 20 deviations."""
    return {name: min(20.0, max(-20.0, value)) for name, value in row.items()}


def river_linear() -> Any:
    """Make river's own linear model."""
    return (
        StandardScaler()
        | FuncTransformer(limited)
        | LogisticRegression(
            SGD(LEARNING_RATE), intercept_init=-math.log(40.0), intercept_lr=LEARNING_RATE
        )
    )


class RiverAdditive:
    """The additive model of river's parts, with the averages of its weights."""

    def __init__(self) -> None:
        scaled = StandardScaler() | FuncTransformer(limited)
        self._model = (scaled + FuncTransformer(in_cells)) | LogisticRegression(
            SlopesAndCells(), intercept_init=-math.log(40.0), intercept_lr=0.0
        )
        self._averages: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def learn_one(self, row: dict[str, float], label: bool, w: float) -> None:
        self._model.learn_one(row, label, w=w)
        learned = row.keys() | {name for name, share in in_cells(row).items() if share > 0.0}
        self._counts.update(learned)
        for name in learned - {"intercept"}:
            share = max(1e-4, 1.0 / (1.0 + self._counts[name] / 10.0))
            weight = self._model["LogisticRegression"].weights[name]
            self._averages[name] += share * (weight - self._averages[name])

    def predict_proba_one(self, row: dict[str, float]) -> dict[bool, float]:
        regression = self._model["LogisticRegression"]
        learned = regression._weights
        regression._weights = VectorDict(learned.to_dict() | self._averages)
        probabilities: dict[bool, float] = self._model.predict_proba_one(row)
        regression._weights = learned
        return probabilities


class RiverForest:
    """River's adaptive random forest, of a fourth of the controls, as sure as may be."""

    def __init__(self) -> None:
        self._model = ARFClassifier(
            n_models=forest.TREES,
            leaf_prediction="mc",
            disable_weighted_vote=True,
            seed=1,
        )
        self._controls = 0

    def learn_one(self, row: dict[str, float], label: bool, w: float) -> None:
        assert w > 0.0
        self._controls += not label
        if label or self._controls % 4 == 0:
            self._model.learn_one(row, label)

    def predict_proba_one(self, row: dict[str, float]) -> dict[bool, float]:
        share = self._model.predict_proba_one(row).get(True, 0.0)
        return {True: min(1.0 - 1e-5, max(1e-5, share))}


class RiverStack:
    """River's logistic regression on what the two others said before they learned an example."""

    def __init__(self) -> None:
        self._parts: tuple[Any, Any] = RiverAdditive(), RiverForest()
        self._second: Any = LogisticRegression(
            SGD(stack.LEARNING_RATE), intercept_lr=stack.LEARNING_RATE
        )
        self._second._weights = VectorDict({0: 1.0, 1: 0.0})

    def learn_one(self, row: dict[str, float], label: bool, w: float) -> None:
        before = self._log_odds(row)
        for part in self._parts:
            part.learn_one(row, label, w)
        self._second.learn_one(before, label, w)

    def predict_proba_one(self, row: dict[str, float]) -> dict[bool, float]:
        probabilities: dict[bool, float] = self._second.predict_proba_one(self._log_odds(row))
        return probabilities

    def _log_odds(self, row: dict[str, float]) -> dict[int, float]:
        given = [part.predict_proba_one(row)[True] for part in self._parts]
        return {number: math.log(p / (1.0 - p)) for number, p in enumerate(given)}


def in_cells(row: dict[str, float]) -> dict[str, float]:
    """Share a transformed row among its cells, tenths and whole ones, and an intercept."""
    cells = {"intercept": 1.0}
    for name, value in row.items():
        if name not in {"shop", "signal:missing"}:
            cells |= shares(f"{name} in tenth", value / 0.1, -64, 191)
            cells |= shares(f"{name} in", value / 1.0, -8, 23)
    return cells


def shares(name: str, value: float, first: int, last: int) -> dict[str, float]:
    """Share a value between the two cells whose middles are next to it."""
    place = min(last + 0.5, max(first + 0.5, value)) - 0.5
    low = math.floor(place)
    return {f"{name} {low}": 1.0 - (place - low), f"{name} {low + 1}": place - low}


class SlopesAndCells(Optimizer):
    """Plain gradient descent for slopes, AdaGrad for cells."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._slopes, self._cells = SGD(0.004), AdaGrad(0.05, eps=1.0)

    def _step_with_dict(self, w: Any, g: Any) -> Any:
        cells = {name: by for name, by in g.items() if " in " in name or name == "intercept"}
        w = self._slopes.step(w, {name: by for name, by in g.items() if name not in cells})
        return self._cells.step(w, cells)


class LightGBMs:
    """LightGBM's own trees, which learn nothing."""

    def learn_one(self, row: dict[str, float], label: bool, w: float) -> None:
        pass

    def predict_proba_one(self, row: dict[str, float]) -> dict[bool, float]:
        return {True: 1.0 / (1.0 + math.exp(-boosters().log_odds(row)))}


class RiverBlend(RiverStack):
    """River's logistic regression on the additive model and LightGBM's own trees."""

    def __init__(self) -> None:
        super().__init__()
        self._parts = RiverAdditive(), LightGBMs()
        self._second._weights = VectorDict({0: 0.5, 1: 0.5})


RIVER: dict[str, Callable[[], Any]] = {
    linear.KIND: river_linear,
    additive.KIND: RiverAdditive,
    forest.KIND: RiverForest,
    stack.KIND: RiverStack,
    boosted.KIND: LightGBMs,
    blend.KIND: RiverBlend,
}
"""How each kind is made."""
