"""Every feature of a charge, computed slowly and plainly from the list of all events before it.

An oracle for tests: it knows the feature table's words, and none of the code that computes it. It
keeps events, not aggregates, and goes through all of them again for every charge.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from schemas.charge import Charge
from schemas.currency import reference_amount
from schemas.dispute import Dispute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

WINDOWS = {
    "10m": (10 * MINUTE, 2 * MINUTE),
    "1h": (HOUR, 10 * MINUTE),
    "24h": (DAY, 3 * HOUR),
    "7d": (7 * DAY, DAY),
    "30d": (30 * DAY, 3 * DAY),
}
"""Length and tile of each window, seconds: counted is from the start of a tile on."""

LABEL_DAYS = 98
NEVER_S = 90 * DAY
LATEST_DISPUTES = 8
LATEST_MERCHANTS, LATEST_COUNTRIES, LATEST_DEVICES = 32, 6, 8
BITS = {"cards_1h": 256, "cards_24h": 256, "small_cards_1h": 128}
SMALL_AMOUNT = 5.0
RESOLD = {4829, 5732, 5734, 5815, 5816, 5817, 5818, 5944, 5947, 6051, 6211, 6540, 7801, 7995}
PRIOR_SHARE, PRIOR_CHARGES = 0.004, 5.0
YOUNG_LABEL = 0.05

Event = Charge | Dispute
Values = dict[str, float]


@dataclass(frozen=True)
class Counted:
    """A charge that counted: its amount in the reference currency, and the clock it counted at."""

    charge: Charge
    amount: float
    clock: float

    @property
    def created(self) -> float:
        return self.charge.created


@dataclass(frozen=True)
class Labelled:
    """A dispute that counted: when its charge was made, if it counted before, and the clock."""

    dispute: Dispute
    charged_at: float | None
    clock: float


@dataclass
class CardPast:
    """All that a card did, in the order it came."""

    charges: list[Counted] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def clock(self) -> float:
        return max((charge.created for charge in self.charges), default=0.0)


@dataclass
class MerchantPast:
    """All that a merchant saw, in the order it came."""

    charges: list[Counted] = field(default_factory=list)
    disputes: list[Labelled] = field(default_factory=list)

    @property
    def clock(self) -> float:
        return max((charge.created for charge in self.charges), default=0.0)


@dataclass(frozen=True)
class Observed:
    """What is to be expected of an event.

    Attributes
    ----------
    is_repeat
        Whether it counts nowhere, having come before.
    charged_at
        When the charge of a dispute was made, if it came to its merchant before.
    features
        The features of a charge by name, empty for a dispute.
    """

    is_repeat: bool
    charged_at: float | None = None
    features: Values = field(default_factory=dict)


class BruteForce:
    """The features of every charge of a stream.

    Feed it the events in the order they are processed: `observe` where cards and merchants see the
    same order, `at_card` and then `at_merchant` where each has an order of its own.

    Parameters
    ----------
    dedup_window_s
        How far apart two charges of one id may be for the second to be a repeat.
    horizon_s
        Age at which an undisputed charge is a good one.
    """

    def __init__(self, dedup_window_s: float = DAY, horizon_s: float = 30 * DAY) -> None:
        self._dedup_window_s = dedup_window_s
        self._horizon_s = horizon_s
        self._cards: dict[str, CardPast] = {}
        self._merchants: dict[str, MerchantPast] = {}
        self._charged_at: dict[tuple[str, str], float] = {}

    def observe(self, event: Event) -> Observed:
        """Count an event; the features of a charge are all those of the feature table."""
        at_card = self.at_card(event)
        at_merchant = self.at_merchant(event, is_repeat=at_card.is_repeat)
        own = of_charge(event) if isinstance(event, Charge) else {}
        features = {**own, **at_card.features, **at_merchant.features}
        return Observed(at_card.is_repeat, at_merchant.charged_at, features)

    def at_card(self, event: Event) -> Observed:
        """Count an event at its card."""
        past = self._cards.setdefault(event.card, CardPast())
        if isinstance(event, Dispute):
            is_repeat = any(
                (other.charge, other.is_fraud) == (event.charge, event.is_fraud)
                for other in past.disputes
            )
            if not is_repeat:
                past.disputes.append(event)
            return Observed(is_repeat)
        features = of_card(past, event)
        is_repeat = self._is_repeat(past, event)
        if not is_repeat:
            past.charges.append(_counted(event, past.clock))
        return Observed(is_repeat, features=features)

    def at_merchant(self, event: Event, *, is_repeat: bool) -> Observed:
        """Count an event at its merchant, unless its card knew it for a repeat."""
        past = self._merchants.setdefault(event.merchant, MerchantPast())
        if isinstance(event, Dispute):
            charged_at = self._charged_at.get((event.card, event.charge))
            if not is_repeat:
                past.disputes.append(Labelled(event, charged_at, past.clock))
            return Observed(is_repeat, charged_at)
        features = of_merchant(past, event, self._horizon_s)
        if not is_repeat:
            past.charges.append(_counted(event, past.clock))
            self._charged_at[event.card, event.id] = event.created
        return Observed(is_repeat, features=features)

    def _is_repeat(self, past: CardPast, charge: Charge) -> bool:
        """Whether a charge of this id came at most a window ago by the card's clock.

        Both have to be made at most a window apart as well.
        """
        now = max(past.clock, charge.created)
        return any(
            other.charge.id == charge.id
            and abs(other.created - charge.created) <= self._dedup_window_s
            and other.clock + self._dedup_window_s >= now
            for other in past.charges
        )


def of_charge(charge: Charge) -> Values:
    """The features that a charge has by itself."""
    amount = reference_amount(charge.amount, charge.currency)
    angle = 2 * math.pi * (charge.created % DAY) / DAY
    values: dict[str, float | bool] = {
        "amount": amount,
        "hour_sin": math.sin(angle),
        "hour_cos": math.cos(angle),
        "weekend": _day(charge.created) % 7 in {2, 3},  # day 0, 1 January 1970, was a Thursday
        "funding_missing": charge.funding is None,
        "funding_debit": charge.funding == "debit",
        "funding_prepaid": charge.funding == "prepaid",
        "channel_missing": charge.channel is None,
        "channel_online": charge.channel == "online",
        "channel_recurring": charge.channel == "recurring",
        "three_d_secure_missing": charge.three_d_secure is None,
        "three_d_secure_yes": charge.three_d_secure is True,
        "payment_method_missing": charge.payment_method is None,
        "payment_method_other": charge.payment_method not in {None, "card"},
        "merchant_country_missing": charge.merchant_country is None,
        "card_country_missing": charge.card_country is None,
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
    }
    for band in (20, 50, 100, 200, 500):
        values[f"amount_over_{band}"] = amount >= band
    for check, outcome in (("cvc_check", charge.cvc_check), ("postal_check", charge.postal_check)):
        values[f"{check}_missing"] = outcome is None
        values[f"{check}_fail"] = outcome == "fail"
        values[f"{check}_unchecked"] = outcome == "unchecked"
    return {name: float(value) for name, value in values.items()}


def of_card(past: CardPast, charge: Charge) -> Values:
    """The card's features of a charge."""
    before, this = past.charges, _counted(charge, past.clock)
    now = this.clock
    values = _velocity([*before, this], now)
    values["pace_24h"] = 30.0 * values["count_24h"] / max(values["count_30d"], 1.0)
    values["charges_before"] = len(before)
    values["age"] = max(now - before[0].created, 0.0) if before else 0.0
    values["since_previous"] = min(now - past.clock, NEVER_S) if before else NEVER_S
    values.update(_amount_against_card(before, this))
    values.update(_places(before, this))
    values.update(_disputes_of_card(past.disputes, now))
    return {f"card_{name}": value for name, value in values.items()}


