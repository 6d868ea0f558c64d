"""Rules tried in the plainest way: charge by charge, in Python, from what a backtest wrote."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.currency import bundled_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agents.settings.costs import Costs

    Event = Mapping[str, Any]

WENT = {"authorized", "challenge_passed", "review_genuine"}
STOPS = {
    *("declined", "blocked", "canceled", "challenge_failed", "challenge_abandoned"),
    "review_fraud",
}
USD = bundled_rates().usd_per_minor_unit


@dataclass
class PlainRule:
    """A rule as a function of a charge."""

    name: str
    action: str
    asks: Callable[[Event], bool]
    shadow: bool = False


@dataclass
class PlainCharge:
    """A charge that counts, with all that is known of it."""

    fields: Event
    label: str
    before: str
    after: str
    decided_by: str | None
    matched: list[str]

    @property
    def usd(self) -> float:
        return float(self.fields["usd"])


@dataclass
class Reviews:
    """Millionths of reviews that are left."""

    share: float
    tokens: int = 0
    taken: list[bool] = field(default_factory=list)

    def earn(self) -> bool:
        self.tokens = min(self.tokens + round(self.share * 1_000_000), 100_000_000)
        return self.tokens >= 1_000_000

    def take(self) -> None:
        self.tokens = max(self.tokens - 1_000_000, 0)


def label_of(
    charge: Event,
    disputes: Sequence[Event],
    outcomes: Sequence[Event],
    newest: float,
    horizon_s: float,
) -> str:
    """Return what is known of a charge, given all that is about it."""
    if any(dispute["reason"] == "fraudulent" for dispute in disputes):
        return "fraud"
    names = [event["outcome"] for event in sorted(outcomes, key=lambda event: event["created"])]
    told = [name for name in names if name in WENT | STOPS]
    if "refunded" in names or (told and told[-1] in STOPS):
        return "silenced"
    return "young" if charge["created"] > newest - horizon_s else "genuine"


def costs_of(probability: float, amount: float, costs: Costs) -> dict[str, float]:
    """Return what each action is expected to cost."""
    amount = amount if amount > 0.0 else costs.verification_amount_usd
    loss = probability * (amount * costs.fraud_loss_share + costs.dispute_fee_usd)
    margin = (1.0 - probability) * amount * costs.margin_share
    missed, wrong = 1.0 - costs.challenge_success_share, 1.0 - costs.review_success_share
    return {
        "allow": loss,
        "challenge": costs.challenge_cost_usd
        + missed * loss
        + costs.challenge_abandonment_share * margin,
        "review": costs.review_cost_usd + wrong * (loss + margin),
        "block": margin,
    }


def ruled(rules: Sequence[PlainRule], charge: Event) -> tuple[str | None, str | None]:
    """Return what rules decide of a charge, and which does."""
    first: dict[str, str] = {}
    for rule in rules:
        if not rule.shadow and rule.asks(charge):
            first.setdefault(rule.action, rule.name)
    if "allow_without_challenge" in first:
        return "allow", first["allow_without_challenge"]
    if "allow" in first and "challenge" in first:
        return "challenge", first["challenge"]
    for action in ("allow", "block", "review", "challenge"):
        if action in first:
            return action, first[action]
    return None, None


def decided(
    charges: Sequence[Event], rules: Sequence[PlainRule], costs: Costs
) -> list[tuple[str, str | None]]:
    """Return the action of each charge, in their order, and the rule that decides it."""
    reviews = Reviews(costs.review_capacity_share)
    result = []
    for charge in charges:
        has_review = reviews.earn()
        action, by = ruled(rules, charge)
        if action is None:
            expected = costs_of(charge["score"], charge["usd"], costs)
            action = min(
                (name for name in expected if name != "review" or has_review),
                key=expected.__getitem__,
            )
        if action == "review":
            reviews.take()
        result.append((action, by))
    return result


def stopped_share(action: str, label: str, costs: Costs) -> float:
    """Return how much of a charge an action stops."""
    if action == "challenge":
        is_fraud = label == "fraud"
        return costs.challenge_success_share if is_fraud else costs.challenge_abandonment_share
    if action == "review":
        share = costs.review_success_share
        return share if label == "fraud" else 1.0 - share
    return float(action == "block")


def counts(charges: Sequence[PlainCharge]) -> dict[str, Any]:
    """Count charges by what is known of them."""
    labels = Counter(charge.label for charge in charges)
    return {
        "charges": len(charges),
        "frauds": labels["fraud"],
        "genuine": labels["genuine"],
        "unknown": labels["young"] + labels["silenced"],
        "amount": sum(charge.usd for charge in charges),
    }
