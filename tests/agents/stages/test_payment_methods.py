"""Which actions and fields charges of a payment method have, whoever decides."""

from __future__ import annotations

from typing import Any

import pytest

from agents.settings.costs import Costs
from schemas.merchants import MerchantSettings
from schemas.method_table import METHODS, PaymentMethod
from streams.features.entities import FEATURE_NAMES
from tests.agents.stages.policies import policy_of
from tests.agents.stages.stages import START, Run, charge
from tests.agents.stages.test_holdout import Scores

NEVER = 1e6
ASKS_ALWAYS = Costs(challenge_cost_usd=0.0, challenge_success_share=1.0,
                    challenge_abandonment_share=0.0, review_cost_usd=NEVER)  # fmt: skip
"""Under it nothing costs less than a challenge."""

WITHOUT = ("sepa_debit", "SEPA Debit", "sepa_direct_debit", "wallet", "paypal", "ideal",
           "bank_redirect")  # fmt: skip
WITH = (None, "card", "Visa", "apple_pay", "boleto")


def new_run(score: float, costs: Costs, **settings: Any) -> Run:
    run = Run(costs=costs, holdout_share=0.0, **settings)
    run.scorer = Scores(score)
    return run


def sent(method: str | None, amount: int = 2000, **fields: Any) -> Any:
    named = {} if method is None else {"payment_method": method}
    return charge("c1", START, amount=amount, **named, **fields)


def cheapest(score: float, dollars: float, costs: Costs, *, has_review: bool = False) -> str:
    """Return what costs least without a challenge, by the formulas of the docs."""
    fraud = score * (dollars * costs.fraud_loss_share + costs.dispute_fee_usd)
    refusal = (1.0 - score) * dollars * costs.margin_share
    wrong = 1.0 - costs.review_success_share
    by_action = {"allow": fraud, "block": refusal}
    if has_review:
        by_action["review"] = costs.review_cost_usd + wrong * (fraud + refusal)
    return min(by_action, key=lambda action: by_action[action])


@pytest.mark.parametrize("score", [0.01, 0.1, 0.3, 0.7])
def test_the_model_takes_the_cheapest_of_what_is_left(score: float) -> None:
    for method in WITH:
        [event] = new_run(score, ASKS_ALWAYS).feed(sent(method))
        assert event["action"] == "challenge"
    for method in WITHOUT:
        [event] = new_run(score, ASKS_ALWAYS).feed(sent(method))
        assert event["action"] == cheapest(score, 20.0, ASKS_ALWAYS)
        assert event["decided_by"] == "model"


def test_a_review_may_be_what_is_left() -> None:
    costs = Costs(challenge_cost_usd=0.0, review_capacity_share=1.0, review_cost_usd=0.01)
    for score in (0.001, 0.3):
        [event] = new_run(score, costs).feed(sent("sepa_debit"))
        assert event["action"] == cheapest(score, 20.0, costs, has_review=True)
    assert event["action"] == "review"


@pytest.mark.parametrize("merchant", ["*", "shop_1"])
@pytest.mark.parametrize(
    ("thresholds", "action"),
    [
        ({"challenge_at": 0}, "allow"),
        ({"challenge_at": 0, "block_at": 0}, "block"),
        ({"challenge_at": 0, "review_at": 0}, "review"),
        ({"challenge_at": 0, "review_at": 0, "block_at": 100}, "review"),
        ({"challenge_at": 0, "review_at": 100, "block_at": 100}, "allow"),
    ],
)
def test_no_threshold_of_a_merchant_challenges(
    merchant: str, thresholds: dict[str, int], action: str
) -> None:
    costs = {"review_capacity_share": 1.0, "challenge_cost_usd": 0.0}
    run = new_run(0.01, Costs(review_capacity_share=1.0, review_cost_usd=NEVER))
    settings = MerchantSettings(merchant, 1, costs=costs, **thresholds)  # type: ignore[arg-type]
    run.policy = policy_of(run.settings, settings)
    found = [event["action"] for event in run.feed(sent("sepa_debit"), sent(None, card="other"))]
    assert found[0] == action
    assert found[1] == ("challenge" if action == "allow" else action)


