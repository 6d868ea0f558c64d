"""The features that a merchant's past gives a charge, from the list of all its events."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import accumulate
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from tests.streams.features.brute_past import (
    DAY,
    age,
    counted,
    day_of,
    hour_of,
    in_window,
    known_in_windows,
    meaning_of,
    velocity,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.charge import Charge
    from tests.streams.features.brute_past import Counted, Labelled, MerchantPast, Values

LABEL_DAYS = 98
BITS = {"cards_1h": 256, "cards_24h": 256, "small_cards_1h": 128}
SMALL_AMOUNT = 5.0
PRIOR_SHARE, PRIOR_CHARGES = 0.004, 5.0
YOUNG_LABEL = 0.05


def of_merchant(past: MerchantPast, charge: Charge, horizon_s: float, stream_time: float) -> Values:
    """The merchant's features of a charge, which came at a stream time."""
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
    values.update(_stopped_shares([*before, this], past.stopped_on, this, day_of(stream_time)))
    values.update(_outcomes(past, charge.created, hour_of(stream_time)))
    return {f"merchant_{name}": value for name, value in values.items()}


def _outcomes(past: MerchantPast, now: float, hour: int) -> Values:
    """How many charges were declined, and how many blocked in the hours before a running one."""
    declined = [
        (labelled.label, "declined")
        for labelled in past.disputes
        if meaning_of(labelled.label) == "declined"
    ]
    values = known_in_windows(declined, [("declined", "1h"), ("declined", "24h")], now)
    values["blocked_24h"] = sum(hour - 24 <= blocked < hour for blocked in past.blocked_in)
    return values


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


def _made(charges: Sequence[Counted], this: Counted, days: int) -> int:
    """How many charges the days up to that of a charge have; there is memory for 98 days."""
    today, oldest = day_of(this.created), day_of(this.clock) - LABEL_DAYS + 1
    return sum(
        charge is this or max(today - days, oldest) <= day_of(charge.created) <= today
        for charge in charges
    )


def _frauds(labels: Sequence[Labelled]) -> list[tuple[Labelled, float, int]]:
    """What finds a fraud, when, and 1; what takes one back, when that was found, and -1.

    A charge is found to be a fraud once.
    """
    changes = []
    for labelled in labels:
        meaning = meaning_of(labelled.label)
        if meaning == "fraud" and labelled.found_at is None:
            changes.append((labelled, labelled.label.created, 1))
        if meaning == "won" and labelled.found_at is not None:
            changes.append((labelled, labelled.found_at, -1))
    return changes


def _tally(changes: Iterable[tuple[int, int]]) -> dict[int, int]:
    """What each day has, of which none has less than nothing at any moment."""
    days: dict[int, int] = defaultdict(int)
    for day, change in changes:
        days[day] = max(days[day] + change, 0)
    return days


def _dispute_shares(
    charges: Sequence[Counted], labels: Sequence[Labelled], this: Counted
) -> Values:
    """Shares of the last days, each dispute on its own day; there is memory for 98 days of them."""
    today = day_of(this.created)
    of_frauds = [(day_of(found), change) for _, found, change in _frauds(labels)]
    of_others = [
        (day_of(labelled.label.created), 1)
        for labelled in labels
        if meaning_of(labelled.label) == "other dispute"
    ]
    newest = max((day for day, _ in [*of_frauds, *of_others]), default=0)
    frauds, others = _tally(of_frauds), _tally(of_others)

    def within(disputes: dict[int, int], days: int) -> int:
        first = max(today - days, newest - LABEL_DAYS + 1)
        return sum(count for day, count in disputes.items() if first <= day <= today)

    values = {
        f"dispute_share_{days}d": _smoothed(within(frauds, days), _made(charges, this, days))
        for days in (7, 30, 90)
    }
    values["other_dispute_share_90d"] = _smoothed(within(others, 90), _made(charges, this, 90))
    values["since_fraud_dispute"] = next((ago for ago in range(91) if within(frauds, ago)), 91)
    return values


def _stopped_shares(
    charges: Sequence[Counted], stopped_on: Sequence[int], this: Counted, today: int
) -> Values:
    """How many were stopped on the days before that of stream time, for each charge then."""
    return {
        f"stopped_share_{days}d": min(
            sum(today - days <= day < today for day in stopped_on) / _made(charges, this, days),
            1.0,
        )
        for days in (7, 30)
    }


def _latest_labels(
    charges: Sequence[Counted], labels: Sequence[Labelled], this: Counted, horizon_s: float
) -> Values:
    """Shares of fraud among the latest labels, taken by whole days of charges, newest first."""
    days = range(day_of(this.created), day_of(this.clock) - LABEL_DAYS, -1)
    made = Counter(day_of(charge.created) for charge in charges)
    known = _of_charges((labelled, change) for labelled, _, change in _frauds(labels))
    told = _of_charges(
        (labelled, 1) for labelled in labels if meaning_of(labelled.label) == "genuine"
    )
    is_mature = [(day + 1) * DAY <= this.created - horizon_s for day in days]
    frauds = [float(known[day]) for day in days]
    goods = [float(max(made[day] - known[day], 0)) for day in days]
    sure = [min(float(told[day]), good) for day, good in zip(days, goods, strict=True)]
    labelled = [
        fraud + (good if mature else genuine + (good - genuine) * YOUNG_LABEL)
        for fraud, good, genuine, mature in zip(frauds, goods, sure, is_mature, strict=True)
    ]
    matured = [
        (fraud, fraud + good)
        for fraud, good, mature in zip(frauds, goods, is_mature, strict=True)
        if mature
    ]
    values = {f"fraud_share_last_{n}": _share_of_last(frauds, labelled, n) for n in (1, 3, 5, 10)}
    for n in (5, 20):
        values[f"fraud_share_matured_{n}"] = _share_of_last(
            [fraud for fraud, _ in matured], [count for _, count in matured], n
        )
    first = next((place for place, fraud in enumerate(frauds) if fraud), None)
    values["fraud_run"] = 0
    for ago, fraud in enumerate(frauds):
        if fraud and (values["fraud_run"] == 0 or ago + 1 - values["fraud_run"] <= 7):
            values["fraud_run"] = ago + 1
    values["fraud_recency"] = 0.0 if first is None else 1.0 / (1.0 + sum(labelled[:first]))
    return values


def _of_charges(changes: Iterable[tuple[Labelled, int]]) -> dict[int, int]:
    """What the charges of each day have, of labels that came while their day was remembered."""
    return _tally(
        (day_of(labelled.charged_at), change)
        for labelled, change in changes
        if labelled.charged_at is not None
        and labelled.charged_at <= labelled.clock
        and day_of(labelled.clock) - day_of(labelled.charged_at) < LABEL_DAYS
    )


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
