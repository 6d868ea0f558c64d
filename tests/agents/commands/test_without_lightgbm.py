"""Without LightGBM: what asks for boosted trees says so in one line, and all else works."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agents.commands import chargewatch
from agents.models.kinds import KINDS, scorer
from schemas.snapshot import decode_snapshot, encode_snapshot
from tests.agents.models.boosting import fresh_learner
from tests.agents.models.examples import FEATURES, random_examples

if TYPE_CHECKING:
    from pathlib import Path

BOOSTED = [kind for kind, of in KINDS.items() if of.is_boosted]
CHARGE = b'{"id": "1", "created": 1700000000, "amount": 1, "currency": "usd", "card": "a", '


@pytest.fixture
def no_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)


def says_what_to_install(output: str) -> bool:
    lines = output.strip().splitlines()
    return len(lines) == 1 and lines[0].endswith("pip install '.[boosted]'")


@pytest.mark.usefixtures("no_lightgbm")
@pytest.mark.parametrize("kind", BOOSTED)
def test_who_asks_for_boosted_trees_is_told_what_to_install(kind: str, tmp_path: Path) -> None:
    charges = tmp_path / "charges.jsonl"
    charges.write_bytes(CHARGE + b'"merchant": "b"}\n')
    backtest = ["backtest", str(charges), "--out", str(tmp_path / "scored.jsonl")]
    for arguments in ([*backtest, "--model", kind], ["worker", "--challengers", kind]):
        result = CliRunner().invoke(chargewatch, arguments)
        assert result.exit_code == 1
        assert says_what_to_install(result.output), result.output
    result = CliRunner().invoke(chargewatch, backtest)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("kind", BOOSTED)
def test_published_trees_score_as_they_do_with_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = random_examples(70, 3000)
    learner = fresh_learner(kind)
    examples.learn(learner)
    payload = encode_snapshot(learner.snapshot(0))
    expected = scorer(decode_snapshot(payload), FEATURES)
    probabilities = expected.predict(examples.vectors)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    found = scorer(decode_snapshot(payload), FEATURES)
    assert found.version == learner.version
    assert found.predict(examples.vectors).tobytes() == probabilities.tobytes()
