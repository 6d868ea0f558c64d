"""The features that a card's past gives a charge, from the list of all its events."""

from __future__ import annotations

import math
from itertools import accumulate
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, TypeVar

from tests.streams.features.brute_past import (
    AHEAD,
    DAY,
    HOUR,
    MINUTE,
    age,
    counted,
    day_of,
    first_of,
    found_at,
    in_window,
    is_fraud_dispute,
    known_in_windows,
    meaning_of,
    tiles_of,
    velocity,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.charge import Charge
    from tests.streams.features.brute_past import CardPast, Counted, Label, Values

Key = TypeVar("Key")

NEVER_S = 90 * DAY
LATEST_DISPUTES = 8
LATEST_MERCHANTS, LATEST_COUNTRIES, LATEST_DEVICES = 32, 6, 8


def of_card(past: CardPast, charge: Charge) -> Values:
    """The card's features of a charge."""
    before, this = past.charges, counted(charge, past.clock)
    now = charge.created
    values = velocity([*before, this], this)
    values["pace_24h"] = 30.0 * values["count_24h"] / max(values["count_30d"], 1.0)
    values["failed_checks_24h"] = sum(
        "fail" in {other.charge.cvc_check, other.charge.postal_check}
        for other in in_window([*before, this], this, "24h")
    )
    values["charges_before"] = len(before)
    values["age"] = age(before, now)
    values["since_previous"] = _since_previous(before, now)
    values.update(_amount_against_card(before, this))
    values.update(_places(before, this))
    values.update(_habits([other.charge for other in before], charge))
    values.update(disputes_of_card(past.disputes, now))
    values.update(outcomes_of_card(past.disputes, now))
    return {f"card_{name}": value for name, value in values.items()}


def outcomes_of_card(labels: Sequence[Label], now: float) -> Values:
    """How many charges were declined, and blocked; each is blocked once, by whoever says so."""
    told = [
        (label, meaning_of(label))
        for place, label in enumerate(labels)
        if meaning_of(label) == "declined"
        or (meaning_of(label) == "blocked" and found_at(label, labels[:place]) is None)
    ]
    counts = [(name, window) for name in ("declined", "blocked") for window in ("1h", "24h", "7d")]
    return known_in_windows(told, counts, now)


def _since_previous(before: Sequence[Counted], now: float) -> float:
    """Since the newest charge that is not after this one.

    If there are others that are, only the seven that came last are known, and the first of all.
    """
    made = [charge.created for charge in before]
    if made and max(made) > now:
        made = [*made[-7:], first_of(before)]
    return min([now - time for time in made if time <= now] + [NEVER_S])


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
    tile_s, first, last = tiles_of(this, "7d")
    deviations = [
        math.log1p(other.amount) - math.log1p(mean)
        for other, mean in zip(before[1:], means, strict=False)
        if first <= other.created // tile_s <= last
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


def _habits(before: Sequence[Charge], this: Charge) -> Values:
    """Shares of the card's charges: at about this hour, on this weekday, of a category, a country.

    With five charges that are usual. Counts of a kind are halved before one would be 256.
    """
    hours: dict[int, int] = {}
    weekdays: dict[int, int] = {}
    categories: dict[int, int] = {}
    countries: dict[str, int] = {}
    for charge in before:
        _count(hours, _hour(charge), 24)
        _count(weekdays, day_of(charge.created) % 7, 7)
        _count(categories, charge.mcc, 8)
        _count(countries, charge.merchant_country, LATEST_COUNTRIES)
    hour = _hour(this)
    near = sum(hours.get(near % 24, 0) for near in (hour - 1, hour, hour + 1))
    return {
        "hour_share": _usual(near, sum(hours.values()), 3 / 24),
        "weekday_share": _usual(
            weekdays.get(day_of(this.created) % 7, 0), sum(weekdays.values()), 1 / 7
        ),
        "category_share": _share(categories, this.mcc),
        "country_share": _share(countries, this.merchant_country),
        "category_first": float(this.mcc is not None and this.mcc not in categories),
    }


def _hour(charge: Charge) -> int:
    return math.floor(charge.created % DAY / HOUR)


def _count(uses: dict[Key, int], key: Key | None, size: int) -> None:
    """Count a use; the key not used for longest is forgotten when there are more than `size`."""
    if key is None:
        return
    uses[key] = uses.pop(key, 0)
    if uses[key] == 255:
        for each in uses:
            uses[each] //= 2
    uses[key] += 1
    if len(uses) > size:
        del uses[next(iter(uses))]


def _share(uses: dict[Key, int], key: Key | None) -> float:
    return 0.1 if key is None else _usual(uses.get(key, 0), sum(uses.values()), 0.1)


def _usual(uses: int, charges: int, usual: float) -> float:
    return (uses + 5 * usual) / (charges + 5)


Memory = dict[str, list[int]]
"""The keys used lately, and the seconds in which each was used since it is among them."""


def _use(memory: Memory, key: str | None, created: float, size: int) -> None:
    """Use a key. The one not used for longest is forgotten when there are more than `size`."""
    if key is not None:
        memory[key] = memory.pop(key, [])
        memory[key].append(math.floor(created))
        if len(memory) > size:
            del memory[next(iter(memory))]


def _places(before: Sequence[Counted], this: Counted) -> Values:
    merchants: Memory = {}
    countries: Memory = {}
    devices: Memory = {}

    def use(charge: Charge, created: float) -> None:
        _use(merchants, charge.merchant, created, LATEST_MERCHANTS)
        _use(countries, charge.merchant_country, created, LATEST_COUNTRIES)
        _use(devices, charge.device, created, LATEST_DEVICES)

    def since(memory: Memory, own: str | None, length_s: float) -> int:
        return sum(
            key == own or now - length_s <= max(seen) <= now + AHEAD for key, seen in memory.items()
        )

    for other in before:
        use(other.charge, other.created)
    charge, now = this.charge, this.created
    at_merchant = NEVER_S
    if charge.merchant in merchants:
        at_merchant = min(max(now - max(merchants[charge.merchant]), 0.0), NEVER_S)
    country_known = charge.merchant_country is None or charge.merchant_country in countries
    device_known = charge.device is None or charge.device in devices
    values = {
        "merchant_first": float(charge.merchant not in merchants),
        "since_merchant": at_merchant,
        "country_first": float(not country_known),
        "device_first": float(not device_known),
    }
    use(charge, now)
    return values | {
        "merchants_1h": sum(
            key == charge.merchant or _in_hour(seen, now) for key, seen in merchants.items()
        ),
        "merchants_24h": since(merchants, charge.merchant, DAY),
        "merchants_7d": since(merchants, charge.merchant, 7 * DAY),
        "countries_30d": since(countries, charge.merchant_country, 30 * DAY),
        "devices_30d": since(devices, charge.device, 30 * DAY),
    }


def _in_hour(seen: Sequence[int], now: float) -> bool:
    """Whether one was used in the hour before a time; in whole tiles if it was used later as well.

    Of these tiles there is memory for sixteen.
    """
    newest = max(seen)
    if newest <= now:
        return newest >= now - HOUR
    tile, tile_s = now // (10 * MINUTE), 10 * MINUTE
    first = max(tile - 6, newest // tile_s - 15)
    return any(first <= time // tile_s <= tile for time in seen)


def disputes_of_card(labels: Sequence[Label], now: float) -> Values:
    """The latest disputes, each from the first whole second on that is not before it."""
    latest = _latest_disputes(labels)
    ago = [(now - made, is_fraud) for made, is_fraud in filter(None, latest)]
    frauds = [age for age, is_fraud in ago if is_fraud and 0 <= age <= NEVER_S]
    others = [age for age, is_fraud in ago if not is_fraud and 0 <= age <= NEVER_S]
    return {
        "fraud_disputes": len(frauds),
        "other_disputes": len(others),
        "since_fraud_dispute": min(frauds, default=NEVER_S),
    }


def _latest_disputes(labels: Sequence[Label]) -> list[tuple[int, bool] | None]:
    """The seconds of the latest disputes and which are for fraud; of one that was won, nothing.

    A charge is found to be a fraud once, by whatever says so first. What was won keeps its place;
    of several of one second it is that of the last.
    """
    latest: list[tuple[int, bool] | None] = []
    found: dict[str, int] = {}
    disputed = set()
    for label in labels:
        meaning, second = meaning_of(label), math.ceil(label.created)
        if meaning == "other dispute":
            latest.append((second, False))
        if meaning == "fraud" and label.charge not in found:
            found[label.charge] = second
            latest.append((second, True))
        if meaning == "won" and label.charge in disputed:
            won = (found[label.charge], True)
            places = [place for place, dispute in enumerate(latest) if dispute == won]
            latest = [None if place in places[-1:] else d for place, d in enumerate(latest)]
        if is_fraud_dispute(label):
            disputed.add(label.charge)
        latest = latest[-LATEST_DISPUTES:]
    return latest
