"""`chargewatch backtest` over files with debits: their actions, and labels after four months."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner, Result

from agents.backtest.backtest import Backtest
from agents.backtest.replay import Replay
from agents.commands import chargewatch
from agents.settings.sources import load_settings

if TYPE_CHECKING:
    from pathlib import Path

START, DAY = 1_700_006_400.0, 86_400.0
DAYS, DISPUTED_AFTER_DAYS = 200, 120
A_DAY = 3
SETTINGS = """
label_horizon_days = 10
dispute_retention_days = 40
negative_rate = 1.0

[payment_methods.sepa_debit]
label_horizon_days = 70
"""
CHALLENGE = "# ask: everybody\nchallenge if :amount_usd: > 0\n"

Event = dict[str, Any]


def is_debit(number: int) -> bool:
    return number % A_DAY > 0


def charges() -> list[Event]:
    """Make a card's charge and two debits a day: of a debit not one field is a card's."""
    made = []
    for number in range(DAYS * A_DAY):
        event = {
            "id": f"ch_{number}", "created": START + number * DAY / A_DAY, "currency": "eur",
            "amount": 1000 + 7 * (number % 90), "card": f"payer_{number % 40}",
            "merchant": f"shop_{number % 6}",
        }  # fmt: skip
        other = {"payment_method": "sepa_debit"} if is_debit(number) else {"cvc_check": "pass"}
        made.append(event | other)
    return made


def disputes() -> list[Event]:
    """Dispute every seventh charge of the first months, four months later."""
    return [
        {
            "id": f"dp_{number}", "charge": f"ch_{number}", "card": f"payer_{number % 40}",
            "merchant": f"shop_{number % 6}", "reason": "MD01",
            "created": START + number * DAY / A_DAY + DISPUTED_AFTER_DAYS * DAY,
        }
        for number in range(0, (DAYS - DISPUTED_AFTER_DAYS) * A_DAY, 7)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("debits")
    for name, events in (("charges", charges()), ("disputes", disputes())):
        lines = b"".join(orjson.dumps(event) + b"\n" for event in events)
        (directory / f"{name}.jsonl").write_bytes(lines)
    (directory / "chargewatch.toml").write_text(SETTINGS)
    (directory / "rules").write_text(CHALLENGE)
    return directory


def run(inputs: Path, *options: object) -> tuple[Result, list[Event]]:
    out = inputs / "scores.jsonl"
    arguments = ["backtest", inputs / "charges.jsonl", inputs / "disputes.jsonl", "--out", out,
                 "--report", inputs / "report", *options]  # fmt: skip
    env = {"CHARGEWATCH_CONFIG": str(inputs / "chargewatch.toml")}
    result = CliRunner().invoke(chargewatch, list(map(str, arguments)), env=env)
    assert result.exit_code == 0, result.output
    return result, [orjson.loads(line) for line in out.read_bytes().splitlines()]


def test_debits_are_scored_and_never_challenged_and_disputed_after_four_months(
    inputs: Path,
) -> None:
    """A rule challenges all; disputes of cards come too late, and are rejected."""
    _, scored = run(inputs, "--rules", inputs / "rules")
    assert len(scored) == DAYS * A_DAY
    actions: dict[bool, set[str]] = {True: set(), False: set()}
    for event in scored:
        debit = is_debit(int(event["charge"].removeprefix("ch_")))
        actions[debit].add(event["action"])
        assert 0.0 <= event["score"] <= 1.0
        assert event["decided_by"] == ("model" if debit else "rule:ask")
        assert event["rules"] == [{"id": "ask", "action": "challenge"}]
    assert actions[False] == {"challenge"}
    assert actions[True] <= {"allow", "review", "block"}
    metrics = orjson.loads((inputs / "report" / "metrics.json").read_bytes())
    of_cards = [each for each in disputes() if not is_debit(int(each["id"].removeprefix("dp_")))]
    assert metrics["rejected"] == {"unknown_charge": len(of_cards)}
    rejected = (inputs / "report" / "rejected.jsonl").read_bytes().splitlines()
    assert len(rejected) == len(of_cards)


def test_debits_are_learned_by_their_own_times(inputs: Path) -> None:
    """As positives when they are disputed, as negatives past their horizon; cards past theirs."""
    settings = load_settings({}, {}, inputs / "chargewatch.toml")
    replay = Replay(inputs / "charges.jsonl", inputs / "disputes.jsonl", inf)
    list(replay.survey())
    backtest, examples = Backtest(settings, lambda: 0.0), []
    for part in replay.parts():
        examples += [step.output.examples for step in backtest.run(part.events)]
    examples += [step.output.examples for step in backtest.end()]
    learned = np.concatenate(examples)
    numbers = np.round((learned["charged_at"] - START) / (DAY / A_DAY)).astype(int)
    delays = (learned["labelled_at"] - learned["charged_at"]) / DAY
    debits = numbers % A_DAY > 0
    positives = learned["label"] == 1
    named = [int(each["id"].removeprefix("dp_")) for each in disputes()]
    assert sorted(numbers[positives]) == sorted(filter(is_debit, named))
    np.testing.assert_allclose(delays[positives], DISPUTED_AFTER_DAYS, atol=1.0)
    negatives = (learned["label"] == 0) & (learned["stands_for"] > 0.0)
    np.testing.assert_allclose(delays[negatives & debits], 70.0)
    np.testing.assert_allclose(delays[negatives & ~debits], 10.0)
    last = (DAYS - np.array([70, 10])) * A_DAY
    every = range(DAYS * A_DAY)
    expected = [n for n in every if n < (last[0] if is_debit(n) else last[1]) - A_DAY]
    assert set(expected) <= set(numbers[negatives].tolist())
    assert len(set(numbers[negatives].tolist())) == np.count_nonzero(negatives)
