"""Genuine charges: everyday shopping, recurring payments, and crowds at a sale."""

from dataclasses import dataclass

import numpy as np

from streams.durations import HOUR_S
from streams.simulator.cards import Cards, Index
from streams.simulator.identity_signals import show_holder, show_stored_card
from streams.simulator.merchants import Merchants, kind_column
from streams.simulator.randomness import F64, I64, pick
from streams.simulator.rows import Channel, Rows, blank_rows

BILLING_HOURS = 30 * 24
"""Hours between two charges of a subscription."""

_SPREE_SHARE = 0.12
_SPREE_MEAN = 1.5
_LARGE_SHARE = 0.02
_ABROAD_SHARE = 0.08


@dataclass(frozen=True, slots=True, eq=False)
class Subscriptions:
    """Who pays what to whom each 30 days; sorted by the hour it falls due."""

    card: I64
    merchant: I64
    amount: I64
    second: F64
    bounds: I64

    def due(self, hour: int, start: float, cards: Cards) -> Rows:
        """Return the charges of one hour, `hour` hours after the beginning at `start`."""
        slot = hour % BILLING_HOURS
        part = slice(self.bounds[slot], self.bounds[slot + 1])
        created = start + hour * HOUR_S + self.second[part]
        rows = blank_rows(created, self.card[part], self.merchant[part])
        rows["amount"] = self.amount[part]
        show_stored_card(rows, cards)
        return rows


def make_subscriptions(
    rng: np.random.Generator, count: int, cards: Cards, merchants: Merchants
) -> Subscriptions:
    """Make `count` subscriptions, at merchants that offer them."""
    size = merchants.size * (0.001 + kind_column("subscription")[merchants.kind])
    merchant = pick(rng, np.cumsum(size), count)
    card = rng.integers(len(cards.ids), size=count)
    hour = np.sort(rng.integers(BILLING_HOURS, size=count))
    usd = merchants.ticket_usd[merchant] * np.exp(rng.normal(0.0, 0.25, size=count))
    return Subscriptions(
        card=card,
        merchant=merchant,
        amount=merchants.minor_units(rng, merchant, usd),
        second=rng.random(count) * HOUR_S,
        bounds=np.searchsorted(hour, np.arange(BILLING_HOURS + 1)),
    )


def everyday_rows(
    rng: np.random.Generator, start: float, mean: float, cards: Cards, merchants: Merchants
) -> Rows:
    """Return the everyday charges of the hour from `start`.

    Parameters
    ----------
    mean
        Expected number in an hour of average business; the rhythm of the cards' own local
        times makes it more or less.
    """
    part = cards.rhythm(start + HOUR_S / 2)
    visits = rng.poisson(mean * part.sum() / (1.0 + _SPREE_SHARE * _SPREE_MEAN))
    card, created = _with_sprees(
        rng, cards.sample(rng, part, visits), start + HOUR_S * rng.random(visits), start + HOUR_S
    )
    location = cards.location(card, created)
    merchant = _choose_merchants(rng, card, location, cards, merchants)
    rows = blank_rows(created, card, merchant)
    online = rng.random(len(rows)) < merchants.online[merchant]
    rows["channel"] = np.where(
        online | (merchants.country[merchant] != location), Channel.ONLINE, Channel.IN_PERSON
    )
    usd = usual_usd(rng, card, merchant, cards, merchants)
    large = rng.random(len(rows)) < _LARGE_SHARE
    usd *= np.where(large, np.exp(rng.normal(1.3, 0.5, size=len(rows))), 1.0)
    rows["amount"] = merchants.minor_units(rng, merchant, usd)
    show_holder(rng, rows, cards)
    return rows


def crowd_rows(rng: np.random.Generator, start: float, cards: Cards, merchants: Merchants) -> Rows:
    """Return a genuine rush of many cards on one merchant: a sale, an appeal for donations.

    Small amounts within an hour or two, as in card testing, but made by the holders.
    """
    attraction = merchants.size * (0.01 + kind_column("probing")[merchants.kind])
    merchant = pick(rng, np.cumsum(attraction), 1)
    count = int(rng.integers(15, 60))
    card = cards.anyone(rng, count)
    created = start + rng.random(count) * rng.uniform(0.3, 2.0) * HOUR_S
    rows = blank_rows(created, card, np.repeat(merchant, count))
    rows["channel"] = Channel.ONLINE
    price = rng.uniform(1.0, 8.0)
    usd = price * rng.choice([1.0, 1.0, 1.0, 2.0, 5.0], size=count)
    rows["amount"] = merchants.minor_units(rng, rows["merchant"], usd)
    show_holder(rng, rows, cards)
    return rows


def usual_usd(
    rng: np.random.Generator, card: Index, merchant: Index, cards: Cards, merchants: Merchants
) -> F64:
    """Draw what each holder would pay at each merchant: log-normal, in dollars."""
    noise = rng.standard_normal(len(card)) * merchants.spread(merchant)
    taste = cards.taste(card, merchants.kind[merchant])
    return np.asarray(merchants.ticket_usd[merchant] * cards.level[card] * taste * np.exp(noise))


def _with_sprees(rng: np.random.Generator, card: I64, created: F64, end: float) -> tuple[I64, F64]:
    """Let some visits go on: a few more charges of the same card, up to the end of the hour."""
    more = np.where(
        rng.random(len(card)) < _SPREE_SHARE, rng.geometric(1 / _SPREE_MEAN, size=len(card)), 0
    )
    first = np.repeat(created, more)
    later = first + rng.random(len(first)) * (end - first)
    return np.concatenate((card, np.repeat(card, more))), np.concatenate((created, later))


def _choose_merchants(
    rng: np.random.Generator, card: I64, location: I64, cards: Cards, merchants: Merchants
) -> I64:
    """Choose a favourite, or else some merchant where the holder is, or one abroad."""
    count = len(card)
    travelling = location != cards.country[card]
    loyalty = cards.loyalty[card] * np.where(travelling, 0.3, 1.0)
    abroad = rng.random(count) < _ABROAD_SHARE
    where = np.where(abroad, rng.choice(cards.destinations, size=count), location)
    return np.where(
        rng.random(count) < loyalty, cards.favourite(rng, card), merchants.sample(rng, where)
    )
