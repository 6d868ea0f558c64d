"""Models in the console: how well their scores are calibrated, and the decisions about them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from agents.learning.learner import LearnerStage
from agents.models.calibration import FIRST_KNOT, KNOT_STEP, KNOTS
from agents.models.prequential import Prequential
from schemas.control import CHAMPION_KEY, decode_champion
from schemas.snapshot import Snapshot, encode_snapshot
from streams.kafka.editor import Written
from streams.wire.matured import FRAUD, GENUINE, MATURED_CHARGE, UNSEEN
from tests.agents.learning.feeds import examples
from tests.agents.web.console.browser import Browser
from tests.agents.web.console.installation import NAMES

if TYPE_CHECKING:
    from tests.agents.web.console.installation import Installation


AS_IT_IS = np.array([FIRST_KNOT + KNOT_STEP * knot for knot in range(KNOTS)])
"""The curve that calibrates nothing."""


def snapshot(kind: str, genuine: int, frauds: int) -> Snapshot:
    """Return a model that has given log-odds of 0.05 to so many charges before it learned them."""
    stage = LearnerStage(None, 10_000, kind)
    stage.learn(examples(20, 5), range(20))
    prequential = Prequential()
    for number in range(genuine + frauds):
        prequential.observe(0.05, number < frauds, 1.0, lambda: AS_IT_IS)
    made = stage.snapshot()
    experience = made.state["experience"] | {"prequential": prequential.state()}
    return replace(made, state=made.state | {"experience": experience})


def put_models(installation: Installation) -> None:
    for made in (snapshot("additive", 30, 10), snapshot("linear", 0, 0)):
        installation.put([Written(NAMES.models, made.name.encode(), encode_snapshot(made))])


def sections(text: str) -> dict[str, str]:
    """Return what is told under each heading."""
    parts = re.split(r'<h3 id="[^"]*">([^<]*)</h3>', text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cells(text: str) -> list[str]:
    return re.findall(r"<td[^>]*>([^<]*)</td>", text)


def test_calibration_of_told_scores_and_of_each_model(installation: Installation) -> None:
    async def play() -> None:
        vic = Browser(installation.app())
        await vic.sign_in("vic")
        assert "/models/calibration" in (await vic.get("/models")).text
        empty = sections((await vic.get("/models/calibration")).text)
        assert "No charge has matured yet" in empty["Scores as they were told"]
        put_models(installation)
        rows = np.zeros(10, MATURED_CHARGE)
        rows["score"], rows["counts"], rows["created"] = 0.4, 1.0, 1.75e9
        rows["propensity"] = [1.0] * 6 + [0.25] * 4
        rows["seen"] = [GENUINE] * 6 + [FRAUD] + [UNSEEN] * 3
        installation.matched.add(rows)
        found = sections((await vic.get("/models/calibration")).text)
        assert list(found) == ["Scores as they were told", "additive", "linear"]
        told = found["Scores as they were told"]
        assert cells(told) == ["40.00%", "40.00%", "10", "4"], "one that was drawn counts for four"
        assert "10 charges; expected calibration error 0.000 percentage points" in told
        assert cells(found["additive"]) == ["51.25%", "25.00%", "40", "10"]
        assert "error 26.250 percentage points" in found["additive"]
        assert "It has scored nothing yet" in found["linear"]
        assert "<svg" in found["additive"]
        assert "<svg" not in found["linear"]

    asyncio.run(play())


def test_who_scores_is_decided_and_undone(installation: Installation) -> None:
    async def play() -> None:
        put_models(installation)
        mia = Browser(installation.app())
        await mia.sign_in("mia")
        for fields, name, is_frozen in (
            ({"decision": "promote", "model": "linear"}, "linear", False),
            ({"decision": "freeze"}, "linear", True),
            ({"decision": "unfreeze"}, "linear", False),
            ({"decision": "rollback"}, "additive", True),
        ):
            assert (await mia.post("/models", **fields)).status == 303
            audited, decided = installation.written[-1]
            assert (audited.topic, decided.topic, decided.key) == (
                NAMES.audit, NAMES.models, CHAMPION_KEY,
            )  # fmt: skip
            champion = decode_champion(decided.value or b"")
            assert (champion.name, champion.frozen is not None) == (name, is_frozen)
            assert f"{name} scores" in (await mia.get("/models")).text
        written = len(installation.written)
        assert (await mia.post("/models", decision="promote", model="nobody")).status == 409
        assert len(installation.written) == written

    asyncio.run(play())
