"""Scores in shadow: told beside the champion's, which they leave as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

import schemas
from agents.models.prior import PriorScorer
from agents.stages.tasks import bare_policy
from streams.features.entities import FEATURES
from streams.simulator import Simulation
from tests.agents.stages.stages import SCORED_AT, Run, decode, simulated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from agents.models.protocols import Scorer
    from tests.agents.stages.stages import Message

SCHEMA = json.loads((Path(schemas.__file__).parent / "json/scored.schema.json").read_text())


class Amounts(PriorScorer):
    """Scores by the amount alone, so that a test can tell what the score must be."""

    def __init__(self, scale: float) -> None:
        super().__init__(FEATURES)
        self.scale = scale

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `Scorer.predict`."""
        column = [feature.name for feature in FEATURES].index("amount")
        return np.exp(-vectors[:, column].astype(np.float64) / self.scale)


@pytest.fixture(scope="module")
def stream() -> list[Message]:
    simulation = Simulation(
        seed=4, cards=50, merchants=10, days=1, charges_per_day=500, duplicate_share=0.05
    )
    return simulated(simulation)


def scored(stream: list[Message], shadow: Mapping[str, Scorer]) -> list[dict[str, Any]]:
    run = Run()
    batch = decode(stream)
    output = run._stages.merchant.process(
        run.count(batch),
        PriorScorer(FEATURES),
        bare_policy(run.settings),
        lambda: SCORED_AT,
        shadow,
    )
    return [json.loads(event) for event in output.scored]


def test_challengers_score_each_charge_beside_the_champion(stream: list[Message]) -> None:
    shadow = {"wide": Amounts(1000.0), "narrow": Amounts(10.0)}
    alone, beside = scored(stream, {}), scored(stream, shadow)
    assert any(event.get("duplicate") for event in beside)
    for event, without in zip(beside, alone, strict=True):
        jsonschema.validate(event, SCHEMA)
        scores = event.pop("shadow", None)
        assert event == without
        if event.get("duplicate"):
            assert scores is None, "a duplicate gets the answer of the first, and no more"
            continue
        if event["currency"] == "usd":
            amount = np.float32(event["amount"] / 100)
            assert scores == {
                "wide": pytest.approx(float(np.exp(-amount / 1000.0))),
                "narrow": pytest.approx(float(np.exp(-amount / 10.0))),
            }
        assert list(scores) == ["wide", "narrow"]


def test_without_challengers_there_is_no_shadow(stream: list[Message]) -> None:
    assert not any("shadow" in event for event in scored(stream, {}))
