"""Where a card is used: a charge's merchant, country and device against those used lately."""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.compiled import compiled
from streams.durations import DAY_S, HOUR_S
from streams.features.recent_keys import (
    distinct_also_before,
    distinct_in,
    place_of,
    remember,
    remember_use,
    short_hash,
)
from streams.features.spec import Feature, column
from streams.features.windows import AHEAD_S, Vector

NEVER_S = 90 * DAY_S
"""Longest time since anything, in seconds, and the value of "never"."""


def _feature(name: str, unit: str, transform: Any, missing: str, text: str) -> Feature:
    return Feature(f"card_{name}", "card", unit, transform, missing, text)


PLACE_FEATURES = (
    _feature("merchants_1h", "merchants", "log1p", "1", "{value:.0f} merchants in the last hour"),
    _feature("merchants_24h", "merchants", "log1p", "1",
             "{value:.0f} merchants in the last 24 hours"),
    _feature("merchants_7d", "merchants", "log1p", "1", "{value:.0f} merchants in the last 7 days"),
    _feature("countries_30d", "countries", "log1p", "0",
             "{value:.0f} merchant countries in the last 30 days"),
    _feature("devices_30d", "devices", "log1p", "0", "{value:.0f} devices in the last 30 days"),
    _feature("merchant_first", "flag", "none", "1",
             "this merchant is not among the card's last 32"),
    _feature("since_merchant", "s", "log1p", "90 days",
             "{value:.0f} s since the card was last used at this merchant"),
    _feature("country_first", "flag", "none", "0", "the merchant's country is new for this card"),
    _feature("device_first", "flag", "none", "0", "the device is new for this card"),
)  # fmt: skip

MERCHANTS_1H = column(PLACE_FEATURES, "card_merchants_1h")
MERCHANTS_24H = column(PLACE_FEATURES, "card_merchants_24h")
MERCHANTS_7D = column(PLACE_FEATURES, "card_merchants_7d")
COUNTRIES_30D = column(PLACE_FEATURES, "card_countries_30d")
DEVICES_30D = column(PLACE_FEATURES, "card_devices_30d")
MERCHANT_FIRST = column(PLACE_FEATURES, "card_merchant_first")
SINCE_MERCHANT = column(PLACE_FEATURES, "card_since_merchant")
COUNTRY_FIRST = column(PLACE_FEATURES, "card_country_first")
DEVICE_FIRST = column(PLACE_FEATURES, "card_device_first")


@compiled
def places(record: Any, event: Any, row: Vector) -> None:
    """Write where the card is used now, against where it was used lately; remember it.

    Of a place the last time is known. In windows of a day and more what was last used up to
    `AHEAD_S` after the charge counts as used before, which it mostly was; in that of an hour it
    counts if its uses say so.
    """
    created, merchant = event.created, short_hash(event.merchant)
    place = place_of(record.merchants, merchant)
    row[MERCHANT_FIRST] = place < 0
    row[SINCE_MERCHANT] = NEVER_S
    if place >= 0:
        row[SINCE_MERCHANT] = min(max(created - record.merchants_seen[place], 0.0), NEVER_S)
    country = np.uint32(event.merchant_country)
    row[COUNTRY_FIRST] = country != 0 and place_of(record.countries, country) < 0
    device = short_hash(event.device)
    row[DEVICE_FIRST] = device != 0 and place_of(record.devices, device) < 0

    remember_use(record.merchants_seen, record.merchant_uses, place, created)
    remember(record.merchants, record.merchants_seen, merchant, created)
    if country != 0:
        remember(record.countries, record.countries_seen, country, created)
    if device != 0:
        remember(record.devices, record.devices_seen, device, created)
    keys, seen, end = record.merchants, record.merchants_seen, created + AHEAD_S
    row[MERCHANTS_1H] = distinct_in(keys, seen, merchant, created - HOUR_S, created)
    if created < record.clock_s:
        row[MERCHANTS_1H] += distinct_also_before(
            keys, seen, record.merchant_uses, merchant, created
        )
    row[MERCHANTS_24H] = distinct_in(keys, seen, merchant, created - DAY_S, end)
    row[MERCHANTS_7D] = distinct_in(keys, seen, merchant, created - 7 * DAY_S, end)
    keys, seen = record.countries, record.countries_seen
    row[COUNTRIES_30D] = distinct_in(keys, seen, country, created - 30 * DAY_S, end)
    keys, seen = record.devices, record.devices_seen
    row[DEVICES_30D] = distinct_in(keys, seen, device, created - 30 * DAY_S, end)
