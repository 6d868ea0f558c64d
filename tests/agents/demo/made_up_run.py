"""A run of the demo that never took place: every charge answered and stopped at random."""

import random

import orjson

from agents.acting.acting import Acted
from agents.demo.figures import Figures, Report
from agents.demo.ledger import Ledger
from agents.demo.scenario import Play, Scenario
from agents.settings.costs import Costs
from schemas.currency import bundled_rates
from schemas.scored import ACTIONS
from streams.simulator import SimulatedEvent

NOW = 1.75e9
LIVE_BEGAN = 1000.0


class Run:
    """A history and a live part whose events all came back, as they would from a worker."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        scenario = Scenario(
            history_days=16,
            live_s=20,
            charges_per_s=40,
            charges_per_day=400,
            cards=200,
            merchants=30,
            seed=seed,
        )
        self.play = Play(scenario, NOW)
        self.ledger = Ledger(bundled_rates())
        self.figures = Figures(self.ledger, self.play, Costs())
        self.events: list[SimulatedEvent] = []
        self.fraud = {
            str(event.value["charge"])
            for event in scenario.simulation(NOW).events()
            if is_fraud_dispute(event)
        }
        self.answers: dict[str, dict[str, object]] = {}
        self.seconds: dict[str, float] = {}
        self.stopped: set[str] = set()
        self._publish(list(self.play.history(lambda: False)), 0.0, 500.0)
        self.live = self.play.live()
        self._publish(self.live, LIVE_BEGAN, 20.0)
        for event in self.charges(self.live):
            self._act(str(event.value["id"]))
        self.ledger.acted(Acted([], [], 7, []))

    def report(self) -> Report:
        return self.figures.report(500.0, LIVE_BEGAN, 20.0, self.ledger.counts.outcomes)

    def charges(self, events: list[SimulatedEvent]) -> list[SimulatedEvent]:
        return [e for e in events if e.topic == "charges" and not e.duplicate and not e.fault]

    def _publish(self, events: list[SimulatedEvent], began: float, seconds: float) -> None:
        for number, event in enumerate(events):
            sent_at = began + seconds * number / len(events)
            self.ledger.publishing([event], sent_at)
            self.events.append(event)
            if event.topic == "charges":
                self._answer(event, sent_at)

    def _answer(self, event: SimulatedEvent, sent_at: float) -> None:
        if event.fault:
            self.ledger.rejected([f"{event.fault}: expected better, got {self.random.random()}"])
            return
        charge = str(event.value["id"])
        if event.duplicate:
            answer = self.answers[charge] | {"duplicate": True}
            self.ledger.scored([orjson.dumps(answer)], sent_at)
            return
        self.answers[charge] = {
            "charge": charge,
            "created": event.value["created"],
            "score": self.random.random() ** (0.3 if event.fraud else 3.0),
            "action": self.random.choice(ACTIONS),
            "amount": event.value["amount"],
            "currency": event.value["currency"],
            "reasons": [{"feature": "f", "value": 1.0, "text": "the CVC check failed"}] * 5,
            "model": "prior" if event.event_time < self.play.start + 9.5 * 86_400 else "m-7",
        }
        drawn = self.random.random() < (0.8 if event.fraud else 0.1)
        if drawn and self.answers[charge]["action"] == "allow":
            self.answers[charge]["holdout"] = {"action": "block", "propensity": 0.1}
        self.seconds[charge] = self.random.expovariate(20.0)
        self.ledger.scored([orjson.dumps(self.answers[charge])], sent_at + self.seconds[charge])

    def _act(self, charge: str) -> None:
        action = self.answers[charge]["action"]
        if action == "block" or (action != "allow" and self.random.random() < 0.7):
            self.stopped.add(charge)
        told = [(b"card", b"outcome")] if action in {"challenge", "review"} else []
        self.ledger.acted(Acted([], told, 0, [charge] if charge in self.stopped else []))


def is_fraud_dispute(event: SimulatedEvent) -> bool:
    return event.topic == "disputes" and event.value["reason"] == "fraudulent"
