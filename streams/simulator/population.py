"""The charges of the simulation, hour by hour, as rows."""

import math
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Final, NamedTuple

import numpy as np

from streams.durations import HOUR_S
from streams.simulator.campaign_schedule import CROWD, Schedule
from streams.simulator.cards import Cards, make_cards
from streams.simulator.fraud_patterns import (
    CAMPAIGNS,
    FRIENDLY_FRAUD,
    LONGEST_CAMPAIGN_HOURS,
    PATTERNS,
    friendly_share,
)
from streams.simulator.genuine_charges import (
    BILLING_HOURS,
    Subscriptions,
    everyday_rows,
    make_subscriptions,
)
from streams.simulator.ids import ids
from streams.simulator.merchants import Merchants, make_merchants
from streams.simulator.parameters import Parameters
from streams.simulator.randomness import U64, Purpose, generator, token
from streams.simulator.rows import Rows

_RECURRING_SHARE: Final = 0.08
_SUBSCRIPTIONS_PER_CARD_MAX: Final = 3
_CROWD_SHARE: Final = 0.004


class Population(NamedTuple):
    """Everybody who takes part."""

    merchants: Merchants
    cards: Cards
    subscriptions: Subscriptions


class Block(NamedTuple):
    """The charges created within one hour, sorted by `created`.

    Parameters
    ----------
    hour
        Hours since the start of the simulation.
    rows
        The charges.
    tokens
        Shape (rows,): what each charge's id is made from; unique in the simulation.
    """

    hour: int
    rows: Rows
    tokens: U64

    def charge_ids(self) -> list[str]:
        """Return the id of each charge."""
        return ids("ch_", self.tokens)


def make_population(parameters: Parameters) -> Population:
    """Make the merchants, the cards and what the cards are billed for month by month."""
    seed = parameters.seed
    merchants = make_merchants(generator(seed, Purpose.POPULATION, 0), parameters.merchants)
    cards = make_cards(generator(seed, Purpose.POPULATION, 1), parameters.cards, merchants)
    billed = parameters.charges_per_day * _RECURRING_SHARE * BILLING_HOURS / 24
    number = int(min(billed, _SUBSCRIPTIONS_PER_CARD_MAX * parameters.cards))
    rng = generator(seed, Purpose.POPULATION, 2)
    return Population(merchants, cards, make_subscriptions(rng, number, cards, merchants))


def identity_salt(seed: int) -> int:
    """Return what tells the ids of one seed from those of another."""
    return int(generator(seed, Purpose.SALT).integers(2**63))


def blocks(parameters: Parameters, population: Population) -> Iterator[Block]:
    """Yield the charges of each hour in turn."""
    # Less a little, so that 5 / 24 days are 5 hours.
    hours = parameters.days * 24 - 1e-6
    salt = identity_salt(parameters.seed)
    schedule = Schedule(parameters.seed, parameters.start, population.cards, population.merchants)
    for hour, campaigns in enumerate(schedule.hours(_campaign_rates(parameters))):
        if hour >= hours:
            return
        rows = np.concatenate((campaigns, _genuine(parameters, population, hour)))
        rows["created"] = np.floor(rows["created"] * 1000.0) / 1000.0
        rows = rows[np.argsort(rows["created"], kind="stable")]
        number = np.arange(len(rows), dtype=np.uint64) + np.uint64(hour << 32)
        yield Block(hour, rows, token(salt, number))


def _mix_at(parameters: Parameters, hour: int) -> Mapping[str, float]:
    drift_at = math.inf if parameters.drift_at is None else parameters.drift_at
    drifted = parameters.start + hour * HOUR_S >= drift_at
    return parameters.drifted_mix if drifted else parameters.mix


def _campaign_rates(parameters: Parameters) -> Iterator[dict[str, float]]:
    """Yield the mean charges of each hour by kind of campaign, warm-up first."""
    per_hour = parameters.charges_per_day / 24
    for hour in count(-LONGEST_CAMPAIGN_HOURS):
        mix = _mix_at(parameters, hour)
        fraud = per_hour * parameters.fraud_rate
        rates = {name: fraud * mix.get(name, 0.0) for name in CAMPAIGNS}
        yield {**rates, CROWD: per_hour * _CROWD_SHARE}


def _genuine(parameters: Parameters, population: Population, hour: int) -> Rows:
    """Return the hour's everyday and recurring charges, some of them friendly fraud."""
    merchants, cards, subscriptions = population
    friendly = _mix_at(parameters, hour).get(FRIENDLY_FRAUD, 0.0)
    campaign_share = parameters.fraud_rate * (1.0 - friendly) + _CROWD_SHARE
    billed = len(subscriptions.card) / BILLING_HOURS
    mean = parameters.charges_per_day / 24 * (1.0 - campaign_share) - billed
    rng = generator(parameters.seed, Purpose.HABITS, hour)
    begin = parameters.start + hour * HOUR_S
    recurring = subscriptions.due(hour, parameters.start, cards)
    rows = np.concatenate((recurring, everyday_rows(rng, begin, mean, cards, merchants)))
    rate = parameters.fraud_rate * friendly / (1.0 - campaign_share)
    rng = generator(parameters.seed, Purpose.FRIENDLY, hour)
    disputed = rng.random(len(rows)) < rate * friendly_share(rows, cards, merchants)
    rows["pattern"][disputed] = 1 + PATTERNS.index(FRIENDLY_FRAUD)
    return rows
