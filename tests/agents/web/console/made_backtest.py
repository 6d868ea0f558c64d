"""A history in files, on which the console tries rules where there is no Kafka."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import orjson

from agents.backtest.rules_trial import Standing, try_rules
from agents.evaluation.rejections import Rejections
from agents.evaluation.trial.trial import OnTrial
from agents.rules.rule_set import parse
from agents.stages.tasks import bare_policy
from agents.terminal.mapped_files import plain_sources
from schemas.edits import EVERYONE
from streams.durations import DAY_S
from streams.events.files import FileError, write_events
from streams.simulator import Simulation

if TYPE_CHECKING:
    from pathlib import Path

    from agents.backtest.runs import Show
    from agents.settings.schema import Settings

START = 1_700_006_400.0  # 2023-11-15
DAYS = 8
NOW = "# big:\nblock if :amount_usd: > 300\n"
KINDS = ("charges", "disputes", "outcomes")


def write_history(directory: Path, seed: int = 8) -> list[Path]:
    """Write charges of eight days with their disputes, and outcomes of some."""
    simulation = Simulation(
        seed=seed, cards=80, merchants=15, start=START, days=DAYS, charges_per_day=150,
        fraud_rate=0.08, dispute_delay_scale=0.05, duplicate_share=0.02,
    )  # fmt: skip
    lines: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for event in simulation.events():
        value: dict[str, Any] = dict(event.value)
        if value["created"] < START + DAYS * DAY_S:
            lines[event.topic].append(value)
    for number, charge in enumerate(lines["charges"][::10]):
        about = {name: charge[name] for name in ("card", "merchant")}
        lines["outcomes"].append(
            {"id": f"o{number}", "charge": charge["id"], "created": charge["created"] + 60.0}
            | about
            | {"outcome": "declined"}
        )
    files = [directory / f"{kind}.jsonl" for kind in KINDS]
    for file, events in zip(files, lines.values(), strict=True):
        write_events(file, list(map(orjson.dumps, events)))
    return files


def try_on_files(
    directory: Path, settings: Settings, merchant: str, text: str, start: float, show: Show
) -> dict[str, Any]:
    """Do as `agents.commands.retained_trial.try_on_topics`, with `NOW` in force for all."""
    files = {kind: directory / f"{kind}.jsonl" for kind in KINDS}
    if not files["charges"].exists():
        raise FileError("topic charges: holds no charges to try rules on; wait until they come")
    standing = Standing(bare_policy(settings), {}).with_rules(EVERYONE, parse(NOW))
    on_trial, period = OnTrial(merchant, parse(text)), (start, inf)
    sources = plain_sources(files)  # type: ignore[arg-type]
    told = try_rules(settings, sources, standing, on_trial, period, Rejections(None), show)
    return told | {"in_force": standing.version(merchant)}
