"""Random streams that do what real ones do seldom, all the time: late, duplicate, far apart."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, TypeVar, get_args

import msgspec

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome, OutcomeName
from schemas.scored import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.streams.features.brute_past import AnyEvent, Event

T = TypeVar("T")

START = 1_700_000_000.0
SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


class RandomEvents:
    """Makes a stream event by event.

    Parameters
    ----------
    seed
        The same seed makes the same stream.
    cards, merchants
        How many of them take part, the first much more than the last.
    pace
        How much time goes by from event to event, as a multiple of what suits a few cards.
    ahead
        How many of the merchants have clocks that are ahead, each by its own time of up to an hour.
        If there are any, no charge is ahead by more.
    """

    def __init__(
        self, seed: int, cards: int = 3, merchants: int = 45, pace: float = 1.0, ahead: int = 0
    ) -> None:
        self._random = Random(seed)
        self._cards = [f"card_{number}" for number in range(cards)]
        self._merchants = [f"merchant_{number}" for number in range(merchants)]
        self._pace = pace
        skew = Random(f"skew {seed}")
        self._ahead = {m: skew.uniform(0, HOUR) for m in skew.sample(self._merchants, ahead)}
        self._now = START + self._random.uniform(0, 40 * DAY)
        self._charges: list[Charge] = []
        self._disputes: list[Dispute] = []

    def take(self, count: int) -> list[Event]:
        """Make the next events, in the order they arrive."""
        return [self._event() for _ in range(count)]

    def _event(self) -> Event:
        self._now += self._pace * self._step()
        chance = self._random.random()
        if chance < 0.12 and self._charges:
            return self._dispute()
        if chance < 0.14 and self._disputes:
            return self._pick(self._disputes)
        if chance < 0.22 and self._charges:
            return self._duplicate()
        return self._charge()

    def _step(self) -> float:
        """Mostly seconds to hours, now and then the same moment or months later."""
        chance, uniform = self._random.random(), self._random.uniform
        if chance < 0.02:
            return uniform(30 * DAY, 130 * DAY)
        if chance < 0.1:
            return uniform(0, 5 * DAY)
        if chance < 0.4:
            return uniform(0, 4 * HOUR)
        if chance < 0.5:
            return float(self._random.randrange(0, 1200, 600))
        return uniform(0, 10 * MINUTE) if chance < 0.8 else uniform(0, SECOND)

    def _created(self) -> float:
        """Mostly now; late by seconds to months, or a little ahead."""
        chance, uniform = self._random.random(), self._random.uniform
        if chance < 0.75:
            return self._now
        if chance < 0.8:
            return self._now + (0.0 if self._ahead else uniform(0, HOUR))
        if chance < 0.9:
            return self._now - uniform(0, 2 * HOUR)
        return self._now - uniform(0, 10 * DAY if chance < 0.97 else 120 * DAY)

    def _charge(self) -> Charge:
        choice = self._random.choice
        card = self._favourite(self._cards)
        charge = Charge(
            id=f"charge_{len(self._charges)}",
            created=self._created(),
            amount=max(1, round(self._random.lognormvariate(7, 2))),
            currency=choice(["usd", "usd", "eur", "jpy", "kwd"]),
            card=card,
            merchant=self._favourite(self._merchants),
            mcc=choice([None, 5411, 5411, 5411, 5732, 7995, *range(5800, 5810)]),
            merchant_country=choice([None, "US", "US", "US", "FR", "DE", "IN", "BR", "JP", "MX"]),
            card_country=choice([None, "US", "FR"]),
            ip_country=choice([None, "US", "T1"]),
            funding=choice([None, "credit", "debit", "prepaid"]),
            channel=choice([None, "online", "in_person", "recurring"]),
            payment_method=choice([None, "card", "sepa_debit"]),
            device=choice([None, "tablet", *(f"{card}_device_{n}" for n in range(12))]),
            ip=choice([None, "ip_1"]),
            email=choice([None, "email_1"]),
            cvc_check=choice([None, "pass", "fail", "unchecked"]),
            postal_check=choice([None, "pass", "fail", "unchecked"]),
            three_d_secure=choice([None, True, False]),
        )
        by_its_clock = charge.created + self._ahead.get(charge.merchant, 0.0)
        charge = msgspec.structs.replace(charge, created=by_its_clock)
        self._charges.append(charge)
        return charge

    def _duplicate(self) -> Charge:
        """Send a charge again: as it was, as if made later, or another one under its id."""
        again = self._pick(self._charges)
        moved = self._random.choice([0.0, 0.0, 0.5, HOUR, DAY, -DAY, 26 * HOUR, 3 * DAY])
        if self._ahead:
            moved = min(moved, 0.0)
        duplicate = msgspec.structs.replace(again, created=again.created + moved)
        self._charges.append(duplicate)
        return duplicate

    def _dispute(self) -> Dispute:
        """Dispute a charge that was made, seldom one that is to come."""
        charge = self._pick(self._charges)
        number = len(self._charges) if self._random.random() < 0.05 else None
        dispute = Dispute(
            id=f"dispute_{len(self._disputes)}",
            charge=charge.id if number is None else f"charge_{number}",
            card=charge.card,
            merchant=charge.merchant,
            created=self._created() + self._random.choice([0.0, 0.0, 0.0, 3 * DAY]),
            reason=self._random.choice(["fraudulent", "fraudulent", "product_not_received"]),
        )
        self._disputes.append(dispute)
        return dispute

    def _favourite(self, names: Sequence[str]) -> str:
        return names[int(len(names) * self._random.random() ** 2)]

    def _pick(self, events: Sequence[T]) -> T:
        """Pick one of the latest, sometimes any."""
        if self._random.random() < 0.7:
            return self._random.choice(events[-12:])
        return self._random.choice(events)


class RandomOutcomes:
    """Makes outcomes of what has come: of charges, most of them found to be this or that.

    Parameters
    ----------
    seed
        The same seed makes the same outcomes of the same stream.
    """

    REMEMBERED: Final[tuple[OutcomeName, ...]] = (
        "challenge_failed", "challenge_passed", "review_fraud", "review_genuine", "dispute_won",
        "dispute_won", "declined", "declined", "blocked", "answered",
    )  # fmt: skip
    """Those that say something to the histories of card and merchant."""

    AT_ONCE: Final[tuple[OutcomeName, ...]] = ("declined", "blocked", "answered")

    def __init__(self, seed: int) -> None:
        self._random = Random(f"outcomes {seed}")
        self._events: list[Event] = []
        self._outcomes: list[Outcome] = []

    def behind(self, event: Event) -> list[Outcome]:
        """Make the outcomes that come right behind an event: none, one, or two of one charge."""
        self._events.append(event)
        chance = self._random.random()
        if chance < 0.6:
            return []
        if chance < 0.64 and self._outcomes:
            return [self._random.choice(self._outcomes[-12:])]
        about = self._random.choice(self._events[-12:] if chance < 0.9 else self._events)
        outcomes = [self._outcome(about, event.created)]
        if chance > 0.95:
            outcomes.append(self._outcome(about, event.created))
        return outcomes

    def _outcome(self, about: Event, now: float) -> Outcome:
        """Make one of a charge, or of that of a dispute; now, before that or days later.

        What is known at once is seldom dated days ahead, as nothing counts behind that.
        """
        choice = self._random.choice
        is_any = self._random.random() < 0.2
        name = choice(get_args(OutcomeName) if is_any else self.REMEMBERED)
        is_at_once = not is_any and name in self.AT_ONCE
        later = [0.0, 0.0, HOUR, -HOUR, 0.0 if is_at_once else 3 * DAY, -8 * DAY]
        outcome = Outcome(
            id=f"outcome_{len(self._outcomes)}",
            charge=about.id if isinstance(about, Charge) else about.charge,
            card=about.card,
            merchant=about.merchant,
            created=now + choice(later),
            outcome=name,
            action=choice(get_args(Action)) if name == "answered" else None,
        )
        self._outcomes.append(outcome)
        return outcome


def with_outcomes(events: Sequence[Event], seed: int) -> list[AnyEvent]:
    """Put random outcomes into a stream."""
    outcomes = RandomOutcomes(seed)
    return [each for event in events for each in (event, *outcomes.behind(event))]


def some_charges(events: Sequence[AnyEvent], seed: int, share: float = 0.3) -> frozenset[Charge]:
    """Pick a random share of a stream's charges."""
    random = Random(f"some {seed}")
    charges = [event for event in events if isinstance(event, Charge)]
    return frozenset(charge for charge in charges if random.random() < share)


def cut(events: Sequence[T], seed: int, largest: int = 60) -> list[Sequence[T]]:
    """Cut a stream into random batches."""
    random, batches, start = Random(seed), [], 0
    while start < len(events):
        size = random.randint(1, largest)
        batches.append(events[start : start + size])
        start += size
    return batches
