"""Charges, disputes, outcomes and bad input with all that makes a stream difficult, drawn by seed.

Cards and merchants are known, a few of them busy. Events come out of order within a bound and are
sent again; disputes and outcomes come at once, in time or long after the horizon, some before their
charge, some about charges that never were; outcomes contradict each other. A part of the input is
no event at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, cast

import msgspec
import orjson

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import OUTCOMES, Outcome
from schemas.scored import ACTIONS
from tests.chaos.bad_inputs import bad_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.outcome import OutcomeName
    from schemas.scored import Action

START = 1.7e9
DAY_S = 86_400.0

HORIZON_DAYS, ORPHAN_WAIT_DAYS = 4.0, 3.0
RETENTION_DAYS = 200.0
"""No charge may be forgotten in a run: the oracle forgets none."""

SETTINGS = {
    "CHARGEWATCH_LABEL_HORIZON_DAYS": str(HORIZON_DAYS),
    "CHARGEWATCH_ORPHAN_WAIT_HOURS": str(24 * ORPHAN_WAIT_DAYS),
    "CHARGEWATCH_DISPUTE_RETENTION_DAYS": str(RETENTION_DAYS),
    "CHARGEWATCH_NEGATIVE_RATE": "1.0",
    "CHARGEWATCH_ACTIONS": "advisory",
    "CHARGEWATCH_CHALLENGERS": "linear",
}
"""Of the workers: every charge becomes an example, and soon; nobody carries their actions out."""

ENFORCED = SETTINGS | {
    "CHARGEWATCH_ACTIONS": "enforced",
    "CHARGEWATCH_HOLDOUT_SHARE": "0.3",
    "CHARGEWATCH_HOLDOUT_AMOUNT_MAX_USD": "100",
    "CHARGEWATCH_HOLDOUT_BUDGET_USD": "1e9",
    "CHARGEWATCH_HOLDOUT_KEY": "the key of all workers",
    "CHARGEWATCH_COSTS_FRAUD_LOSS_SHARE": "0.3",
    "CHARGEWATCH_COSTS_DISPUTE_FEE_USD": "1",
    "CHARGEWATCH_COSTS_MARGIN_SHARE": "0.05",
    "CHARGEWATCH_COSTS_CHALLENGE_COST_USD": "1",
    "CHARGEWATCH_COSTS_REVIEW_COST_USD": "0.5",
    "CHARGEWATCH_COSTS_REVIEW_CAPACITY_SHARE": "0.05",
}
"""Of workers whose actions are carried out. At the score that the charges of this traffic have, as
all are disputed alike, small ones are blocked, large ones challenged or reviewed, most allowed."""

SHORT_RUN = {"CHARGEWATCH_SNAPSHOT_EVERY_S": "1"}
"""Of the workers of a short run, which waits for the last snapshot at its end."""

SPAN_DAYS = 60.0
"""Event time that a run covers, whatever its length."""

SHORTEST = 4000
"""Events of the shortest stream: in a shorter one, retries come later than a charge is known."""

_OVERTIME = 0.1
"""How fast event time goes, of its usual pace, in a run that takes longer than was planned."""

DISORDER_S = 8 * 3600.0
_RETRIED_S = 12 * 3600.0
"""For how long a charge is sent again: with the disorder, shorter than it is known for."""

_OUTCOMES_OF_A_CHARGE = (0, 0, 0, 1, 1, 2, 3)
_EARLY_SHARE = 0.03
_HELD_INPUTS = (2, 40)
"""For how long a charge is held back that has an outcome before it comes."""

Label = Dispute | Outcome
Event = Charge | Label
_TOPICS = {Charge: "charges", Dispute: "disputes", Outcome: "outcomes"}


@dataclass(frozen=True, slots=True)
class Sent:
    """An input as it was published.

    Attributes
    ----------
    number
        Counts the inputs; a charge carries it as an unknown field.
    topic
        `charges`, `disputes` or `outcomes`.
    key, value
        Of the message.
    event
        What it is, `None` for bad input.
    masked
        The value as it has to be in a rejected copy.
    """

    number: int
    topic: str
    key: bytes | None
    value: bytes | None
    event: Event | None
    masked: bytes | None


class Traffic:
    """Makes a stream, event by event.

    Parameters
    ----------
    seed
        The same seed makes the same stream.
    size
        Events it will have, about: as many days go by, and as many cards and merchants take part,
        as suits it.
    has_outcomes
        Whether there are any.
    """

    def __init__(self, seed: int, size: int, *, has_outcomes: bool = False) -> None:
        self._random = Random(seed)
        self._has_outcomes = has_outcomes
        self.cards = [f"card_{n}" for n in range(max(20, size // 40))]
        self.merchants = [f"acct_{n}" for n in range(max(12, size // 120))]
        self._size = size
        self._step_s = SPAN_DAYS * DAY_S / size
        self._now = START
        self._number = 0
        self._charges = 0
        self._latest: deque[tuple[float, Charge]] = deque(maxlen=30)
        self._labels: deque[Label] = deque(maxlen=30)
        self._planned: list[tuple[float, int, Label]] = []
        self._held: deque[tuple[int, Charge]] = deque()

    def take(self, count: int) -> list[Sent]:
        """Make the next inputs, in the order they are published."""
        return [self._next() for _ in range(count)]

    def again(self, charges: Iterable[Charge]) -> list[Sent]:
        """Make retries of charges."""
        return [self._sent(charge) for charge in charges]

    def closing(self) -> list[Sent]:
        """Make last charges of every card and at every merchant, when all waiting is over.

        They show what all that came before has left behind.
        """
        self._now += DAY_S * (HORIZON_DAYS + ORPHAN_WAIT_DAYS + 1)
        assert self._now < START + RETENTION_DAYS * DAY_S, "charges are forgotten in so long a run"
        pairs = max(len(self.cards), len(self.merchants))
        last = []
        for n in range(pairs):
            card, merchant = (
                self.cards[n % len(self.cards)],
                self.merchants[n % len(self.merchants)],
            )
            last.append(self._sent(self._charge_of(card, merchant, self._now)))
        return last

    def _next(self) -> Sent:
        pace = 1.0 if self._number < self._size else _OVERTIME
        self._now += self._random.uniform(0, 2 * pace * self._step_s)
        if self._held and self._held[0][0] <= self._number:
            return self._sent(self._made(self._held.popleft()[1]))
        if self._planned and self._planned[0][0] <= self._now:
            return self._sent(self._label(heappop(self._planned)[2]))
        chance = self._random.random()
        if chance < 0.03:
            return self._bad()
        while self._latest and self._latest[0][0] < self._now - _RETRIED_S:
            self._latest.popleft()
        if chance < 0.07 and self._latest:
            return self._sent(self._random.choice(self._latest)[1])  # a duplicate
        if chance < 0.08 and self._labels:
            return self._sent(self._random.choice(self._labels))
        return self._sent(self._new())

    def _new(self) -> Event:
        """Make a charge, and plan what will be said of it; or say it before the charge comes."""
        charge = self._charge()
        if self._random.random() < 0.1:
            self._plan_dispute(charge)
        if self._has_outcomes:
            for _ in range(self._random.choice(_OUTCOMES_OF_A_CHARGE)):
                self._plan(self._outcome(charge), self._now + self._delay_s())
            if self._random.random() < _EARLY_SHARE:
                self._held.append((self._number + self._random.randint(*_HELD_INPUTS), charge))
                return self._label(self._outcome(charge))
        return self._made(charge)

    def _made(self, charge: Charge) -> Charge:
        """Note a charge that is about to come, for it may be sent again."""
        self._latest.append((self._now, charge))
        return charge

    def _charge(self) -> Charge:
        late = self._random.uniform(0, DISORDER_S) if self._random.random() < 0.3 else 0.0
        return self._charge_of(
            self._favourite(self.cards), self._favourite(self.merchants), self._now - late
        )

    def _charge_of(self, card: str, merchant: str, created: float) -> Charge:
        choice = self._random.choice
        self._charges += 1
        return Charge(
            id=f"ch_{self._charges}",
            created=round(created, 3),
            amount=max(1, round(self._random.lognormvariate(7, 1.5))),
            currency=choice(["usd", "usd", "eur", "jpy"]),
            card=card,
            merchant=merchant,
            mcc=choice([None, 5411, 5732]),
            merchant_country=choice([None, "US", "FR", "DE", "BR"]),
            card_country=choice([None, "US", "FR"]),
            ip_country=choice([None, "US", "FR"]),
            funding=choice([None, "credit", "debit", "prepaid"]),
            channel=choice([None, "online", "in_person", "recurring"]),
            device=choice([None, "tablet", *(f"{card}_device_{n}" for n in range(5))]),
            ip=choice([None, None, *(f"ip_{n}" for n in range(20))]),
            email=choice([None, None, None, f"{card}_email", "email"]),
            cvc_check=choice([None, "pass", "fail"]),
            three_d_secure=choice([None, True, False]),
        )

    def _plan_dispute(self, charge: Charge) -> None:
        """Dispute a charge at once, before its horizon, or after it."""
        delay_s = self._delay_s()
        self._plan(self._dispute(charge), self._now + delay_s)
        if self._random.random() < 0.1:  # a second one, as after an early fraud warning
            again_s = delay_s + self._random.uniform(0, DAY_S)
            self._plan(self._dispute(charge), self._now + again_s)

    def _delay_s(self) -> float:
        horizon_s = HORIZON_DAYS * DAY_S
        return self._random.choice(
            [0.0, self._random.uniform(0, horizon_s), self._random.uniform(0, 3 * horizon_s)]
        )

    def _plan(self, label: Label, at: float) -> None:
        heappush(self._planned, (at, self._random.randrange(1 << 40), label))

    def _dispute(self, charge: Charge) -> Dispute:
        number = self._random.randrange(1 << 40)
        return Dispute(
            id=f"dp_{number:x}",
            charge=self._named(charge, number),
            card=charge.card,
            merchant=charge.merchant,
            created=0.0,
            reason=self._random.choice(["fraudulent", "fraudulent", "fraudulent", "general"]),
        )

    def _outcome(self, charge: Charge) -> Outcome:
        number, outcome = self._random.randrange(1 << 40), self._random.choice(OUTCOMES)
        action = self._random.choice(ACTIONS) if outcome == "answered" else None
        return Outcome(
            id=f"oc_{number:x}",
            charge=self._named(charge, number),
            card=charge.card,
            merchant=charge.merchant,
            created=0.0,
            outcome=cast("OutcomeName", outcome),
            action=cast("Action | None", action),
        )

    def _named(self, charge: Charge, number: int) -> str:
        """Return the charge that a label is about, which for some never was."""
        return f"nobody_{number:x}" if self._random.random() < 0.05 else charge.id

    def _label(self, planned: Label) -> Label:
        label = msgspec.structs.replace(planned, created=round(self._now, 3))
        self._labels.append(label)
        return label

    def _sent(self, event: Event) -> Sent:
        self._number += 1
        fields = msgspec.to_builtins(event) | {"number": self._number}
        topic = _TOPICS[type(event)]
        value = orjson.dumps({name: field for name, field in fields.items() if field is not None})
        return Sent(self._number, topic, event.card.encode(), value, event, value)

    def _bad(self) -> Sent:
        """Make an input that is no event, for one of many reasons."""
        self._number += 1
        number, card = self._number, self._favourite(self.cards)
        good: dict[str, object] = msgspec.to_builtins(
            self._charge_of(card, self._favourite(self.merchants), self._now)
        )
        good = {name: field for name, field in good.items() if field is not None}
        good["number"] = number
        key: bytes | None = card.encode()
        values = bad_values(good, number)
        kind = self._random.choice(list(values))
        if kind == "key":
            key = b"another_%d" % number
        if kind == "no value":
            key = b"%b_%d" % (card.encode(), number)
        value = values[kind]
        masked = value and value.replace(b"4242 4242 4242 4242", b"**** **** **** ****")
        others = ["disputes", "outcomes"] if self._has_outcomes else ["disputes"]
        topic = self._random.choice(["charges", "charges", *others])
        return Sent(number, topic, key, value, None, masked)

    def _favourite(self, names: list[str]) -> str:
        return names[int(len(names) * self._random.random() ** 2)]
