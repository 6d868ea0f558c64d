"""Fraud rates over random streams, against a reading of the events one by one; rules that ask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf, isnan, nan
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest

from agents.models.prior import PriorScorer
from agents.policy.fraud_rates import FraudRatesBook, FraudValue, encode, key_of
from agents.rules.figures import Figures
from agents.stages.in_memory import TaskInMemory
from agents.stages.tasks import figures_of
from schemas.currency import bundled_rates
from streams.events.batch import TimedBatch
from streams.features.entities import FEATURES
from streams.state.tables import META
from tests.agents.stages.policies import policy_of
from tests.agents.stages.stages import (
    DAY,
    HOUR,
    START,
    Message,
    Run,
    charge,
    decode,
    dispute,
    outcome,
    part,
)
from tests.agents.stages.test_outcomes import COSTS

FRAUD_VALUE = META + b"fraud_value/"
DEDUP_HOURS = 24.0
RULES = """
# small: exempted
allow_without_challenge if :amount_eur: <= 100 and :fraud_rate_to_100_eur: < 0.0013 and :risk: < 50
# all: the rest
challenge if :amount_usd: >= 0
"""


@dataclass
class Reading:
    """A task's charges and frauds, read one by one, and no state but lists."""

    clock: float = 0.0
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    disputed: set[str] = field(default_factory=set)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    counted: list[tuple[str, float, dict[str, Any]]] = field(default_factory=list)

    def read(self, message: Message) -> None:
        event = orjson.loads(message.value)
        if message.topic == "charges":
            self._charge(event)
        elif message.topic == "disputes" and event["reason"] == "fraudulent":
            self.waiting.append(event)
            self._settle(lambda time: time <= self.clock)

    def _charge(self, event: dict[str, Any]) -> None:
        self._settle(lambda time: time < event["created"])
        self.clock = max(self.clock, event["created"])
        if event["card"].startswith("test_"):
            return
        if event["id"] not in self.charges:
            self.charges[event["id"]] = event
            self.counted.append(("charged", self.clock, event))
        self._settle(lambda time: time <= self.clock)

    def _settle(self, is_due: Any) -> None:
        """Count the disputes whose charge is there, and whose time has come."""
        due = [e for e in self.waiting if e["charge"] in self.charges and is_due(e["created"])]
        for event in due:
            self.waiting.remove(event)
            if event["charge"] not in self.disputed:
                self.disputed.add(event["charge"])
                self.counted.append(("disputed", self.clock, self.charges[event["charge"]]))

    def value(self) -> FraudValue:
        sums = {"charged": [0, 0, 0], "disputed": [0, 0, 0]}
        rates, today = bundled_rates(), int(self.clock // DAY)
        for what, time, event in self.counted:
            usd = float(np.float32(rates.usd(event["amount"], event["currency"])))
            cents = round(usd / rates.usd(100, "eur") * 100)
            is_remote = event.get("channel") != "in_person"
            is_by_card = event.get("payment_method") != "ideal"
            if is_remote and is_by_card and today - 90 < time // DAY and cents <= 50_000:
                sums[what][0 if cents <= 10_000 else 1 if cents <= 25_000 else 2] += cents
        return FraudValue(today, tuple(sums["charged"]), tuple(sums["disputed"]))


def stream(random: Random, task: int, count: int = 700, days: float = 200.0) -> list[Message]:
    """Make the events of a task in the order in which they come."""
    made: list[Message] = []
    now, ids = START + task * 3 * DAY, list[tuple[str, str, float]]()
    for number in range(count):
        now += random.expovariate(count / (days * DAY))
        created = now - random.choice((0, 0, 0, 40.0, 2 * DAY))
        draw = random.random()
        if draw < 0.6 or not ids:
            name, card = f"t{task}_c{number}", f"card_{task}_{random.randrange(60)}"
            if random.random() < 0.05:
                card = "test_block"
            currency, amount = random.choice(
                (("eur", random.choice((3000, 9999, 10_000, 10_001, 25_000, 50_000, 50_001))),
                 ("usd", random.randrange(100_000)), ("jpy", random.randrange(90_000)))
            )  # fmt: skip
            fields = {"channel": random.choice((None, "online", "in_person", "recurring")),
                      "payment_method": random.choice((None, "card", "card", "ideal"))}  # fmt: skip
            sent = charge(name, created, card=card, amount=amount, currency=currency,
                          **{key: each for key, each in fields.items() if each})  # fmt: skip
            if card != "test_block":
                ids.append((name, card, created))
            early = dispute(name, created + random.choice((-HOUR, 0.0, HOUR)), card=card)
            comes_early = card != "test_block" and random.random() < 0.05
            made += [early, sent] if comes_early else [sent]
            if random.random() < 0.1:
                made.append(sent)
        else:
            name, card, charged_at = random.choice(ids[-200:])
            at = max(charged_at, now + random.choice((-DAY, 0.0, 0.0, 600.0)))
            reason = random.choice(("fraudulent", "fraudulent", "product_not_received"))
            fields = {"card": card, "reason": reason, "id": f"d{number}"}
            if random.random() < 0.3:
                said = random.choice(("review_fraud", "dispute_won", "refunded", "declined"))
                made.append(outcome(name, at, said, card=card))
            if random.random() < 0.8:
                made.append(dispute(name, at, **fields))
    return made


def run_disturbed(random: Random, messages: list[Message]) -> Run:
    """Run events in batches of any size, with commits, aborts and restarts between them."""
    run, batch, place, committed = Run(test_cards=True), decode(messages), 0, 0
    while place < len(messages):
        size = random.choice((1, 7, 60))
        run.process(part(batch, place, min(place + size, len(messages))))
        place = min(place + size, len(messages))
        draw = random.random()
        if draw < 0.5:
            run.commit()
            committed = place
        elif draw < 0.8:
            random.choice((run.roll_back, run.restart, run.restore))()
            place = committed
    return run


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_those_of_the_events_however_they_are_cut_and_whatever_fails(seed: int) -> None:
    random, book, wanted = Random(seed), FraudRatesBook(), list[FraudValue]()
    for task in range(3):
        messages, reading = stream(random, task), Reading()
        for message in messages:
            reading.read(message)
        run = run_disturbed(random, messages)
        assert run.fraud_value == reading.value()
        kept = [key for key in run.state(META) if key.startswith(FRAUD_VALUE)]
        assert 30 < len(kept) <= 90
        book.take(key_of(task), encode(FraudValue(1, (10**9,) * 3, (10**9,) * 3)))
        book.take(key_of(task), encode(run.fraud_value))
        wanted.append(reading.value())
    for band, rate in enumerate(book.rates):
        charged = sum(value.charged[band] for value in wanted)
        assert rate == sum(value.disputed[band] for value in wanted) / charged
        assert 0.0 < rate < 1.0


def test_a_commit_writes_the_day_that_has_changed_and_no_other() -> None:
    run = Run()
    run.feed(charge("c1", START), charge("c2", START + DAY, currency="eur"))
    assert _written(run) == {
        b"00004fe6": b"[[1761,0,0],[0,0,0]]",
        b"00004fe7": b"[[2000,0,0],[0,0,0]]",
    }
    run.feed(charge("c3", START + DAY + 1, channel="in_person"))
    assert _written(run) == {}
    run.feed(dispute("c1", START + DAY + 1))
    assert _written(run) == {b"00004fe7": b"[[2000,0,0],[1761,0,0]]"}
    run.feed(charge("c4", START + 90 * DAY, currency="eur"))
    assert _written(run) == {b"00004fe6": None, b"00005040": b"[[2000,0,0],[0,0,0]]"}


def _written(run: Run) -> dict[bytes, bytes | None]:
    """Commit; return what was written of fraud, by day."""
    run.commit()
    changes = run.last_changes
    return {k[len(FRAUD_VALUE) :]: v for k, v in changes.items() if k.startswith(FRAUD_VALUE)}


def test_a_dispute_counts_once_and_by_its_own_time_and_no_verdict_does() -> None:
    run = Run()
    run.feed(charge("c1", START, currency="eur"), charge("c2", START, currency="eur"))
    run.feed(outcome("c1", START, "review_fraud"), outcome("c2", START, "review_fraud"))
    assert run.fraud_value.disputed == (0, 0, 0)
    run.feed(dispute("c1", START), dispute("c1", START, id="another"))
    assert run.fraud_value.disputed == (2000, 0, 0)
    run.feed(outcome("c1", START, "dispute_won"))
    assert run.fraud_value.disputed == (2000, 0, 0)
    run.feed(charge("c3", START + 89 * DAY, currency="eur"), dispute("c2", START + 89 * DAY))
    assert run.fraud_value == FraudValue(20_543, (6000, 0, 0), (4000, 0, 0))
    run.feed(charge("c4", START + 90 * DAY, currency="eur"))
    assert run.fraud_value == FraudValue(20_544, (4000, 0, 0), (2000, 0, 0))


def test_a_task_tells_when_another_hour_of_its_stream_begins() -> None:
    run = Run()
    run.feed(charge("c1", START + 1, currency="eur"))
    run.feed(charge("c2", START + HOUR - 1, currency="eur"))
    run.feed(charge("c3", START + 2, currency="eur"))
    run.feed(charge("c4", START + HOUR, currency="eur"))
    assert [value.charged[0] for value in run.told_values] == [2000, 8000]


def test_without_a_rate_of_the_euro_nothing_counts(tmp_path: Any) -> None:
    rates = tmp_path / "rates.toml"
    rates.write_text("date = 2026-01-01\n[currencies]\nusd = { decimals = 2, usd = 1 }\n")
    run = Run(currency_rates=str(rates))
    assert isnan(figures_of(run.settings).usd_per_eur)
    run.policy = policy_of(run.settings, all_="block if :amount_eur: is missing")
    [event] = run.feed(charge("c1", START))
    assert event["action"] == "block"
    assert run.fraud_value.charged == (0, 0, 0)


@pytest.mark.parametrize(
    ("rate", "amount", "by"),
    [
        (0.0012, 10_000, "rule:small"),
        (0.0012, 10_001, "rule:all"),
        (0.0013, 10_000, "rule:all"),
        (nan, 10_000, "rule:all"),
    ],
)
def test_a_charge_is_exempted_while_the_fraud_rate_is_low(
    rate: float, amount: int, by: str
) -> None:
    run = Run(costs=COSTS["allow"])
    policy = policy_of(run.settings, all_=RULES)
    run.policy = replace(policy, figures=replace(policy.figures, fraud_rates=(rate, 1.0, 1.0)))
    [event] = run.feed(charge("c1", START, amount=amount, currency="eur"))
    assert event["decided_by"] == by
    if by == "rule:small":
        assert event["action"] == "allow"
        assert "fraud rate up to 100 euros (0.0012) is below 0.0013" in event["reasons"][0]["text"]


def test_a_task_in_memory_sees_its_own_sums() -> None:
    settings = Run(costs=COSTS["allow"]).settings
    policy = policy_of(settings, all_=RULES)
    task = TaskInMemory(settings, lambda: 0.0, policy)

    def decided(*messages: Message) -> list[str]:
        events = [orjson.loads(message.value) for message in messages]
        timed = TimedBatch(np.array([e["created"] for e in events]), decode(messages))
        output = [task.score(counted, PriorScorer(FEATURES)) for counted in task.count(timed)]
        return [orjson.loads(each)["decided_by"] for of in output for each in of.scored]

    assert decided(charge("c1", START)) == ["rule:all"]  # nothing was charged before
    assert decided(charge("c2", START + 1, card="two")) == ["rule:small"]
    decided(dispute("c1", START + 1), charge("c3", START + 2, card="three"))
    assert decided(charge("c4", START + 3, card="four")) == ["rule:all"]


def test_the_latest_record_of_each_task_counts() -> None:
    book = FraudRatesBook()
    assert all(map(isnan, book.rates))
    book.take(key_of(0), encode(FraudValue(100, (1000, 500, 0), (10, 0, 0))))
    book.take(key_of(11), encode(FraudValue(101, (3000, 500, 0), (0, 5, 0))))
    assert book.rates[:2] == (10 / 4000, 5 / 1000)
    book.take(key_of(0), encode(FraudValue(101, (2000, 500, 0), (20, 0, 0))))
    assert book.rates[:2] == (20 / 5000, 5 / 1000)
    assert isnan(book.rates[2])
    book.take(key_of(11), encode(FraudValue(190, (3000, 500, 0), (0, 5, 0))))
    assert book.rates[0] == 20 / 5000
    book.take(key_of(11), encode(FraudValue(191, (3000, 500, 0), (0, 5, 0))))
    assert book.rates[0] == 0.0  # what task 0 had is of more than 90 days before
    book.take(key_of(11), None)
    assert book.rates[0] == 20 / 2000


def test_figures_are_those_of_the_rates() -> None:
    assert figures_of(Run().settings) == Figures(bundled_rates().usd(100, "eur"))
    assert inf > figures_of(Run().settings).usd_per_eur > 1.0
