"""Charges whose labels are all known, acted on by scores: what is seen of them, and the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from schemas.scored import ALLOW, BLOCK, CHALLENGE
from streams.wire.matured import FRAUD, GENUINE, MATURED_LAYOUT, UNSEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.events.rows import Rows

HORIZON_DAYS = 30.0
NEGATIVE_RATE = 0.1


class World(NamedTuple):
    """How charges come about.

    Attributes
    ----------
    cards
        How many there are. One in ten is stolen: it has the more charges, and most are frauds.
    share
        Of the holdout.
    amount_max
        Above which no charge can be drawn.
    spread
        Of what the charges of a card have in common, log-odds: in whether they are frauds, and not
        in their scores.
    charges_mean
        Charges of a stolen card.
    """

    cards: int = 1500
    share: float = 0.2
    amount_max: float = 150.0
    spread: float = 0.5
    charges_mean: float = 4.0


class Made(NamedTuple):
    """MATURED_CHARGE[N] of all charges as if none were seen, and bool[N], which are frauds."""

    charges: Rows
    is_fraud: NDArray[np.bool_]

    @property
    def went_through(self) -> NDArray[np.bool_]:
        """Which went through by their action."""
        through: NDArray[np.bool_] = self.charges["action"] == ALLOW
        return through


def make(world: World, rng: np.random.Generator) -> Made:
    """Make the charges of a world: the scores are sharper than they should be, and too low."""
    is_stolen = rng.random(world.cards) < 0.1
    sizes = 1 + rng.poisson(np.where(is_stolen, world.charges_mean - 1.0, 3.0))
    card = np.repeat(np.arange(world.cards), sizes)
    count = len(card)
    known = np.where(is_stolen[card], 1.5, -4.5) + rng.normal(0.0, 1.0, count)
    amount = rng.lognormal(4.0, 1.0, count)
    hidden = rng.normal(0.0, world.spread, world.cards)[card] + 0.2 * (np.log(amount) - 4.0)
    # A fraud is told of after a while; after the horizon it counts as genuine.
    delay_days = rng.exponential(10.0, count)
    is_fraud = (rng.random(count) < sigmoid(known + hidden)) & (delay_days < HORIZON_DAYS)
    charges = MATURED_LAYOUT.new(count)
    charges["charge"][:, 0] = rng.integers(0, 2**63, count)
    charges["card"] = 1 + card
    charges["created"] = rng.uniform(0.0, 10 * 86_400.0, count)
    charges["score"] = sigmoid(1.3 * known - 0.3)
    scores = charges["score"]
    charges["action"] = np.where(scores > 0.5, BLOCK, np.where(scores > 0.2, CHALLENGE, ALLOW))
    charges["propensity"] = np.where(amount <= world.amount_max, world.share, 0.0)
    charges["propensity"][charges["action"] == ALLOW] = 1.0
    charges["counts"] = 1.0
    return Made(charges, is_fraud)


def see(made: Made, rng: np.random.Generator) -> Rows:
    """Return what is told of the charges at their horizon, MATURED_CHARGE[M]."""
    charges, is_fraud = made.charges.copy(), made.is_fraud
    is_seen = rng.random(len(charges)) < charges["propensity"]
    charges["seen"] = np.where(is_seen, np.where(is_fraud, FRAUD, GENUINE), UNSEEN)
    of_silence = made.went_through & ~is_fraud
    charges["counts"][of_silence] = 1.0 / NEGATIVE_RATE
    is_sampled = rng.random(len(charges)) < NEGATIVE_RATE
    return charges[~of_silence | is_sampled]


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))
