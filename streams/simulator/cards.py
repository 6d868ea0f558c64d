"""The cards and their holders: home, activity, tastes, favourite merchants, devices."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S
from streams.simulator.ids import ids
from streams.simulator.merchants import Merchants
from streams.simulator.randomness import F64, I64, U64, fresh_tokens, pick_between, token, uniform
from streams.simulator.weekly_rhythm import STYLES, weights
from streams.simulator.world import COUNTRIES

FAVOURITES = 12
"""Merchants that a card comes back to."""

_FAVOURITE_DECAY = 0.78
_STYLE_SHARE = (0.74, 0.16, 0.10)
_FUNDING_SHARE = (0.48, 0.46, 0.06)
_WEEK_S = 7 * DAY_S

Index = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Cards:
    """All cards as columns, sorted by country and style of day.

    Parameters
    ----------
    ids
        Card fingerprints.
    token
        The hash that all stateless draws of a card start from.
    country, funding
        Index into `COUNTRIES`; 0 credit, 1 debit, 2 prepaid.
    level
        The holder's amounts over the merchants' usual ones.
    loyalty
        Share of the charges made at a favourite merchant.
    favourites
        Shape (cards, FAVOURITES), indices of merchants, the dearest first.
    travel
        Share of the weeks spent abroad.
    private
        Holders whose device looks new each time.
    vpn
        Holders whose address is often in some other country.
    regret
        Inclination to friendly fraud, of mean about 1 and heavy-tailed.
    """

    ids: list[str]
    token: U64
    country: I64
    funding: I64
    level: F64
    loyalty: F64
    favourites: npt.NDArray[np.int32]
    travel: F64
    private: npt.NDArray[np.bool_]
    vpn: npt.NDArray[np.bool_]
    regret: F64
    destinations: I64
    _cumulative: F64
    _group_bounds: F64
    _group_share: F64

    def rhythm(self, time: float) -> F64:
        """Return each group's part of the charges of an hour; their sum is 1 over a mean hour."""
        group = np.arange(len(COUNTRIES) * STYLES)
        offsets = np.array([c.utc_offset_h for c in COUNTRIES])[group // STYLES]
        return self._group_share * weights(time, offsets, group % STYLES)

    def sample(self, rng: np.random.Generator, part: F64, size: int) -> I64:
        """Draw cards by activity, the groups in proportion to `part`."""
        counts = rng.multinomial(size, part / part.sum())
        group = np.repeat(np.arange(len(part)), counts)
        low, high = self._group_bounds[group], self._group_bounds[group + 1]
        return pick_between(rng, self._cumulative, low, high)

    def anyone(self, rng: np.random.Generator, size: int) -> I64:
        """Draw cards by activity, whatever the hour."""
        return self.sample(rng, self._group_share, size)

    def favourite(self, rng: np.random.Generator, card: Index) -> I64:
        """Draw one of each card's favourite merchants."""
        rank = np.cumsum(_FAVOURITE_DECAY ** np.arange(FAVOURITES))
        choice = np.searchsorted(rank, rng.random(len(card)) * rank[-1], side="right")
        return np.asarray(self.favourites[card, choice], dtype=np.int64)

    def location(self, card: Index, time: F64) -> I64:
        """Return the country each holder is in: home, or for some weeks abroad."""
        phase_s = uniform(self.token[card]) * _WEEK_S
        trip = token(1, self.token[card], ((time + phase_s) // _WEEK_S).astype(np.int64))
        abroad = uniform(trip) < self.travel[card]
        choice = uniform(token(2, trip)) * len(self.destinations)
        return np.where(abroad, self.destinations[choice.astype(np.int64)], self.country[card])

    def taste(self, card: Index, kind: Index) -> F64:
        """Return the factor on a card's amounts at a kind of merchant."""
        return np.exp(uniform(token(3, self.token[card], kind)) - 0.5)

    def own_device(self, card: Index, time: F64, which: Index) -> U64:
        """Return the token of the first (0) or second (1) device, replaced every 7 to 30 months."""
        life_s = (200.0 + 700.0 * uniform(token(4, self.token[card], which))) * DAY_S
        return token(5, self.token[card], which, (time // life_s).astype(np.int64))

    def home_ip(self, card: Index, time: F64) -> U64:
        """Return the token of the address at home, which the provider changes every few days."""
        lease_s = (2.0 + 28.0 * uniform(token(6, self.token[card]))) * DAY_S
        return token(7, self.token[card], (time // lease_s).astype(np.int64))

    def own_email(self, card: Index) -> U64:
        """Return the token of the holder's e-mail address."""
        return token(8, self.token[card])


def make_cards(rng: np.random.Generator, count: int, merchants: Merchants) -> Cards:
    """Make `count` cards living in the countries that have merchants."""
    living = merchants.countries()
    share = np.array([COUNTRIES[i].share for i in living])
    home = rng.choice(living, size=count, p=share / share.sum())
    style = rng.choice(STYLES, size=count, p=_STYLE_SHARE)
    group = np.sort(home * STYLES + style)
    country = group // STYLES
    activity = np.exp(rng.normal(0.0, 0.8, size=count))
    cumulative = np.cumsum(activity)
    running = np.concatenate(([0.0], cumulative))
    bounds = running[np.searchsorted(group, np.arange(len(COUNTRIES) * STYLES + 1))]
    often, private, vpn = rng.random((3, count))
    return Cards(
        ids=ids("card_", fresh_tokens(rng, count)),
        token=fresh_tokens(rng, count),
        country=country,
        funding=rng.choice(len(_FUNDING_SHARE), size=count, p=_FUNDING_SHARE),
        level=np.exp(rng.normal(0.0, 0.4, size=count)),
        loyalty=rng.beta(6.0, 2.5, size=count),
        favourites=_favourites(rng, country, living, merchants),
        travel=np.where(often < 0.15, 0.15, 0.015),
        private=private < 0.02,
        vpn=vpn < 0.02,
        regret=rng.pareto(2.0, size=count),
        destinations=living,
        _cumulative=cumulative,
        _group_bounds=bounds,
        _group_share=np.diff(bounds) / cumulative[-1],
    )


def _favourites(
    rng: np.random.Generator, country: I64, living: I64, merchants: Merchants
) -> npt.NDArray[np.int32]:
    """Choose the favourites, one in ten of them abroad."""
    homes = np.repeat(country, FAVOURITES)
    abroad = rng.random(len(homes)) < 0.1
    where = np.where(abroad, rng.choice(living, size=len(homes)), homes)
    return merchants.sample(rng, where).astype(np.int32).reshape(-1, FAVOURITES)
