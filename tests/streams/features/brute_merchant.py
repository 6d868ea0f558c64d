"""The features that a merchant's past gives a charge, from the list of all its events."""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from tests.streams.features.brute_past import DAY, age, counted, day_of, in_window, velocity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.charge import Charge
    from tests.streams.features.brute_past import Counted, Labelled, MerchantPast, Values

LABEL_DAYS = 98
BITS = {"cards_1h": 256, "cards_24h": 256, "small_cards_1h": 128}
SMALL_AMOUNT = 5.0
PRIOR_SHARE, PRIOR_CHARGES = 0.004, 5.0
YOUNG_LABEL = 0.05


def of_merchant(past: MerchantPast, charge: Charge, horizon_s: float) -> Values:
    """The merchant's features of a charge."""
    before, this = past.charges, counted(charge, past.clock)
    values = velocity([*before, this], this)
    values["pace_1h"] = 168.0 * values["count_1h"] / max(values["count_7d"], 1.0)
    values.update(_cards([*before, this], this))
    values["charges_before"] = len(before)
    values["age"] = age(before, charge.created)
    logs = [math.log1p(other.amount) for other in before]
    off = math.log1p(this.amount) - fmean(logs) if logs else 0.0
    values["amount_log_ratio"] = off
    values["amount_log_zscore"] = off / (pstdev(logs) + 0.1) if len(logs) > 1 else 0.0
    values.update(_dispute_shares([*before, this], past.disputes, this))
    values.update(_latest_labels([*before, this], past.disputes, this, horizon_s))
    return {f"merchant_{name}": value for name, value in values.items()}


def linear_count(cards: Iterable[str], bits: int) -> float:
    """The documented estimate of distinct cards: each sets one of the bits, m ln(m / unset)."""
    places = {xxh3_64_intdigest(card.encode()) % bits for card in cards}
    return bits * math.log(bits / max(bits - len(places), 1))


def _cards(charges: Sequence[Counted], this: Counted) -> Values:
    hour = in_window(charges, this, "1h")
    small = [charge for charge in hour if charge.amount < SMALL_AMOUNT]
    seen = {"cards_1h": hour, "cards_24h": in_window(charges, this, "24h"), "small_cards_1h": small}
    values = {
        name: linear_count((charge.charge.card for charge in some), BITS[name])
        for name, some in seen.items()
    }
    values["small_share_1h"] = len(small) / max(len(hour), 1)
    return values


def _smoothed(disputes: int, charges: int) -> float:
    return min((disputes + PRIOR_SHARE * PRIOR_CHARGES) / (charges + PRIOR_CHARGES), 1.0)


def _dispute_shares(
    charges: Sequence[Counted], disputes: Sequence[Labelled], this: Counted
) -> Values:
    """Shares of the last days, each dispute on its own day; there is memory for 98 days of them."""
    today = day_of(this.created)
    oldest = day_of(this.clock) - LABEL_DAYS + 1
    newest = max((day_of(d.dispute.created) for d in disputes), default=0)
    ages = [
        (today - day_of(d.dispute.created), d.dispute.is_fraud)
        for d in disputes
        if day_of(d.dispute.created) > newest - LABEL_DAYS
    ]

    def share(days: int, *, is_fraud: bool) -> float:
        made = sum(
            charge is this or max(today - days, oldest) <= day_of(charge.created) <= today
            for charge in charges
        )
        return _smoothed(sum(0 <= age <= days and fraud == is_fraud for age, fraud in ages), made)

    values = {f"dispute_share_{days}d": share(days, is_fraud=True) for days in (7, 30, 90)}
    values["other_dispute_share_90d"] = share(90, is_fraud=False)
    values["since_fraud_dispute"] = min(
        (age for age, is_fraud in ages if is_fraud and 0 <= age <= 90), default=91
    )
    return values


def _latest_labels(
    charges: Sequence[Counted], disputes: Sequence[Labelled], this: Counted, horizon_s: float
) -> Values:
    """Shares of fraud among the latest labels, taken by whole days of charges, newest first."""
    days = range(day_of(this.created), day_of(this.clock) - LABEL_DAYS, -1)
    made = Counter(day_of(charge.created) for charge in charges)
    known = Counter(
        day_of(label.charged_at)
        for label in disputes
        if label.dispute.is_fraud
        and label.charged_at is not None
        and label.charged_at <= label.clock
        and day_of(label.clock) - day_of(label.charged_at) < LABEL_DAYS
    )
    is_mature = [(day + 1) * DAY <= this.created - horizon_s for day in days]
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