def of_merchant(past: MerchantPast, charge: Charge, horizon_s: float) -> Values:
    """The merchant's features of a charge."""
    before, this = past.charges, _counted(charge, past.clock)
    now = this.clock
    values = _velocity([*before, this], now)
    values["pace_1h"] = 168.0 * values["count_1h"] / max(values["count_7d"], 1.0)
    values.update(_cards([*before, this], now))
    values["charges_before"] = len(before)
    values["age"] = max(now - before[0].created, 0.0) if before else 0.0
    logs = [math.log1p(other.amount) for other in before]
    off = math.log1p(this.amount) - fmean(logs) if logs else 0.0
    values["amount_log_ratio"] = off
    values["amount_log_zscore"] = off / (pstdev(logs) + 0.1) if len(logs) > 1 else 0.0
    values.update(_dispute_shares([*before, this], past.disputes, now))
    values.update(_latest_labels([*before, this], past.disputes, now, horizon_s))
    return {f"merchant_{name}": value for name, value in values.items()}


def _counted(charge: Charge, clock: float) -> Counted:
    amount = reference_amount(charge.amount, charge.currency)
    return Counted(charge, amount, max(clock, charge.created))


def _day(time_s: float) -> int:
    return math.floor(time_s / DAY)


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _begin(now: float, name: str) -> float:
    """Since when a window counts: its full tiles, and the one that runs."""
    length_s, tile_s = WINDOWS[name]
    return (now // tile_s) * tile_s - length_s


def _in_window(charges: Iterable[Counted], now: float, name: str) -> list[Counted]:
    begin = _begin(now, name)
    return [charge for charge in charges if charge.created >= begin]


def _velocity(charges: Sequence[Counted], now: float) -> Values:
    values: Values = {}
    for name in WINDOWS:
        inside = _in_window(charges, now, name)
        values[f"count_{name}"] = len(inside)
        values[f"sum_{name}"] = sum(charge.amount for charge in inside)
    return values


def _amount_against_card(before: Sequence[Counted], this: Counted) -> Values:
    names = ("amount_log_ratio", "amount_over_2x", "amount_over_4x", "amount_zscore",
             "amount_recent_log_ratio", "amount_largest_log_ratio", "deviation_7d",
             "deviation_again")  # fmt: skip
    if not before:
        return dict.fromkeys(names, 0.0)
    amounts = [other.amount for other in before]
    means = [total / count for count, total in enumerate(accumulate(amounts), 1)]
    size = math.log1p(this.amount)
    ratio = size - math.log1p(means[-1])
    zscore = (this.amount - means[-1]) / (pstdev(amounts) + 1.0 + 0.1 * means[-1])
    deviations = [
        math.log1p(other.amount) - math.log1p(mean)
        for other, mean in zip(before[1:], means, strict=False)
        if other.created >= _begin(this.clock, "7d")
    ]
    deviation = max([0.0, *deviations])
    return {
        "amount_log_ratio": ratio,
        "amount_over_2x": max(ratio - math.log(2), 0.0),
        "amount_over_4x": max(ratio - math.log(4), 0.0),
        "amount_zscore": max(-10.0, min(zscore, 10.0)),
        "amount_recent_log_ratio": size - _recent_mean([math.log1p(x) for x in amounts]),
        "amount_largest_log_ratio": size - math.log1p(max(amounts)),
        "deviation_7d": deviation,
        "deviation_again": deviation * max(ratio, 0.0),
    }


def _recent_mean(values: Sequence[float]) -> float:
    """The plain mean of the first ten, after which each new value weighs a tenth."""
    mean = fmean(values[:10])
    later = values[10:]
    weights = [0.1 * 0.9 ** (len(later) - 1 - place) for place in range(len(later))]
    return 0.9 ** len(later) * mean + sum(w * v for w, v in zip(weights, later, strict=True))


def _memory(used: Iterable[tuple[str | None, float]], size: int) -> dict[str, int]:
    """The keys used lately, and the second each was last used in.

    The one not used for longest is forgotten when there are more than `size`.
    """
    memory: dict[str, int] = {}
    for key, created in used:
        if key is not None:
            seen = max(math.floor(created), memory.pop(key, 0))
            memory[key] = seen
            if len(memory) > size:
                del memory[next(iter(memory))]
    return memory


def _places(before: Sequence[Counted], this: Counted) -> Values:
    def memories(charges: Sequence[Counted]) -> tuple[dict[str, int], ...]:
        made = [(charge.charge, charge.created) for charge in charges]
        return (
            _memory(((c.merchant, created) for c, created in made), LATEST_MERCHANTS),
            _memory(((c.merchant_country, created) for c, created in made), LATEST_COUNTRIES),
            _memory(((c.device, created) for c, created in made), LATEST_DEVICES),
        )

    def since(memory: dict[str, int], length_s: float) -> int:
        return sum(seen >= this.clock - length_s for seen in memory.values())

    merchants, countries, devices = memories(before)
    charge = this.charge
    at_merchant = NEVER_S
    if charge.merchant in merchants:
        at_merchant = min(max(this.clock - merchants[charge.merchant], 0.0), NEVER_S)
    country_known = charge.merchant_country is None or charge.merchant_country in countries
    device_known = charge.device is None or charge.device in devices
    values = {
        "merchant_first": float(charge.merchant not in merchants),
        "since_merchant": at_merchant,
        "country_first": float(not country_known),
        "device_first": float(not device_known),
    }
    merchants, countries, devices = memories([*before, this])
    return values | {
        "merchants_1h": since(merchants, HOUR),
        "merchants_24h": since(merchants, DAY),
        "merchants_7d": since(merchants, 7 * DAY),
        "countries_30d": since(countries, 30 * DAY),
        "devices_30d": since(devices, 30 * DAY),
    }


def _disputes_of_card(disputes: Sequence[Dispute], now: float) -> Values:
    """The latest disputes, each from the first whole second on that is not before it."""
    ago = [(now - math.ceil(d.created), d.is_fraud) for d in disputes[-LATEST_DISPUTES:]]
    frauds = [age for age, is_fraud in ago if is_fraud and 0 <= age <= NEVER_S]
    others = [age for age, is_fraud in ago if not is_fraud and 0 <= age <= NEVER_S]
    return {
        "fraud_disputes": len(frauds),
        "other_disputes": len(others),
        "since_fraud_dispute": min(frauds, default=NEVER_S),
    }


def linear_count(cards: Iterable[str], bits: int) -> float:
    """The documented estimate of distinct cards: each sets one of the bits, m ln(m / unset)."""
    places = {xxh3_64_intdigest(card.encode()) % bits for card in cards}
    return bits * math.log(bits / max(bits - len(places), 1))


def _cards(charges: Sequence[Counted], now: float) -> Values:
    hour = _in_window(charges, now, "1h")
    small = [charge for charge in hour if charge.amount < SMALL_AMOUNT]
    seen = {"cards_1h": hour, "cards_24h": _in_window(charges, now, "24h"), "small_cards_1h": small}
    values = {
        name: linear_count((charge.charge.card for charge in some), BITS[name])
        for name, some in seen.items()
    }
    values["small_share_1h"] = len(small) / max(len(hour), 1)
    return values


def _smoothed(disputes: int, charges: int) -> float:
    return min((disputes + PRIOR_SHARE * PRIOR_CHARGES) / (charges + PRIOR_CHARGES), 1.0)


def _dispute_shares(charges: Sequence[Counted], disputes: Sequence[Labelled], now: float) -> Values:
    """Shares of the last days, each dispute on its own day; there is memory for 98 days of them."""
    today = _day(now)
    newest = max((_day(d.dispute.created) for d in disputes), default=0)
    ages = [
        (today - _day(d.dispute.created), d.dispute.is_fraud)
        for d in disputes
        if _day(d.dispute.created) > newest - LABEL_DAYS
    ]

    def share(days: int, *, is_fraud: bool) -> float:
        made = sum(today - _day(charge.created) <= days for charge in charges)
        return _smoothed(sum(0 <= age <= days and fraud == is_fraud for age, fraud in ages), made)

    values = {f"dispute_share_{days}d": share(days, is_fraud=True) for days in (7, 30, 90)}
    values["other_dispute_share_90d"] = share(90, is_fraud=False)
    values["since_fraud_dispute"] = min(
        (age for age, is_fraud in ages if is_fraud and 0 <= age <= 90), default=91
    )
    return values


def _latest_labels(
    charges: Sequence[Counted], disputes: Sequence[Labelled], now: float, horizon_s: float
) -> Values:
    """Shares of fraud among the latest labels, taken by whole days of charges, newest first."""
    today = _day(now)
    days = range(today, today - LABEL_DAYS, -1)
    made = Counter(_day(charge.created) for charge in charges)
    known = Counter(
        _day(label.charged_at)
        for label in disputes
        if label.dispute.is_fraud
        and label.charged_at is not None
        and label.charged_at <= label.clock
        and _day(label.clock) - _day(label.charged_at) < LABEL_DAYS
    )
    is_mature = [(day + 1) * DAY <= now - horizon_s for day in days]
    frauds = [float(known[day]) for day in days]
    goods = [float(max(made[day] - known[day], 0)) for day in days]
    labels = [
        fraud + (good if mature else YOUNG_LABEL * good)
        for fraud, good, mature in zip(frauds, goods, is_mature, strict=True)
    ]
    matured = [
        (fraud, fraud + good)
        for fraud, good, mature in zip(frauds, goods, is_mature, strict=True)
        if mature
    ]
    values = {f"fraud_share_last_{n}": _share_of_last(frauds, labels, n) for n in (1, 3, 5, 10)}
    for n in (5, 20):
        values[f"fraud_share_matured_{n}"] = _share_of_last(
            [fraud for fraud, _ in matured], [count for _, count in matured], n
        )
    first = next((place for place, fraud in enumerate(frauds) if fraud), None)
    values["fraud_recency"] = 0.0 if first is None else 1.0 / (1.0 + sum(labels[:first]))
    return values


def _share_of_last(frauds: Sequence[float], labels: Sequence[float], n: int) -> float:
    """The share of fraud in the fewest days that have `n` labels, or in all of them."""
    if not labels:
        return 0.0
    labels_up_to = list(accumulate(labels))
    frauds_up_to = list(accumulate(frauds))
    enough = next((place for place, count in enumerate(labels_up_to) if count >= n), None)
    if enough is None:
        return frauds_up_to[-1] / max(labels_up_to[-1], 1.0)
    return frauds_up_to[enough] / labels_up_to[enough]
