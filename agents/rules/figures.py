"""What rules see of the whole installation, the same for every charge of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BANDS_EUR: Final = (100, 250, 500)
"""Amounts up to which a payment is in a band, and above the one before, euros: the exemption
threshold values of the annex to Commission Delegated Regulation (EU) 2018/389."""

FRAUD_RATE_DAYS: Final = 90
"""UTC days that a fraud rate is of, the running one among them (Article 19 there)."""

OF_EUROS: Final = "amount_eur"
"""The attribute that is the amount in euros."""

OF_FRAUD_RATES: Final[Mapping[str, int]] = MappingProxyType(
    {f"fraud_rate_to_{band}_eur": place for place, band in enumerate(BANDS_EUR)}
)
"""The attributes that are fraud rates, with the place of their band."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of an installation, NaN where one is not known.

    Attributes
    ----------
    usd_per_eur
        What a euro is worth, US dollars.
    fraud_rates
        Of each band: value of fraud over value charged, from 0 on.
    """

    usd_per_eur: float = nan
    fraud_rates: tuple[float, ...] = (nan,) * len(BANDS_EUR)


NO_FIGURES: Final = Figures()
