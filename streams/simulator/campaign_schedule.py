"""Which fraud happens when: campaigns begun as the fraud rate allows, their rows hour by hour."""

from collections.abc import Iterator, Mapping

import numpy as np

from streams.durations import HOUR_S
from streams.simulator.cards import Cards
from streams.simulator.fraud_patterns import CAMPAIGNS, LONGEST_CAMPAIGN_HOURS, PATTERNS, Campaign
from streams.simulator.genuine_charges import crowd_rows
from streams.simulator.merchants import Merchants
from streams.simulator.randomness import Purpose, generator
from streams.simulator.rows import ROW, Rows

CROWD = "crowd"
"""The one campaign that is no fraud."""


class Schedule:
    """Begins campaigns so that each pattern keeps to its own share of the charges.

    Each pattern has a budget of charges, which grows by the hour; a campaign begins whenever
    the budget is positive, and is paid out of it. The count of fraudulent charges so strays from
    the rate set by about one campaign a pattern, and not as randomly begun campaigns would.

    Parameters
    ----------
    seed
        Seed of the simulation.
    start
        Unix time of hour 0.
    cards, merchants
        The population.
    """

    def __init__(self, seed: int, start: float, cards: Cards, merchants: Merchants) -> None:
        self._seed = seed
        self._start = start
        self._cards = cards
        self._merchants = merchants
        rng = generator(seed, Purpose.CAMPAIGNS)
        self._budget = {name: -50.0 * float(rng.random()) for name in (*CAMPAIGNS, CROWD)}
        self._waiting = np.empty(0, dtype=ROW)

    def hours(self, rates: Iterator[Mapping[str, float]]) -> Iterator[Rows]:
        """Yield each hour's rows, from hour 0 on, unsorted.

        Parameters
        ----------
        rates
            Mean charges in each hour by campaign name, beginning `LONGEST_CAMPAIGN_HOURS`
            before hour 0: so the first hour is like any other, with campaigns under way.
        """
        for hour, rate in enumerate(rates, start=-LONGEST_CAMPAIGN_HOURS):
            rows = self._hour(hour, rate)
            if hour >= 0:
                yield rows

    def _hour(self, hour: int, rate: Mapping[str, float]) -> Rows:
        rng = generator(self._seed, Purpose.CAMPAIGNS, 1 + hour + LONGEST_CAMPAIGN_HOURS)
        begin = self._start + hour * HOUR_S
        begun = [self._waiting]
        for name, mean in rate.items():
            self._budget[name] += mean
            while self._budget[name] > 0.0:
                rows = self._begin(name, rng, begin + HOUR_S * float(rng.random()))
                self._budget[name] -= len(rows)
                begun.append(rows)
        rows = np.concatenate(begun)
        now = rows["created"] < begin + HOUR_S
        self._waiting = rows[~now]
        return rows[now]

    def _begin(self, name: str, rng: np.random.Generator, start: float) -> Rows:
        if name == CROWD:
            return crowd_rows(rng, start, self._cards, self._merchants)
        campaign: Campaign = CAMPAIGNS[name]
        rows = campaign(rng, start, self._cards, self._merchants)
        rows["pattern"] = 1 + PATTERNS.index(name)
        return rows
