"""How soon the pages of a console are there, whole, as a browser asks for them over HTTP.

A console of its own, as an operator runs it, with the read model that was built, with models, rules
and matured charges, and with charges that were scored a moment ago.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import numpy as np

from agents.policy.active_rules import rule_hash
from schemas.edits import EVERYONE
from schemas.snapshot import encode_snapshot
from streams.durations import DAY_S
from streams.kafka.installation import Installation
from streams.wire.matured import FRAUD, GENUINE, MATURED_LAYOUT, encode_matured
from tests.agents.web.console.test_models import snapshot
from tests.integration.person import Person
from tests.integration.test_console import PASSWORD, chargewatch, let_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.gateway import Gateway
    from tests.integration.kafka import Kafka

RULES = """# large: A large amount
shadow review if :amount_usd: > 300

# abroad:
shadow challenge if :card_country: != :ip_country:
"""
NAME: Final = "ann"
VERDICTS: Final = 30
REJECTED: Final = 1000
WHY: Final = (
    ("error", b"amount: expected an integer of at least 0, got none"),
    ("topic", b"charges"),
    ("partition", b"0"),
    ("offset", b"5"),
)


def put_what_else_there_is(kafka: Kafka, gateway: Gateway, charges: int, until: float) -> None:
    """Let somebody in; put rules, models, rejected inputs, and half as many matured charges."""
    let_in(gateway, NAME)
    rules = gateway.directory / "rules.txt"
    rules.write_text(RULES, encoding="utf-8")
    chargewatch(gateway, "rules", "put", str(rules))
    models = [snapshot("additive", 3000, 60), snapshot("linear", 3000, 60)]
    kafka.produce(
        gateway.topics.models, [(each.name.encode(), encode_snapshot(each)) for each in models]
    )
    rejected = [(0, b"card_1", b'{"id": "ch_%d"}' % number) for number in range(REJECTED)]
    kafka.publish(gateway.topics.rejected, rejected, headers=list(WHY))
    rng = np.random.default_rng(21)
    rows = MATURED_LAYOUT.new(charges // 2)
    rows["created"] = np.linspace(until - 60 * DAY_S, until - 30 * DAY_S, len(rows))
    rows["counts"], rows["propensity"] = 1.0, 1.0
    rows["score"] = rng.random(len(rows)) ** 8
    rows["seen"] = np.where(rng.random(len(rows)) < rows["score"], FRAUD, GENUINE)
    rows["rules"][:, 0] = (rng.random(len(rows)) < 0.05) * rule_hash(EVERYONE, "large")
    Installation(kafka.config, gateway.topics).hold_layouts([MATURED_LAYOUT])
    kafka.produce(gateway.topics.matured, [(b"", message) for message in encode_matured(rows)])


def addresses(charge: str, most: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of each page, and of each part that a page asks for by itself."""
    for days in (1, 7, 30, 90):
        yield f"/?days={days}"
    yield "/now"
    for sort in ("oldest", "newest", "risk", "amount"):
        yield f"/reviews?sort={sort}"
    yield f"/reviews?merchant={most['merchant']}&free=1"
    yield f"/charge?id={charge}&queue=sort%3Drisk"
    for kind, value in most.items():
        yield f"/history?kind={kind}&value={quote(value)}"
    for kind in ("card", "merchant"):
        yield f"/aggregates?kind={kind}&id={charge}"
    yield f"/merchants/holds?merchant={most['merchant']}"
    for begun in ("c", "ch_0", charge, "acct_", "nothing"):
        yield f"/search?id={begun}"
    yield from ("/rules", "/rules/figures?merchant=*", "/rules/version?merchant=*&version=1")
    yield from ("/lists", "/merchants", "/models", "/models/calibration", "/rejected")
    yield from ("/rejected/0/0", "/audit", "/health", "/users", "/password")


def times_ms(port: int, paths: Iterator[str], rounds: int) -> dict[str, list[float]]:
    """Ask for each page several times; return how long it took each time, the first one first."""
    person, took = Person(port, NAME, PASSWORD), dict[str, list[float]]()
    for path in paths:
        for _ in range(rounds):
            began = time.perf_counter()
            seen = person.get(path)
            took.setdefault(path, []).append(1e3 * (time.perf_counter() - began))
            assert seen.status == 200, (path, seen.text)
    return took


def verdicts_ms(port: int) -> list[float]:
    """Take reviews and judge them; return how long each took until the next charge was there."""
    person = Person(port, NAME, PASSWORD)
    page, took = person.post("/reviews/next", queue="sort=risk"), list[float]()
    for _ in range(VERDICTS):
        fields = dict(re.findall(r'name="(charge|card|before|queue)" value="([^"]*)"', page.text))
        began = time.perf_counter()
        page = person.post("/charge/verdict", **fields, verdict="fraud")
        took.append(1e3 * (time.perf_counter() - began))
        assert "/charge?" in page.url, page.url
    return took
