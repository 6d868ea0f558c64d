"""A seeded stream whose frauds are told by signals of a producer's own: numbers and categories.

Nothing that Chargewatch computes itself tells fraud: cards, merchants, amounts and times are the
same for frauds. Of 28 numbers on seven very different scales seven are moved, spread or narrowed in
frauds, and 2% of each are missing. Of three categories 40 shops and a million agents, most of which
are seen once, have each a rate of fraud of their own; a thousand of the third have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from schemas.signals import Signal
from streams.durations import DAY_S

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NUMBERS = tuple(Signal(f"v{number}", "number") for number in range(1, 29))
CATEGORIES = tuple(Signal(name, "category") for name in ("shop", "agent", "terminal"))

BEGAN = 1_700_000_000.0
_SHOPS, _AGENTS, _TERMINALS = 40, 1_000_000, 1_000
_CARDS, _MERCHANTS = 5_000, 300
_RATE, _SPREAD = 0.006, 1.2
_MOVED_BY = (1.5, -1.2, 1.0, 0.8, -0.8)
"""Standard deviations by which frauds are apart in the first numbers."""

_DISPUTED_AFTER_DAYS, _DISPUTES_SPREAD = 10.0, 0.7


class Files(NamedTuple):
    """What a stream is written to."""

    charges: Path
    disputes: Path


@dataclass(frozen=True, slots=True)
class SignalStream:
    """A stream.

    Attributes
    ----------
    seed, days, charges_per_day
        Of which it is made.
    """

    seed: int
    days: int = 60
    charges_per_day: int = 4_000

    def write(self, directory: Path) -> Files:
        """Write its charges and disputes."""
        rng = np.random.default_rng(self.seed)
        count = self.days * self.charges_per_day
        created = BEGAN + np.sort(rng.uniform(0.0, self.days * DAY_S, count))
        categories, log_odds = _categories(rng, count)
        fraud = rng.random(count) < 1.0 / (1.0 + np.exp(-log_odds))
        numbers = _numbers(rng, fraud)
        amounts = np.ceil(100.0 * rng.lognormal(3.0, 1.0, count)).astype(np.int64)
        cards, merchants = rng.integers(0, _CARDS, count), rng.integers(0, _MERCHANTS, count)
        told = zip(created.tolist(), amounts.tolist(), cards, merchants, strict=True)
        events = [
            {"created": at, "amount": amount, "card": f"card_{card}", "merchant": f"shop_{shop}"}
            for at, amount, card, shop in told
        ]
        disputed_at = created + _DISPUTED_AFTER_DAYS * DAY_S * rng.lognormal(
            0.0, _DISPUTES_SPREAD, count
        )
        disputed = np.flatnonzero(fraud)
        files = Files(directory / "charges.jsonl", directory / "disputes.jsonl")
        with files.charges.open("wb") as charges:
            for place, event in enumerate(events):
                charge = _charge(place, event, numbers[place], categories[place])
                charges.write(orjson.dumps(charge) + b"\n")
        with files.disputes.open("wb") as disputes:
            for place in disputed[np.argsort(disputed_at[disputed])].tolist():
                dispute = _dispute(place, events[place], float(disputed_at[place]))
                disputes.write(orjson.dumps(dispute) + b"\n")
        return files


def _charge(
    place: int, told: dict[str, Any], numbers: NDArray[np.float64], categories: NDArray[np.int64]
) -> dict[str, Any]:
    values = zip(NUMBERS, numbers.tolist(), strict=True)
    codes = zip(CATEGORIES, categories.tolist(), strict=True)
    return {
        **told,
        "id": f"charge_{place}",
        "currency": "usd",
        **{signal.name: value for signal, value in values if not math.isnan(value)},
        **{signal.name: f"{signal.name}_{code}" for signal, code in codes},
    }


def _dispute(place: int, about: dict[str, Any], created: float) -> dict[str, Any]:
    return {
        "id": f"dispute_{place}",
        "charge": f"charge_{place}",
        "card": about["card"],
        "merchant": about["merchant"],
        "created": created,
        "reason": "fraudulent",
    }


def _categories(
    rng: np.random.Generator, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the categories of each charge, and the log-odds of fraud that they make."""
    shops = rng.choice(_SHOPS, count, p=rng.dirichlet(np.ones(_SHOPS)))
    agents = (20.0 * rng.pareto(0.7, count)).astype(np.int64) % _AGENTS
    log_odds = rng.normal(0.0, _SPREAD, _SHOPS)[shops] + rng.normal(0.0, _SPREAD, _AGENTS)[agents]
    log_odds += np.log(_RATE) - np.log(np.mean(np.exp(log_odds)))
    return np.stack([shops, agents, rng.integers(0, _TERMINALS, count)], axis=1), log_odds


def _numbers(rng: np.random.Generator, fraud: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the numbers of each charge, NaN where one is missing."""
    columns = []
    for number in range(len(NUMBERS)):
        normal = rng.normal(0.0, 1.0, len(fraud))
        if number < len(_MOVED_BY):
            normal += fraud * _MOVED_BY[number]
        elif number == len(_MOVED_BY):
            normal *= np.where(fraud, 2.2, 1.0)
        elif number == len(_MOVED_BY) + 1:
            normal *= np.where(fraud, 0.3, 1.0)
        columns.append(_on_scale(normal, number % 7))
    numbers = np.stack(columns, axis=1)
    numbers[rng.random(numbers.shape) < 0.02] = np.nan
    return numbers


def _on_scale(normal: NDArray[np.float64], scale: int) -> NDArray[np.float64]:
    """Return normal numbers on one of seven scales, in their order."""
    scaled: NDArray[np.float64] = (
        normal,
        1e-5 * normal,
        1e6 + 10.0 * normal,
        np.exp(3.0 * normal),
        normal**3,
        np.floor(np.exp(1.0 + normal)),
        -np.exp(0.7 * normal),
    )[scale]
    return scaled
