"""The fixed facts of the simulated world: its countries and its kinds of merchant.

The figures are round numbers chosen for plausibility; none is taken from a data set.
"""

from typing import NamedTuple


class Country(NamedTuple):
    """A country whose people pay in one currency and live in one time zone.

    Parameters
    ----------
    code
        ISO 3166-1 alpha-2.
    currency
        ISO 4217, lower case.
    minor_per_usd
        Minor units of the currency that a one-dollar article costs there.
    utc_offset_h
        Local time minus UTC in hours; without daylight saving.
    share
        Relative number of cards and merchants.
    """

    code: str
    currency: str
    minor_per_usd: float
    utc_offset_h: float
    share: float


COUNTRIES = (
    Country("US", "usd", 100.0, -6.0, 38.0),
    Country("GB", "gbp", 80.0, 0.0, 12.0),
    Country("DE", "eur", 92.0, 1.0, 9.0),
    Country("FR", "eur", 92.0, 1.0, 8.0),
    Country("CA", "cad", 136.0, -5.0, 6.0),
    Country("JP", "jpy", 148.0, 9.0, 6.0),
    Country("AU", "aud", 152.0, 10.0, 5.0),
    Country("BR", "brl", 500.0, -3.0, 5.0),
    Country("NL", "eur", 92.0, 1.0, 4.0),
    Country("IN", "inr", 8300.0, 5.5, 4.0),
    Country("SG", "sgd", 134.0, 8.0, 3.0),
)


class MerchantKind(NamedTuple):
    """A line of business.

    Parameters
    ----------
    mcc
        Merchant category code.
    share
        Relative number of merchants.
    ticket_usd
        Median charge in dollars.
    spread
        Standard deviation of the log amount around a merchant's own median.
    online
        Mean share of its charges made online.
    resale
        How much a thief likes to buy there: goods that sell on.
    probing
        How much card testers like it: small open amounts, few checks.
    regret
        How much it draws friendly fraud.
    subscription
        Whether cards are charged there month by month.
    """

    mcc: int
    share: float
    ticket_usd: float
    spread: float
    online: float
    resale: float
    probing: float
    regret: float
    subscription: bool = False


KINDS = (
    MerchantKind(5411, 12.0, 34.0, 0.75, 0.08, 0.3, 0.05, 0.1),  # grocery
    MerchantKind(5812, 14.0, 31.0, 0.60, 0.04, 0.1, 0.05, 0.1),  # restaurant
    MerchantKind(5814, 10.0, 11.0, 0.45, 0.25, 0.2, 0.5, 0.2),  # fast food, delivery
    MerchantKind(5541, 6.0, 42.0, 0.40, 0.01, 0.6, 0.02, 0.1),  # fuel
    MerchantKind(5651, 9.0, 58.0, 0.70, 0.60, 1.5, 0.3, 1.0),  # clothing
    MerchantKind(5732, 5.0, 145.0, 0.95, 0.65, 5.0, 0.2, 1.5),  # electronics
    MerchantKind(5816, 5.0, 9.0, 0.80, 0.99, 1.0, 3.0, 4.0),  # games and digital goods
    MerchantKind(4511, 2.0, 290.0, 0.65, 0.95, 2.0, 0.1, 2.0),  # airline
    MerchantKind(7011, 4.0, 180.0, 0.60, 0.60, 1.0, 0.1, 1.5),  # hotel
    MerchantKind(4121, 4.0, 16.0, 0.55, 0.90, 0.6, 0.5, 0.4),  # rides
    MerchantKind(5912, 5.0, 22.0, 0.65, 0.15, 0.4, 0.1, 0.1),  # pharmacy
    MerchantKind(5999, 9.0, 38.0, 0.85, 0.85, 2.5, 1.0, 1.5),  # marketplace and speciality
    MerchantKind(8398, 3.0, 24.0, 0.80, 0.95, 0.05, 4.0, 0.3),  # charity
    MerchantKind(5944, 2.0, 260.0, 0.90, 0.45, 4.0, 0.05, 1.0),  # jewellery
    MerchantKind(5947, 2.0, 48.0, 0.65, 0.80, 6.0, 1.5, 1.0),  # gift cards
    MerchantKind(5968, 3.0, 13.0, 0.35, 1.00, 0.3, 2.0, 2.0, subscription=True),  # streaming
    MerchantKind(5734, 3.0, 27.0, 0.60, 1.00, 0.8, 1.0, 1.5, subscription=True),  # software
    MerchantKind(4814, 2.0, 36.0, 0.40, 1.00, 0.8, 0.3, 0.5, subscription=True),  # telecom
)
