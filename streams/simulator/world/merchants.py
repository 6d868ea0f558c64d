"""The merchants: where they are, what they sell, how large they are, which fields they send."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.simulator.randomness import F64, I64, fresh_tokens, pick_between
from streams.simulator.world.facts import COUNTRIES, KINDS, MerchantKind
from streams.simulator.world.ids import ids

OPTIONAL_FIELDS: Final = (
    "mcc",
    "merchant_country",
    "card_country",
    "ip_country",
    "funding",
    "channel",
    "payment_method",
    "device",
    "ip",
    "email",
    "cvc_check",
    "postal_check",
    "three_d_secure",
)
_SENT_SHARE = (0.97, 0.97, 0.95, 0.92, 0.93, 0.96, 0.5, 0.9, 0.93, 0.88, 0.95, 0.85, 0.8)
_SIZE_TAIL = 1.1
"""Pareto exponent of merchant sizes: a few take most of the charges."""

_SIZE_MAX = 3000.0
"""Largest over smallest size, so that no merchant takes nearly everything."""


@dataclass(frozen=True, slots=True, eq=False)
class Merchants:
    """All merchants as columns, sorted by country.

    Parameters
    ----------
    ids
        Merchant accounts.
    country, kind
        Indices into `COUNTRIES` and `KINDS`.
    ticket_usd
        Median charge.
    online
        Share of the charges made online.
    size
        Relative number of charges.
    sends
        Shape (merchants, optional fields): whether its integration sends the field.
    """

    ids: list[str]
    country: I64
    kind: I64
    ticket_usd: F64
    online: F64
    size: F64
    sends: npt.NDArray[np.bool_]
    _cumulative: F64
    _bounds: F64

    def countries(self) -> I64:
        """Return the countries that have a merchant."""
        return np.unique(self.country)

    def sample(self, rng: np.random.Generator, country: I64) -> I64:
        """Draw a merchant in each of the countries given, by size."""
        return pick_between(rng, self._cumulative, self._bounds[country], self._bounds[country + 1])

    def spread(self, merchant: npt.NDArray[np.integer]) -> F64:
        """Return the standard deviation of the log amount at each merchant."""
        return np.asarray(kind_column("spread")[self.kind[merchant]])

    def minor_units(self, rng: np.random.Generator, merchant: I64, usd: F64) -> I64:
        """Turn dollars into minor units of the merchants' currencies, priced as shops price.

        About half of the prices end in .00 or .99; none is below one minor unit.
        """
        rate = np.array([c.minor_per_usd for c in COUNTRIES])[self.country[merchant]]
        exact = np.maximum(np.rint(np.clip(usd, 0.05, 25_000.0) * rate), 1.0)
        whole = np.ceil(exact / 100.0) * 100.0
        style = rng.random(len(exact)) + (exact < 300.0)
        priced = np.where(style < 0.25, whole, np.where(style < 0.5, whole - 1.0, exact))
        return np.asarray(priced, dtype=np.int64)


def kind_column(name: str) -> F64:
    """Return one attribute of all kinds of merchant as an array."""
    position = MerchantKind._fields.index(name)
    return np.array([kind[position] for kind in KINDS], dtype=np.float64)


def make_merchants(rng: np.random.Generator, count: int) -> Merchants:
    """Make `count` merchants, spread over the countries in proportion to their shares."""
    shares = np.cumsum([c.share for c in COUNTRIES])
    country = np.searchsorted(shares / shares[-1], (np.arange(count) + 0.5) / count)
    kind_share = kind_column("share")
    kind = rng.choice(len(KINDS), size=count, p=kind_share / kind_share.sum())
    size = np.minimum(rng.pareto(_SIZE_TAIL, size=count) + 1.0, _SIZE_MAX)
    cumulative = np.cumsum(size)
    ends = np.searchsorted(country, np.arange(len(COUNTRIES) + 1))
    mean_online = kind_column("online")[kind]
    return Merchants(
        ids=ids("acct_", fresh_tokens(rng, count)),
        country=country,
        kind=kind,
        ticket_usd=kind_column("ticket_usd")[kind] * np.exp(rng.normal(0.0, 0.35, size=count)),
        online=np.clip(mean_online + rng.normal(0.0, 0.08, size=count), 0.0, 1.0),
        size=size,
        sends=rng.random((count, len(OPTIONAL_FIELDS))) < np.array(_SENT_SHARE),
        _cumulative=cumulative,
        _bounds=np.concatenate(([0.0], cumulative))[ends],
    )
