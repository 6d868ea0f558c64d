"""The inputs of a schedule, and when they are published."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from tests.simulation.partition_log import State

if TYPE_CHECKING:
    from random import Random

    from streams.kafka.topics import Topics
    from tests.simulation.broker import Broker

_START = 1.75e9
_DISORDER_S = (0, 0, -3, 5, -60)
_WINDOWS_S = (4.0, 8.0, 14.0)
_BURSTS = (1, 1, 2, 5, 8)
_BAD_SHARES = (0.05, 0.05, 0.4)
_DISPUTE_SHARE, _OUTCOME_SHARE, _DUPLICATE_SHARE = 0.2, 0.25, 0.1
_AFTER_S = (0, 0, 10, 25, 100)
_OUTCOMES = (
    "authorized", "declined", "challenge_passed", "challenge_failed", "challenge_abandoned",
    "review_fraud", "review_fraud", "review_genuine", "refunded", "dispute_won", "answered",
)  # fmt: skip
_ACTIONS = ("allow", "challenge", "block")
_AMOUNTS = (500, 100_000)
"""Of real charges, in cents: of one that is allowed unlearned, and one that is challenged."""

_SHARING = (0.0, 0.3, 0.9)
"""How many of the charges have a device, an address, an e-mail."""

_ENDS = (None, None, None, None, None, State.COMMITTED, State.COMMITTED, State.ABORTED)
"""How the transaction of a burst ends; most are published without one."""

_OPEN_FOR_S = (0.0, 0.0, 2.0)
_FIRST_PRODUCER = 1_000_000


class Published(NamedTuple):
    """One input; `name` is the id of the event, empty for what is none."""

    topic: str
    name: str
    card: str
    merchant: str
    value: bytes


class Inputs:
    """Publishes charges, disputes, outcomes and what is none: late, out of order, in transactions.

    Parameters
    ----------
    random
        Draws them.
    topics
        Where they go.
    broker
        Has the topics.
    for_real
        Whether they are for the real stages: with duplicates of charges, and with one dispute at
        most and any outcomes of a charge that is there, the same ones too, each published at any
        time, before its charge too.

    Attributes
    ----------
    by_value
        What counts, by its payload.
    window_s
        In about how many seconds it is published.
    """

    def __init__(self, random: Random, topics: Topics, broker: Broker, *, for_real: bool) -> None:
        self.by_value: dict[bytes, Published] = {}
        self.window_s = random.choice(_WINDOWS_S)
        self._random = random
        self._topics = topics
        self._broker = broker
        self._for_real = for_real
        self._charges: list[Published] = []
        self._disputed: set[str] = set()
        self._producer_id = _FIRST_PRODUCER
        self._left = 0
        self._sharing = random.choice(_SHARING)
        self._draw(random.randint(8, 30), random.choice(_BAD_SHARES))

    @property
    def are_published(self) -> bool:
        """Whether all of it is there."""
        return self._left == 0

    def _draw(self, total: int, bad_share: float) -> None:
        random = self._random
        cards = [f"card_{n}" for n in range(random.randint(2, 6))]
        shops = [f"shop_{n}" for n in range(random.randint(1, 4))]
        number, at_s = 0, 0.0
        while number < total:
            burst = []
            for _ in range(random.choice(_BURSTS)):
                draw = self._bad if random.random() < bad_share else self._good
                burst.append(draw(number, random.choice(cards), random.choice(shops)))
                number += 1
            at_s += random.random() * 2 * self.window_s * len(burst) / total
            apart = [each for each in burst if self._is_apart(each)]
            self._publish_at(at_s, [each for each in burst if each not in apart])
            for label in apart:
                self._publish_at(random.random() * self.window_s, [label])

    def _bad(self, number: int, card: str, shop: str) -> Published:
        topics = self._topics
        topic = self._random.choice((topics.charges, topics.disputes, topics.outcomes))
        return Published(topic, "", card, shop, b'{"bad": %d}' % number)

    def _good(self, number: int, card: str, shop: str) -> Published:
        created = _START + number + self._random.choice(_DISORDER_S)
        event: dict[str, object] = {"card": card, "merchant": shop, "created": created}
        chance = self._random.random()
        if chance < _DISPUTE_SHARE:
            return self._dispute(number, event)
        if chance < _DISPUTE_SHARE + _OUTCOME_SHARE:
            return self._outcome(number, event)
        is_retry = chance < _DISPUTE_SHARE + _OUTCOME_SHARE + _DUPLICATE_SHARE
        if is_retry and self._for_real and self._charges:
            return self._random.choice(self._charges)
        name = f"charge_{number}"
        amount = self._random.choice(_AMOUNTS) if self._for_real else 100
        event |= {"id": name, "amount": amount + number, "currency": "usd"}
        if self._for_real:
            event |= self._shared()
        charge = Published(self._topics.charges, name, card, shop, orjson.dumps(event))
        self._charges.append(charge)
        return charge

    def _shared(self) -> dict[str, object]:
        """Return what a charge shares with others: in some schedules nothing, in some most."""
        return {
            kind: f"{kind}_{self._random.randrange(3)}"
            for kind in ("device", "ip", "email")
            if self._random.random() < self._sharing
        }

    def _dispute(self, number: int, event: dict[str, object]) -> Published:
        name = f"dispute_{number}"
        event |= {"id": name, "charge": f"charge_{number}", "reason": "fraudulent"}
        undisputed = [each for each in self._charges if each.name not in self._disputed]
        if self._for_real and undisputed:
            charge = self._random.choice(undisputed)
            self._disputed.add(charge.name)
            event |= self._of(charge)
        card, shop = str(event["card"]), str(event["merchant"])
        return Published(self._topics.disputes, name, card, shop, orjson.dumps(event))

    def _outcome(self, number: int, event: dict[str, object]) -> Published:
        name, outcome = f"outcome_{number}", self._random.choice(_OUTCOMES)
        event |= {"id": name, "charge": f"charge_{number}", "outcome": outcome}
        if outcome == "answered":
            event["action"] = self._random.choice(_ACTIONS)
        if self._for_real and self._charges:
            event |= self._of(self._random.choice(self._charges))
        card, shop = str(event["card"]), str(event["merchant"])
        return Published(self._topics.outcomes, name, card, shop, orjson.dumps(event))

    def _of(self, charge: Published) -> dict[str, object]:
        """Return the fields of a dispute or outcome of a charge, made some time after it."""
        created = float(orjson.loads(charge.value)["created"]) + self._random.choice(_AFTER_S)
        return {"charge": charge.name, "card": charge.card, "created": created}

    def _is_apart(self, published: Published) -> bool:
        """Tell whether an event is published apart from the others of its burst."""
        return self._for_real and published.topic != self._topics.charges and bool(published.name)

    def _publish_at(self, at_s: float, burst: list[Published]) -> None:
        if not burst:
            return
        end = self._random.choice(_ENDS)
        if end is not State.ABORTED:
            self.by_value |= {each.value: each for each in burst}
        self._left += 1
        self._broker.scheduler.later(at_s, lambda: self._publish(burst, end))

    def _publish(self, burst: list[Published], end: State | None) -> None:
        producer_id = None
        if end is not None:
            self._producer_id += 1
            producer_id = self._producer_id
        logs = []
        for each in burst:
            card = each.card.encode()
            log = self._broker.logs[each.topic, sum(card) % self._broker.partitions[each.topic]]
            log.append(card, each.value, [], 0, producer_id)
            logs.append(log)

        def finish() -> None:
            self._left -= 1
            if producer_id is not None and end is not None:
                for log in dict.fromkeys(logs):
                    log.mark(producer_id, end)

        open_s = self._random.choice(_OPEN_FOR_S) if end is not None else 0.0
        self._broker.scheduler.later(open_s * self._random.random(), finish)
