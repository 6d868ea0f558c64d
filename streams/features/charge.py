"""The charge's own features: what the charge says without any memory."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

from streams.compiled import compiled
from streams.durations import DAY_S
from streams.events.methods import (
    LACKS_CARD_COUNTRY,
    LACKS_CVC,
    LACKS_FUNDING,
    LACKS_POSTAL,
    LACKS_THREE_D_SECURE,
)
from streams.features.charge_categories import CATEGORY_FEATURES, categories
from streams.features.spec import Feature, column, first_column
from streams.features.windows import Vector

if TYPE_CHECKING:
    from streams.events.rows import Rows
    from streams.features.windows import Vector


def _feature(name: str, text: str) -> Feature:
    missing = "1" if name.endswith("_missing") else "0"
    return Feature(name, "charge", "flag", "none", missing, text)


_BASICS = (
    Feature("amount", "charge", "reference currency", "log1p", "never", "an amount of {value:.2f}"),
    Feature("hour_sin", "charge", "sine", "none", "never", "the hour of the day (UTC)"),
    Feature("hour_cos", "charge", "cosine", "none", "never", "the hour of the day (UTC)"),
    Feature("weekend", "charge", "flag", "none", "never", "made on a weekend (UTC)"),
)
AMOUNT_BANDS = (20.0, 50.0, 100.0, 200.0, 500.0)
"""Amounts from which a charge is in the next band, in the reference currency."""

_BANDS = tuple(
    _feature(f"amount_over_{band:.0f}", f"an amount of {band:.0f} or more") for band in AMOUNT_BANDS
)
_CODES = (
    _feature("funding_missing", "the card's funding is not known"),
    _feature("funding_debit", "a debit card"),
    _feature("funding_prepaid", "a prepaid card"),
    _feature("channel_missing", "the channel is not known"),
    _feature("channel_online", "made online"),
    _feature("channel_recurring", "a recurring charge"),
    _feature("cvc_check_missing", "no CVC check is known"),
    _feature("cvc_check_fail", "the CVC check failed"),
    _feature("cvc_check_unchecked", "the CVC was not checked"),
    _feature("postal_check_missing", "no postal code check is known"),
    _feature("postal_check_fail", "the postal code check failed"),
    _feature("postal_check_unchecked", "the postal code was not checked"),
    _feature("three_d_secure_missing", "whether 3-D Secure was used is not known"),
    _feature("three_d_secure_yes", "authenticated by 3-D Secure"),
    _feature("payment_method_missing", "the payment method is not known"),
    _feature("payment_method_other", "paid otherwise than by card"),
)
_COUNTRIES = (
    _feature("merchant_country_missing", "the merchant's country is not known"),
    _feature("card_country_missing", "the card's country is not known"),
    _feature("ip_country_missing", "the country of the IP address is not known"),
    _feature("merchant_country_is_not_card_country", "the card is from another country"),
    _feature("ip_country_is_not_card_country", "the IP address is not in the card's country"),
    _feature("ip_country_is_not_merchant_country", "the IP address is not in the shop's country"),
)
_TOKENS = (
    _feature("mcc_missing", "the merchant's category is not known"),
    _feature("mcc_resold", "a category whose goods are easily turned into money"),
    _feature("device_missing", "no device is known"),
    _feature("ip_missing", "no IP address is known"),
    _feature("email_missing", "no e-mail address is known"),
)

CHARGE_FEATURES = (*_BASICS, *_BANDS, *_CODES, *_COUNTRIES, *_TOKENS, *CATEGORY_FEATURES)

AMOUNT = column(CHARGE_FEATURES, "amount")
HOUR_SIN = column(CHARGE_FEATURES, "hour_sin")
HOUR_COS = column(CHARGE_FEATURES, "hour_cos")
WEEKEND = column(CHARGE_FEATURES, "weekend")
BANDS = first_column(CHARGE_FEATURES, [f"amount_over_{band:.0f}" for band in AMOUNT_BANDS])
FUNDING_MISSING = column(CHARGE_FEATURES, "funding_missing")
FUNDING_DEBIT = column(CHARGE_FEATURES, "funding_debit")
FUNDING_PREPAID = column(CHARGE_FEATURES, "funding_prepaid")
CHANNEL_MISSING = column(CHARGE_FEATURES, "channel_missing")
CHANNEL_ONLINE = column(CHARGE_FEATURES, "channel_online")
CHANNEL_RECURRING = column(CHARGE_FEATURES, "channel_recurring")
CVC_CHECK_MISSING = column(CHARGE_FEATURES, "cvc_check_missing")
CVC_CHECK_FAIL = column(CHARGE_FEATURES, "cvc_check_fail")
CVC_CHECK_UNCHECKED = column(CHARGE_FEATURES, "cvc_check_unchecked")
POSTAL_CHECK_MISSING = column(CHARGE_FEATURES, "postal_check_missing")
POSTAL_CHECK_FAIL = column(CHARGE_FEATURES, "postal_check_fail")
POSTAL_CHECK_UNCHECKED = column(CHARGE_FEATURES, "postal_check_unchecked")
THREE_D_SECURE_MISSING = column(CHARGE_FEATURES, "three_d_secure_missing")
THREE_D_SECURE_YES = column(CHARGE_FEATURES, "three_d_secure_yes")
PAYMENT_METHOD_MISSING = column(CHARGE_FEATURES, "payment_method_missing")
PAYMENT_METHOD_OTHER = column(CHARGE_FEATURES, "payment_method_other")
MERCHANT_COUNTRY_MISSING = column(CHARGE_FEATURES, "merchant_country_missing")
CARD_COUNTRY_MISSING = column(CHARGE_FEATURES, "card_country_missing")
IP_COUNTRY_MISSING = column(CHARGE_FEATURES, "ip_country_missing")
MERCHANT_COUNTRY_IS_NOT_CARD_COUNTRY = column(
    CHARGE_FEATURES, "merchant_country_is_not_card_country"
)
IP_COUNTRY_IS_NOT_CARD_COUNTRY = column(CHARGE_FEATURES, "ip_country_is_not_card_country")
IP_COUNTRY_IS_NOT_MERCHANT_COUNTRY = column(CHARGE_FEATURES, "ip_country_is_not_merchant_country")
MCC_MISSING = column(CHARGE_FEATURES, "mcc_missing")
MCC_RESOLD = column(CHARGE_FEATURES, "mcc_resold")
DEVICE_MISSING = column(CHARGE_FEATURES, "device_missing")
IP_MISSING = column(CHARGE_FEATURES, "ip_missing")
EMAIL_MISSING = column(CHARGE_FEATURES, "email_missing")
CATEGORIES = first_column(CHARGE_FEATURES, [feature.name for feature in CATEGORY_FEATURES])

_RESOLD_MCC = (4829, 5732, 5734, 5815, 5816, 5817, 5818, 5944, 5947, 6051, 6211, 6540, 7801, 7995)
"""Money transfer, electronics, digital goods and games, jewellery, gift cards, quasi-cash,
securities, stored value, gambling (ISO 18245)."""


@compiled
def charge_features(events: Rows, out: Any, lacking: Any) -> None:
    """Write the features of each charge.

    Parameters
    ----------
    events
        EVENT[N] of charges.
    out
        f4[N, len(CHARGE_FEATURES)], written.
    lacking
        u1[N], which fields of a card each charge cannot have, by its method of payment: that they
        are missing says nothing.
    """
    for i in range(len(events)):
        row = out[i]
        basics(events[i], row)
        bands(events[i], row)
        codes(events[i], row, lacking[i])
        countries(events[i], row, lacking[i])
        tokens(events[i], row)
        categories(events[i], row[CATEGORIES:])


@compiled
def basics(event: Any, row: Vector) -> None:
    """Write the amount and the time of day and week, in UTC."""
    angle = 2.0 * pi * (event.created % DAY_S) / DAY_S
    weekday = (event.created // DAY_S + 3) % 7  # 1 January 1970 was a Thursday, 0 is Monday
    row[AMOUNT] = event.amount
    row[HOUR_SIN] = sin(angle)
    row[HOUR_COS] = cos(angle)
    row[WEEKEND] = weekday >= 5


@compiled
def bands(event: Any, row: Vector) -> None:
    """Write which bands the amount has reached."""
    for band in range(len(AMOUNT_BANDS)):
        row[BANDS + band] = event.amount >= AMOUNT_BANDS[band]


@compiled
def codes(event: Any, row: Vector, lacking: int) -> None:
    """Write the one-hot codes; of known values the most ordinary one has no column of its own."""
    # Read at first: what is read between two writes has to be read again.
    funding, channel, method = event.funding, event.channel, event.payment_method
    cvc, postal, three_d = event.cvc_check, event.postal_check, event.three_d_secure
    row[FUNDING_MISSING] = funding == 0 and not lacking & LACKS_FUNDING
    row[FUNDING_DEBIT] = funding == 2
    row[FUNDING_PREPAID] = funding == 3
    row[CHANNEL_MISSING] = channel == 0
    row[CHANNEL_ONLINE] = channel == 1
    row[CHANNEL_RECURRING] = channel == 3
    row[CVC_CHECK_MISSING] = cvc == 0 and not lacking & LACKS_CVC
    row[CVC_CHECK_FAIL] = cvc == 2
    row[CVC_CHECK_UNCHECKED] = cvc == 3
    row[POSTAL_CHECK_MISSING] = postal == 0 and not lacking & LACKS_POSTAL
    row[POSTAL_CHECK_FAIL] = postal == 2
    row[POSTAL_CHECK_UNCHECKED] = postal == 3
    row[THREE_D_SECURE_MISSING] = three_d == 0 and not lacking & LACKS_THREE_D_SECURE
    row[THREE_D_SECURE_YES] = three_d == 2
    row[PAYMENT_METHOD_MISSING] = method == 0
    row[PAYMENT_METHOD_OTHER] = method == 2


@compiled
def differ(one: int, other: int) -> bool:
    """Whether two codes are both known and not the same."""
    return min(one, other) > 0 and one != other


@compiled
def countries(event: Any, row: Vector, lacking: int) -> None:
    """Write which countries are missing and which do not match."""
    row[MERCHANT_COUNTRY_MISSING] = event.merchant_country == 0
    row[CARD_COUNTRY_MISSING] = event.card_country == 0 and not lacking & LACKS_CARD_COUNTRY
    row[IP_COUNTRY_MISSING] = event.ip_country == 0
    row[MERCHANT_COUNTRY_IS_NOT_CARD_COUNTRY] = differ(event.merchant_country, event.card_country)
    row[IP_COUNTRY_IS_NOT_CARD_COUNTRY] = differ(event.ip_country, event.card_country)
    row[IP_COUNTRY_IS_NOT_MERCHANT_COUNTRY] = differ(event.ip_country, event.merchant_country)


@compiled
def tokens(event: Any, row: Vector) -> None:
    """Write the category and which tokens are missing."""
    row[MCC_MISSING] = event.mcc == 0
    row[MCC_RESOLD] = 0.0
    for mcc in _RESOLD_MCC:
        if event.mcc == mcc:
            row[MCC_RESOLD] = 1.0
    row[DEVICE_MISSING] = event.device == 0
    row[IP_MISSING] = event.ip == 0
    row[EMAIL_MISSING] = event.email == 0
