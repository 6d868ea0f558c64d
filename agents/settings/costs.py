"""What the outcomes of an action cost: the table by which actions are chosen."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What fraud and each intervention cost a merchant.

    Shares are from 0 to 1; money is in units of the reference currency.

    Attributes
    ----------
    fraud_loss_share
        Share of the amount lost when a fraud goes through: the goods and the refund.
    dispute_fee_usd
        Fee of the network or acquirer for each dispute.
    margin_share
        Share of the amount lost with a good charge refused: its margin, and customers who leave.
    challenge_cost_usd
        A 3-D Secure request or a one-time code.
    challenge_success_share
        Share of frauds that a challenge stops.
    challenge_abandonment_share
        Share of good customers who give up on a challenge.
    verification_amount_usd
        Amount as which a charge of 0 is decided: it verifies a card for charges to come.
    review_cost_usd
        An analyst's minutes.
    review_success_share
        Share of charges, fraudulent or good, that a review judges right.
    review_hours
        How long an analyst takes for a verdict.
    review_capacity_share
        Largest share of charges that can be reviewed; 0 for no review at all.

    Raises
    ------
    ValueError
        When a share is not within 0 to 1 or an amount of money is negative.
    """

    fraud_loss_share: float = 1.0
    dispute_fee_usd: float = 15.0
    margin_share: float = 0.25
    challenge_cost_usd: float = 0.10
    challenge_success_share: float = 0.85
    challenge_abandonment_share: float = 0.10
    verification_amount_usd: float = 50.0
    review_cost_usd: float = 4.0
    review_success_share: float = 0.95
    review_hours: float = 4.0
    review_capacity_share: float = 0.005

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_share") and not 0.0 <= value <= 1.0:
                raise ValueError(f"{field.name}: expected a number from 0 to 1, got {value}")
            if not 0.0 <= value < np.inf:
                raise ValueError(f"{field.name}: expected a number of 0 or more, got {value}")
