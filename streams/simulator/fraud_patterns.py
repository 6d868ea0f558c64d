"""The ways of fraud, each a small function that makes the charges of one campaign.

A campaign function takes a generator, the Unix time it begins, the cards and the merchants, and
returns the campaign's rows in any order.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from streams.durations import DAY_S, HOUR_S
from streams.simulator.cards import Cards
from streams.simulator.genuine_charges import usual_usd
from streams.simulator.identity_signals import Disguise, show_fraudster
from streams.simulator.merchants import Merchants, kind_column
from streams.simulator.randomness import F64, I64, pick
from streams.simulator.rows import Channel, Check, Rows, blank_rows

Campaign = Callable[[np.random.Generator, float, Cards, Merchants], Rows]

LONGEST_CAMPAIGN_HOURS = 28 * 24


def stolen_card(rng: np.random.Generator, start: float, cards: Cards, merchants: Merchants) -> Rows:
    """Spend one card within hours on goods that sell on, online or with the plastic itself.

    The amounts are what the goods cost, whatever the holder used to spend. Some thieves try
    the card with a small charge first.
    """
    count = 2 + int(rng.geometric(0.22))
    hours = rng.exponential(4.0) + 0.5
    created = start + np.sort(rng.random(count)) * min(hours, 48.0) * HOUR_S
    merchant = _by_attraction(rng, "resale", merchants, count)
    rows = blank_rows(created, np.repeat(cards.anyone(rng, 1), count), merchant)
    plastic = rng.random() < 0.25
    rows["channel"] = Channel.IN_PERSON if plastic else Channel.ONLINE
    usd = 2.0 * merchants.ticket_usd[merchant] * np.exp(rng.normal(0.0, 0.6, size=count))
    if rng.random() < 0.3:
        usd[0] = rng.uniform(0.5, 3.0)
    _price(rng, rows, usd, merchants)
    disguise = Disguise(local=0.55, cvc_pass=0.72, postal_pass=0.55, own_email=0.4)
    show_fraudster(rng, rows, cards, disguise, devices=1)
    return rows


def card_testing(
    rng: np.random.Generator, start: float, cards: Cards, merchants: Merchants
) -> Rows:
    """Try a list of stolen numbers at one merchant: many cards, small amounts, in an hour."""
    count = int(rng.integers(20, 60))
    attraction = np.sqrt(merchants.size) * (0.01 + kind_column("probing")[merchants.kind])
    merchant = np.repeat(pick(rng, np.cumsum(attraction), 1), count)
    created = start + rng.random(count) * rng.uniform(0.2, 1.2) * HOUR_S
    card = rng.integers(len(cards.ids), size=count)
    rows = blank_rows(created, card, merchant)
    rows["channel"] = Channel.ONLINE
    _price(rng, rows, rng.uniform(0.5, 2.0) + 2.0 * rng.random(count), merchants)
    disguise = Disguise(local=0.5, cvc_pass=0.6, postal_pass=0.55, own_email=0.2)
    show_fraudster(rng, rows, cards, disguise, devices=int(rng.integers(2, 12)))
    return rows


def compromised_merchant(
    rng: np.random.Generator, start: float, cards: Cards, merchants: Merchants
) -> Rows:
    """Use one smaller merchant of lax checks, where stolen cards pay usual amounts for weeks.

    A charge by itself shows little; the merchant's disputes give it away.
    """
    count = int(rng.integers(20, 60))
    longest_days = LONGEST_CAMPAIGN_HOURS * HOUR_S / DAY_S
    created = start + rng.random(count) * rng.uniform(10.0, longest_days) * DAY_S
    smallness = (0.02 + merchants.online) / merchants.size
    merchant = np.repeat(pick(rng, np.cumsum(smallness), 1), count)
    rows = blank_rows(created, rng.integers(len(cards.ids), size=count), merchant)
    rows["channel"] = Channel.ONLINE
    _price(rng, rows, 1.3 * usual_usd(rng, rows["card"], merchant, cards, merchants), merchants)
    disguise = Disguise(local=0.8, cvc_pass=0.8, postal_pass=0.75, own_email=0.5)
    show_fraudster(rng, rows, cards, disguise, devices=count)
    return rows


def account_takeover(
    rng: np.random.Generator, start: float, cards: Cards, merchants: Merchants
) -> Rows:
    """Use the holder's accounts at favourite shops, from a new device, for larger amounts.

    The card is stored there, so no code is asked for and the e-mail address is right.
    """
    count = 2 + int(rng.geometric(0.3))
    created = start + rng.random(count) * min(rng.exponential(6.0) + 0.3, 72.0) * HOUR_S
    rows = blank_rows(created, np.repeat(cards.anyone(rng, 1), count), np.zeros(count, "i4"))
    merchant = _best_for_resale(rng, cards.favourite(rng, np.repeat(rows["card"], 4)), merchants)
    rows["merchant"] = merchant
    rows["channel"] = Channel.ONLINE
    usd = usual_usd(rng, rows["card"], merchant, cards, merchants)
    _price(rng, rows, usd * np.exp(rng.normal(1.4, 0.4, size=count)), merchants)
    disguise = Disguise(local=0.6, cvc_pass=0.9, postal_pass=0.9, own_email=0.7, own_device=0.05)
    show_fraudster(rng, rows, cards, disguise, devices=1)
    rows["cvc_check"] = Check.UNCHECKED
    return rows


def friendly_share(rows: Rows, cards: Cards, merchants: Merchants) -> F64:
    """Return how inclined the holder of each genuine charge is to dispute it; of mean 1.

    The charge itself looks good: only the holder's history and the line of business tell.
    """
    kinds = merchants.kind[rows["merchant"]]
    inclination = cards.regret[rows["card"]] * kind_column("regret")[kinds]
    inclination[rows["channel"] == Channel.IN_PERSON] *= 0.1
    mean = inclination.sum() / max(len(rows), 1)
    return np.asarray(inclination / max(mean, 1e-12))


FRIENDLY_FRAUD = "friendly_fraud"
CAMPAIGNS: Mapping[str, Campaign] = MappingProxyType(
    {
        "stolen_card": stolen_card,
        "card_testing": card_testing,
        "compromised_merchant": compromised_merchant,
        "account_takeover": account_takeover,
    }
)
PATTERNS = (*CAMPAIGNS, FRIENDLY_FRAUD)
"""Names of all patterns; a row's `pattern` is 1 + the index into them."""

