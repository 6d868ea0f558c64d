"""Every feature of a charge, computed slowly and plainly from the list of all events before it.

An oracle for tests: it knows the feature table's words, and none of the code that computes it. It
keeps events, not aggregates, and goes through all of them again for every charge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from schemas.charge import Charge
from schemas.currency import bundled_rates
from tests.streams.features.brute_card import of_card
from tests.streams.features.brute_merchant import of_merchant
from tests.streams.features.brute_past import (
    AHEAD,
    DAY,
    AnyEvent,
    CardPast,
    Label,
    Labelled,
    MerchantPast,
    Values,
    counted,
    day_of,
    found_at,
    hour_of,
    is_said_again,
    meaning_of,
)
from tests.streams.features.brute_shared import (
    SHARED_NAMES,
    SharedPast,
    entities_of,
    of_shared,
)

if TYPE_CHECKING:
    from collections.abc import Container

RESOLD = {4829, 5732, 5734, 5815, 5816, 5817, 5818, 5944, 5947, 6051, 6211, 6540, 7801, 7995}


@dataclass(frozen=True)
class Observed:
    """What is to be expected of an event.

    Attributes
    ----------
    is_duplicate
        Whether it counts nowhere, having come before.
    charged_at
        When the charge of a dispute or outcome was made, if it came to its merchant before.
    found_at
        When that charge was found to be a fraud by what its card saw before, if it was and if the
        event finds a fraud too, or takes one back; or said to be blocked, if the event says so.
    features
        The features of a charge by name, else empty.
    """

    is_duplicate: bool
    charged_at: float | None = None
    found_at: float | None = None
    features: Values = field(default_factory=dict)


class BruteForce:
    """The features of every charge of a stream.

    Feed it the events in the order they are processed: `observe` where cards and merchants see the
    same order, `at_card` and then `at_merchant` where each has an order of its own.

    Parameters
    ----------
    dedup_window_s
        How far apart two charges of one id may be for the second to be a duplicate.
    horizon_s
        Age at which an undisputed charge is a good one.
    stopped
        Charges that are challenged, reviewed or blocked.
    blocked
        Those of them that are blocked.
    kept_s
        For how long a charge is kept for its labels to reach what it shares with others.
    """

    def __init__(
        self,
        dedup_window_s: float = DAY,
        horizon_s: float = 30 * DAY,
        stopped: Container[Charge] = frozenset(),
        blocked: Container[Charge] = frozenset(),
        kept_s: float = math.inf,
    ) -> None:
        self._dedup_window_s = dedup_window_s
        self._horizon_s = horizon_s
        self._stopped = stopped
        self._blocked = blocked
        self._stream_time = 0.0
        self._cards: dict[str, CardPast] = {}
        self._merchants: dict[str, MerchantPast] = {}
        self._charged_at: dict[tuple[str, str], float] = {}
        self._kept_s = kept_s
        self._shared: dict[tuple[str, str], SharedPast] = {}
        self._latest: dict[tuple[str, str], Charge] = {}

    def observe(self, event: AnyEvent) -> Observed:
        """Count an event; the features of a charge are all those of the feature table."""
        at_card = self.at_card(event)
        at_merchant = self.at_merchant(
            event, is_duplicate=at_card.is_duplicate, found_at=at_card.found_at
        )
        own = of_charge(event) if isinstance(event, Charge) else {}
        shared = self._at_shared(event, at_card)
        features = {**own, **at_card.features, **at_merchant.features, **shared}
        return Observed(at_card.is_duplicate, at_merchant.charged_at, at_card.found_at, features)

    def at_card(self, event: AnyEvent) -> Observed:
        """Count an event at its card."""
        past = self._cards.setdefault(event.card, CardPast())
        if not isinstance(event, Charge):
            if is_said_again(event, past.disputes):
                return Observed(is_duplicate=True)
            before = found_at(event, past.disputes)
            past.disputes.append(event)
            return Observed(is_duplicate=False, found_at=before)
        features = of_card(past, event)
        is_duplicate = self._is_duplicate(past, event)
        if not is_duplicate:
            past.charges.append(counted(event, past.clock))
        return Observed(is_duplicate, features=features)

    def at_merchant(
        self, event: AnyEvent, *, is_duplicate: bool, found_at: float | None = None
    ) -> Observed:
        """Count an event at its merchant, unless its card knew it for a duplicate.

        The card knows `found_at` as well.
        """
        past = self._merchants.setdefault(event.merchant, MerchantPast())
        if not isinstance(event, Charge):
            charged_at = self._charged_at.get((event.card, event.charge))
            if not is_duplicate:
                past.disputes.append(Labelled(event, charged_at, past.clock, found_at))
            return Observed(is_duplicate, charged_at, found_at)
        self._stream_time = max(self._stream_time, event.created)
        features = of_merchant(past, event, self._horizon_s, self._stream_time)
        if not is_duplicate:
            past.charges.append(counted(event, past.clock))
            self._charged_at[event.card, event.id] = event.created
            if event in self._stopped:
                past.stopped_on.append(day_of(self._stream_time))
            if event in self._blocked:
                past.blocked_in.append(hour_of(self._stream_time))
        return Observed(is_duplicate, features=features)

    def _at_shared(self, event: AnyEvent, at_card: Observed) -> Values:
        """Count an event at what its charge shares with others, once its merchant has."""
        if not isinstance(event, Charge):
            self._judge(event, at_card)
            return {}
        pasts = {
            kind: self._shared.setdefault((kind, value), SharedPast())
            for kind, value in entities_of(event)
        }
        features = dict.fromkeys(
            (f"{kind}_{name}" for kind, name in product(("device", "ip", "email"), SHARED_NAMES)),
            0.0,
        )
        for kind, past in pasts.items():
            of_kind = of_shared(past, event, self._stream_time)
            features |= {f"{kind}_{name}": value for name, value in of_kind.items()}
            if not at_card.is_duplicate:
                past.charges.append(counted(event, past.clock))
                if event in self._blocked:
                    past.blocked_in.append(hour_of(self._stream_time))
        if not at_card.is_duplicate:
            self._latest[event.card, event.id] = event
        return features

    def _judge(self, label: Label, at_card: Observed) -> None:
        """Tell what a charge shares that it was found to be a fraud, or its dispute was won."""
        charge = self._latest.get((label.card, label.charge))
        oldest_day = day_of(max(self._stream_time - self._kept_s, 0.0))
        if at_card.is_duplicate or charge is None or day_of(charge.created) < oldest_day:
            return
        change = 0
        if meaning_of(label) == "fraud" and at_card.found_at is None:
            change = 1
        elif meaning_of(label) == "won" and at_card.found_at is not None:
            change = -1
        for entity in entities_of(charge):
            self._shared[entity].frauds.append((self._stream_time, change))

    def _is_duplicate(self, past: CardPast, charge: Charge) -> bool:
        """Whether a charge of this id came at most a window and an hour ago by the card's clock.

        An hour is by how much it may be ahead. Both have to be made at most a window apart as well.
        """
        now = max(past.clock, charge.created)
        return any(
            other.charge.id == charge.id
            and abs(other.created - charge.created) <= self._dedup_window_s
            and other.clock + self._dedup_window_s + AHEAD >= now
            for other in past.charges
        )


def of_charge(charge: Charge) -> Values:
    """The features that a charge has by itself."""
    amount = bundled_rates().usd(charge.amount, charge.currency)
    angle = 2 * math.pi * (charge.created % DAY) / DAY
    has_card = charge.payment_method not in {"sepa_debit", "wallet", "bank_redirect"}
    values: dict[str, float] = {
        "amount": amount,
        "hour_sin": math.sin(angle),
        "hour_cos": math.cos(angle),
        "weekend": day_of(charge.created) % 7 in {2, 3},  # day 0, 1 January 1970, was a Thursday
        "funding_missing": has_card and charge.funding is None,
        "funding_debit": charge.funding == "debit",
        "funding_prepaid": charge.funding == "prepaid",
        "channel_missing": charge.channel is None,
        "channel_online": charge.channel == "online",
        "channel_recurring": charge.channel == "recurring",
        "three_d_secure_missing": has_card and charge.three_d_secure is None,
        "three_d_secure_yes": charge.three_d_secure is True,
        "payment_method_missing": charge.payment_method is None,
        "payment_method_other": charge.payment_method not in {None, "card"},
        "merchant_country_missing": charge.merchant_country is None,
        "card_country_missing": has_card and charge.card_country is None,
        "ip_country_missing": charge.ip_country is None,
        "merchant_country_is_not_card_country": _differ(
            charge.merchant_country, charge.card_country
        ),
        "ip_country_is_not_card_country": _differ(charge.ip_country, charge.card_country),
        "ip_country_is_not_merchant_country": _differ(charge.ip_country, charge.merchant_country),
        "mcc_missing": charge.mcc is None,
        "mcc_resold": charge.mcc in RESOLD,
        "device_missing": charge.device is None,
        "ip_missing": charge.ip is None,
        "email_missing": charge.email is None,
        "mcc_category": charge.mcc or 0,
        "currency_category": 1 + _letters(charge.currency),
        "payment_method_category": _hashed(charge.payment_method),
        "card_and_merchant_country_category": _pair(charge.card_country, charge.merchant_country),
        "card_and_ip_country_category": _pair(charge.card_country, charge.ip_country),
    }
    for band in (20, 50, 100, 200, 500):
        values[f"amount_over_{band}"] = amount >= band
    for check, outcome in (("cvc_check", charge.cvc_check), ("postal_check", charge.postal_check)):
        values[f"{check}_missing"] = has_card and outcome is None
        values[f"{check}_fail"] = outcome == "fail"
        values[f"{check}_unchecked"] = outcome == "unchecked"
    return {name: float(value) for name, value in values.items()}


def _letters(text: str) -> int:
    """A text of letters as a number of as many digits to the base of 26."""
    return sum(26**place * (ord(letter) - 97) for place, letter in enumerate(text.lower()[::-1]))


def _hashed(text: str | None) -> int:
    return 0 if text is None else 1 + xxh3_64_intdigest(text.encode()) % (2**24 - 1)


def _pair(one: str | None, other: str | None) -> int:
    """Two countries as a number to the base of 678: 676 of two letters, none, and all others."""
    if one is None or other is None:
        return 0
    first, second = (1 + _letters(text) if text.isalpha() else 677 for text in (one, other))
    return 678 * first + second


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other
