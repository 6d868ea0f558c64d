"""An installation that has been used for weeks: simulated charges, scored and acted on for real."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import orjson

from agents.backtest.closed_loop import ClosedLoop
from agents.backtest.replay import Replay
from agents.settings.schema import Settings
from agents.terminal.rule_files import active_rules
from schemas.rejected import ERROR
from streams.durations import DAY_S, HOUR_S
from streams.events.files import event_writer
from streams.kafka.editor import Written
from streams.simulator import Simulation
from tests.agents.web.console.installation import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from agents.backtest.backtest import Step
    from tests.agents.web.console.installation import Installation

DAYS, SHOWN_DAYS = 45, 21
UNDECIDED_S = 30 * HOUR_S
"""How long reviews have waited by now."""

RULES = """# abroad: A large amount where the card is not at home
review if :card_country: != :ip_country: and :amount_usd: > 300

# tried: Card numbers tried one after the other
block if :card_failed_checks_24h: > 2 and :amount_usd: < 20

# quick: A card in a hurry
shadow challenge if :card_count_1h: > 4
"""

_AT_A_TIME = 5000


def live(installation: Installation, directory: Path) -> None:
    """Put what three weeks have brought into a console, up to now."""
    now = time.time()
    start = now - DAYS * DAY_S
    simulation = Simulation(
        seed=11, cards=2000, merchants=120, start=start, days=DAYS, charges_per_day=2000,
        malformed_share=0.001,
    )  # fmt: skip
    files = {name: directory / f"{name}.jsonl" for name in ("charges", "disputes")}
    with event_writer(files["charges"]) as charges, event_writer(files["disputes"]) as disputes:
        writers = {"charges": charges, "disputes": disputes}
        for event in simulation.events():
            if event.publish_time <= now:
                writers[event.topic].write([orjson.dumps(event.value)])
    rules = directory / "rules.txt"
    rules.write_text(RULES, encoding="utf-8")
    replay = Replay(files["charges"], files["disputes"], now)
    for _ in replay.survey():
        pass
    settings = Settings(label_horizon_days=14.0)
    loop = ClosedLoop(settings, time.time, replay.frauds(), active_rules("*", rules))
    scored: list[bytes] = []

    def take(steps: Iterable[Step]) -> None:
        for step in steps:
            scored.extend(step.output.scored)
            installation.matched.add(step.output.matured)

    for part in replay.parts():
        take(loop.run(part.events))
        for number, rejected in enumerate(part.rejected):
            record = Written(NAMES.rejected, rejected.key or b"", rejected.value)
            place = [("topic", b"charges"), ("partition", b"0"), ("offset", b"%d" % number)]
            installation.put([record], [(ERROR, rejected.reason.encode()), *place])
    take(loop.end())
    outcomes, came = loop.taken()
    since = now - SHOWN_DAYS * DAY_S
    _put(installation, NAMES.charges, files["charges"].read_bytes().splitlines(), since, now)
    took_s = np.random.default_rng(11).lognormal(np.log(0.06), 0.4, len(scored))
    _put(installation, NAMES.scored, scored, since, now, took_s)
    _put(installation, NAMES.disputes, came, since, now)
    decided = [each for each in outcomes if not _is_open(each, now)]
    _put(installation, NAMES.outcomes, decided, since, now)


def _is_open(outcome: bytes, now: float) -> bool:
    """Return whether it is a verdict that nobody has given yet."""
    told = orjson.loads(outcome)
    return bool(told["outcome"].startswith("review_") and told["created"] > now - UNDECIDED_S)


def _put(
    installation: Installation,
    topic: str,
    payloads: list[bytes],
    since: float,
    now: float,
    took_s: NDArray[np.float64] | float = 0.0,
) -> None:
    """Put events on their topic, so long after their time."""
    events = [(orjson.loads(payload), payload) for payload in payloads]
    times = np.array([_time_of(event) for event, _ in events])
    shown = (since <= times) & (times <= now)
    records = [
        Written(topic, str(event["card"]).encode(), payload)
        for (event, payload), is_shown in zip(events, shown, strict=True)
        if is_shown
    ]
    written_at = (times + took_s)[shown].tolist()
    for first in range(0, len(records), _AT_A_TIME):
        part = slice(first, first + _AT_A_TIME)
        installation.put(records[part], None, written_at[part])


def _time_of(event: dict[str, object]) -> float:
    """Return when an event was made; of what is damaged, never."""
    created = event.get("created")
    return float(created) if isinstance(created, int | float) and "card" in event else np.inf