DEFAULT_MIX: Mapping[str, float] = MappingProxyType(
    {
        "stolen_card": 0.40,
        "card_testing": 0.16,
        "compromised_merchant": 0.24,
        "account_takeover": 0.12,
        FRIENDLY_FRAUD: 0.08,
    }
)
"""Share of the fraudulent charges that each pattern makes."""

DRIFTED_MIX: Mapping[str, float] = MappingProxyType(
    {
        "stolen_card": 0.05,
        "card_testing": 0.10,
        "compromised_merchant": 0.10,
        "account_takeover": 0.67,
        FRIENDLY_FRAUD: 0.08,
    }
)
"""The mix after a drift: thieves have moved from stolen numbers to stolen accounts."""


def _by_attraction(
    rng: np.random.Generator, attraction: str, merchants: Merchants, count: int
) -> I64:
    weights = merchants.size * (0.01 + kind_column(attraction)[merchants.kind])
    return pick(rng, np.cumsum(weights), count)


def _best_for_resale(rng: np.random.Generator, merchant: I64, merchants: Merchants) -> I64:
    """Of each four merchants in a row, choose one, goods that sell on before others."""
    fours = merchant.reshape(-1, 4)
    appeal = kind_column("resale")[merchants.kind[fours]] * rng.random(fours.shape)
    return np.take_along_axis(fours, appeal.argmax(axis=1)[:, None], axis=1)[:, 0]


def _price(rng: np.random.Generator, rows: Rows, usd: F64, merchants: Merchants) -> None:
    rows["amount"] = merchants.minor_units(rng, rows["merchant"], usd)
