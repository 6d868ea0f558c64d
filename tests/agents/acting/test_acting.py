"""A stream whose actions are carried out: what is told of it, and what does not come."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agents.acting.acting import UNANSWERED_MAX_S, Acted, Acting, UnansweredError
from agents.acting.fates import draw_of, fate
from agents.settings.costs import Costs
from schemas.outcome import Outcome
from schemas.scored import ACTIONS
from schemas.validation import parse_outcome
from streams.events.rows import charge_hash
from streams.simulator import SimulatedEvent, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START = 1.75e9
MINUTE_S, HOUR_S = 60.0, 3600.0
GOES_ON = {"challenge_passed", "review_genuine"}


class Worker:
    """Scores what it is sent with any action, some reads later, and says some of it again."""

    def __init__(self, seed: int, lag: int = 3) -> None:
        self.random = random.Random(seed)
        self.lag = lag
        self.now = 0.0
        self.answers: dict[str, dict[str, Any]] = {}
        self.sent_at: dict[str, float] = {}
        self._ready: list[list[bytes]] = []

    def send(self, events: Sequence[SimulatedEvent]) -> None:
        scored = []
        for event in events:
            if event.topic != "charges" or event.fault:
                continue
            names = ("card", "merchant", "created")
            answer = {"charge": event.value["id"], **{name: event.value[name] for name in names}}
            if event.duplicate:
                scored.append(answer | {"action": "block", "duplicate": True})
                continue
            answer["action"] = self.random.choice(ACTIONS)
            self.answers[str(event.value["id"])] = answer
            scored += [answer] * self.random.choice([1, 1, 1, 2])
        foreign = {"charge": "elsewhere", "card": "c", "created": 1.0, "action": "block"}
        if scored:
            self._ready.append([orjson.dumps(event) for event in (*scored, foreign)])

    def read(self, wait_s: float) -> list[bytes]:
        self.now += wait_s
        waits = wait_s > 0.0 or len(self._ready) > self.lag
        return self._ready.pop(0) if self._ready and waits else []


class Played:
    """A simulated stream, carried out."""

    def __init__(self, seed: int, batch_size: int, lag: int) -> None:
        simulation = Simulation(
            seed=seed,
            cards=200,
            merchants=20,
            start=START,
            days=6,
            charges_per_day=300,
            fraud_rate=0.2,
            duplicate_share=0.05,
            malformed_share=0.02,
            dispute_delay_scale=0.2,
        )
        self.events = [e for e in simulation.events() if e.publish_time < START + 6 * 86_400.0]
        self.worker = Worker(seed, lag)
        self.acted: list[Acted] = []
        acting = Acting(Costs(), self.worker.read, clock=lambda: self.worker.now)
        for acted in acting.carry_out(self._batches(batch_size)):
            for event in acted.events:
                if event.topic == "disputes":
                    assert event.value["charge"] in self.answered, "before its charge was scored"
            self.worker.send(acted.events)
            self.acted.append(acted)
        self.sent = [event for acted in self.acted for event in acted.events]
        payloads = [told for acted in self.acted for told in acted.outcomes]
        self.outcomes = [orjson.loads(payload) for _, payload in payloads]
        self.keys = [key for key, _ in payloads]
        self.stopped = [charge for acted in self.acted for charge in acted.stopped]

    @property
    def answered(self) -> set[str]:
        return set(self.worker.answers)

    def _batches(self, size: int) -> Iterator[list[SimulatedEvent]]:
        for start in range(0, len(self.events), size):
            yield self.events[start : start + size]


@pytest.fixture(scope="module", params=[(1, 1, 0), (2, 7, 3), (3, 2000, 1)], ids=str)
def played(request: pytest.FixtureRequest) -> Played:
    return Played(*request.param)


def charges(played: Played) -> dict[str, SimulatedEvent]:
    return {
        str(event.value["id"]): event
        for event in played.events
        if event.topic == "charges" and not event.duplicate and not event.fault
    }


def expected_fates(played: Played) -> dict[str, Any]:
    return {
        charge: fate(
            ACTIONS.index(played.worker.answers[charge]["action"]),
            draw_of(charge_hash(str(event.value["card"]), charge)),
            Costs(),
            is_fraud=event.disputed,
        )
        for charge, event in charges(played).items()
    }


def test_what_was_stopped_is_said_once_and_its_disputes_alone_do_not_come(played: Played) -> None:
    stopped = {charge for charge, found in expected_fates(played).items() if found.is_stopped}
    assert len(played.stopped) == len(set(played.stopped))
    assert set(played.stopped) == stopped
    left_out = [
        event
        for event in played.events
        if event.topic == "disputes" and event.value["charge"] in stopped
    ]
    assert played.sent == [event for event in played.events if event not in left_out]
    assert sum(acted.withheld for acted in played.acted) == len(left_out) >= 10
    assert any(event.topic == "disputes" for event in played.sent)


def test_one_outcome_of_each_charge_that_was_asked(played: Played) -> None:
    ends_at = played.events[-1].publish_time
    fates = {charge: found for charge, found in expected_fates(played).items() if found.outcome}
    told = {outcome["charge"]: outcome for outcome in played.outcomes}
    assert len(told) == len(played.outcomes) == len({o["id"] for o in played.outcomes})
    for charge, outcome in told.items():
        assert outcome["outcome"] == fates[charge].outcome
    for charge in fates.keys() - told.keys():
        event = charges(played)[charge]
        known_at = event.event_time + fates[charge].after_s
        # A charge that is scored after the last event is told of by then, or not at all.
        assert known_at > ends_at
    counts = Counter(outcome["outcome"] for outcome in played.outcomes)
    assert min(counts.values()) >= 5
    assert len(counts) == 5


def test_outcomes_are_valid_and_in_order_of_their_time(played: Played) -> None:
    created = [outcome["created"] for outcome in played.outcomes]
    assert created == sorted(created)
    for key, outcome in zip(played.keys, played.outcomes, strict=True):
        answer = played.worker.answers[outcome["charge"]]
        after_s = 4 * HOUR_S if outcome["outcome"].startswith("review") else MINUTE_S
        assert outcome["created"] >= answer["created"] + after_s
        assert key == answer["card"].encode()
        parsed, aside = parse_outcome(orjson.dumps(outcome), key, max_created=created[-1])
        assert isinstance(parsed, Outcome)
        assert not aside.unknown


def test_a_stream_that_nobody_scores_ends_with_the_way_out() -> None:
    event = next(Simulation(seed=1, cards=10, merchants=5, start=START, days=1).events())
    now = 0.0

    def read(wait_s: float) -> list[bytes]:
        nonlocal now
        now += wait_s
        return []

    acting = Acting(Costs(), read, clock=lambda: now)
    with pytest.raises(UnansweredError, match="1 wait for it: start a worker") as error:
        for _ in acting.carry_out([[event]]):
            pass
    assert "leave --act out" in str(error.value)
    assert now == pytest.approx(UNANSWERED_MAX_S, abs=1.0)


def test_nothing_is_waited_for_once_it_is_over() -> None:
    event = next(Simulation(seed=1, cards=10, merchants=5, start=START, days=1).events())
    acting = Acting(Costs(), lambda _: [], is_over=lambda: True)
    assert [len(acted.events) for acted in acting.carry_out([[event]])] == [1, 0]