@pytest.mark.parametrize(
    ("rules", "of_debits", "of_cards"),
    [
        ("# c:\nchallenge if true", ("allow", "model"), ("challenge", "rule:c")),
        ("# a:\nallow if true\n# c:\nchallenge if true", ("allow", "rule:a"),
         ("challenge", "rule:c")),
        ("# r:\nreview if true\n# c:\nchallenge if true", ("review", "rule:r"),
         ("review", "rule:r")),
        ("# c:\nchallenge if :payment_method: = 'other'", ("allow", "model"), ("allow", "model")),
        ("# b:\nblock if true\n# c:\nchallenge if true", ("block", "rule:b"), ("block", "rule:b")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("owner", ["all_", "shop_1"])
def test_no_rule_challenges(
    rules: str, of_debits: tuple[str, str], of_cards: tuple[str, str], owner: str
) -> None:
    """It is told that it matches, and decides nothing: another that matches does, or the model."""
    run = new_run(0.01, Costs(challenge_cost_usd=NEVER))
    run.policy = policy_of(run.settings, **{owner: rules.replace("'", '"')})
    debit, card = run.feed(sent("sepa_debit"), sent(None, card="other"))
    assert (debit["action"], debit["decided_by"]) == of_debits
    assert (card["action"], card["decided_by"]) == of_cards
    if "true" in rules:
        assert {"id": "c", "action": "challenge"} in debit["rules"]


def test_costs_of_a_method_are_its_own() -> None:
    """They lie over those of the merchant: a refusal that costs nothing blocks its charges."""
    table = (PaymentMethod(name="boleto", costs={"margin_share": 0.0}), *METHODS)
    run = new_run(0.2, Costs(challenge_cost_usd=NEVER), payment_methods=table)
    settings = MerchantSettings("shop_1", 1, costs={"margin_share": 1.0})
    run.policy = policy_of(run.settings, settings)
    events = run.feed(sent("boleto"), sent("wallet", card="a"), sent(None, card="b"))
    assert [event["action"] for event in events] == ["block", "allow", "allow"]


def test_a_method_may_have_no_review_either() -> None:
    table = (PaymentMethod(name="boleto", actions=("allow", "block")),)
    costs = Costs(review_cost_usd=0.0, review_success_share=1.0, review_capacity_share=1.0)
    run = new_run(0.3, costs, payment_methods=table)
    run.policy = policy_of(run.settings, all_="# r:\nreview if true")
    events = run.feed(sent("boleto"), sent(None, card="other"))
    assert [event["action"] for event in events] == [cheapest(0.3, 20.0, costs), "review"]
    assert [event["decided_by"] for event in events] == ["model", "rule:r"]


def test_what_a_method_cannot_have_is_not_missing() -> None:
    """A debit without any field of a card has no column that says so; a card has them all."""
    run = Run()
    events = run.feed(sent("sepa_debit"), sent("card", card="other"), sent("boleto", card="more"))
    missing = [
        FEATURE_NAMES.index(f"{field}_missing")
        for field in ("funding", "card_country", "cvc_check", "postal_check", "three_d_secure")
    ]
    vectors = [memoryview(vector).cast("f") for vector in run.outputs.vectors]
    assert [[vector[place] for place in missing] for vector in vectors] == [
        [0.0] * 5, [1.0] * 5, [1.0] * 5,
    ]  # fmt: skip
    said = {reason["feature"] for reason in events[0]["reasons"]}
    assert not said & {FEATURE_NAMES[place] for place in missing}


def test_what_is_told_of_a_method_counts_all_the_same() -> None:
    run = Run()
    run.feed(sent("sepa_debit", cvc_check="fail", funding="debit", card_country="FR"))
    [vector] = [memoryview(vector).cast("f") for vector in run.outputs.vectors]
    for name in ("cvc_check_fail", "funding_debit"):
        assert vector[FEATURE_NAMES.index(name)] == 1.0
