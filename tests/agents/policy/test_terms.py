"""Actions on the terms of merchants, against each charge decided by itself in plain Python."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import isnan, nan
from random import Random
from typing import NamedTuple

import numpy as np
import pytest

from agents.policy.book import MerchantsBook
from agents.policy.terms import PRESETS, Terms, TermsTable
from agents.settings.costs import Costs
from agents.stages.decisions import UNDECIDED, ReviewBudget, Scored, choose
from schemas.merchants import MerchantSettings, encode_merchant
from schemas.method_table import METHODS, PaymentMethod
from schemas.rejected import InvalidEvent
from schemas.scored import ALLOW, BLOCK, CHALLENGE, REVIEW
from streams.events.rows import hash_of
from streams.features.merchant_record import MERCHANT

REVIEWS_SAVED = 100


class Charge(NamedTuple):
    merchant: int
    score: float
    risk: int
    amount: float
    decided: int


def random_terms(random: Random) -> Terms:
    def threshold() -> float:
        return random.choice((nan, float(random.randint(0, 100))))

    return Terms(
        costs=Costs(
            dispute_fee_usd=random.choice((0.0, 15.0, 400.0)),
            margin_share=random.random(),
            review_cost_usd=random.choice((0.0, 4.0)),
            review_capacity_share=random.choice((0.0, 0.01, 0.2, 1.0)),
        ),
        block_at=threshold(),
        review_at=threshold(),
        challenge_at=threshold(),
        has_own_reviews=random.random() < 0.5,
    )


def slowly(charges: list[Charge], of_all: Terms, own: dict[int, Terms]) -> list[int]:
    """Decide charges one after the other; tokens are in whole reviews' millionths."""
    shared, of_merchant, actions = 0, dict.fromkeys(range(10), 0), []
    for charge in charges:
        terms = own.get(charge.merchant, of_all)
        tokens = of_merchant[charge.merchant] if terms.has_own_reviews else shared
        tokens += round(terms.costs.review_capacity_share * 1e6)
        tokens = min(tokens, REVIEWS_SAVED * 1_000_000)
        action = charge.decided
        if action == UNDECIDED:
            action = decided_by_model(charge, terms, has_review=tokens >= 1_000_000)
        if action == REVIEW:
            tokens = max(tokens - 1_000_000, 0)
        if terms.has_own_reviews:
            of_merchant[charge.merchant] = tokens
        else:
            shared = tokens
        actions.append(action)
    return actions


def decided_by_model(charge: Charge, terms: Terms, *, has_review: bool) -> int:
    at = {BLOCK: terms.block_at, REVIEW: terms.review_at, CHALLENGE: terms.challenge_at}
    for action in (BLOCK, REVIEW, CHALLENGE):
        if charge.risk >= at[action] and (action != REVIEW or has_review):
            return action
    costs, p = terms.costs, charge.score
    amount = charge.amount or costs.verification_amount_usd
    fraud = p * (amount * costs.fraud_loss_share + costs.dispute_fee_usd)
    refusal = (1 - p) * (amount * costs.margin_share)
    by_action = {ALLOW: fraud}
    if isnan(at[CHALLENGE]):
        by_action[CHALLENGE] = (
            costs.challenge_cost_usd
            + (1 - costs.challenge_success_share) * fraud
            + costs.challenge_abandonment_share * refusal
        )
    if isnan(at[REVIEW]) and has_review:
        wrong = 1 - costs.review_success_share
        by_action[REVIEW] = costs.review_cost_usd + wrong * (fraud + refusal)
    if isnan(at[BLOCK]):
        by_action[BLOCK] = refusal
    return min(by_action, key=lambda action: (by_action[action], action))


@pytest.mark.parametrize("seed", range(12))
def test_every_charge_is_decided_on_the_terms_of_its_merchant(seed: int) -> None:
    random = Random(seed)
    of_all = replace(random_terms(random), has_own_reviews=False)
    own = {merchant: random_terms(random) for merchant in range(4)}
    charges = [
        Charge(
            random.randrange(10),
            random.random() ** 3,
            random.randrange(100),
            random.choice((0.0, random.expovariate(0.01))),
            random.choice((*[UNDECIDED] * 8, ALLOW, REVIEW)),
        )
        for _ in range(3000)
    ]
    table = TermsTable(of_all, {str(merchant): terms for merchant, terms in own.items()})
    merchants = np.array([charge.merchant for charge in charges])
    hashes = np.array([hash_of(str(merchant)) for merchant in merchants], np.uint64)
    records, budget, actions = np.zeros(10, MERCHANT), ReviewBudget(), list[int]()
    cuts = [0, *sorted(random.sample(range(len(charges)), 5)), len(charges)]
    for start, end in pairwise(cuts):
        part = slice(start, end)
        actions += choose(
            Scored(
                np.array([charge.score for charge in charges[part]]),
                np.array([charge.risk for charge in charges[part]], np.uint8),
                np.array([charge.amount for charge in charges[part]]),
            ),
            table.of(hashes[part]),
            np.array([charge.decided for charge in charges[part]], np.int8),
            records,
            merchants[part],
            budget,
        ).tolist()
    assert actions == slowly(charges, of_all, own)
    assert len(set(actions)) >= 3, "else it says little"


def test_a_merchants_settings_lie_over_those_for_all_and_these_over_the_installation() -> None:
    book = MerchantsBook(Terms(costs=Costs(margin_share=0.4, review_cost_usd=7.0)))
    for record in (
        MerchantSettings("*", 1, preset="protect", block_at=90, costs={"review_cost_usd": 2.0}),
        MerchantSettings("m1", 1, costs={"margin_share": 0.9}, fallback="review"),
        MerchantSettings("m2", 1, preset="revenue", block_at=100, holdout_share=0.0),
    ):
        book.take(record.merchant.encode(), encode_merchant(record))
    anybody, one, two = (book.terms_of(merchant) for merchant in ("m9", "m1", "m2"))
    assert (anybody.costs.margin_share, anybody.costs.review_cost_usd) == (0.10, 2.0)
    assert (one.costs.margin_share, one.costs.review_cost_usd, one.block_at) == (0.9, 2.0, 90)
    assert (one.fallback, anybody.fallback) == ("review", "allow")
    assert (two.costs.margin_share, two.block_at) == (PRESETS["revenue"]["margin_share"], 100)
    book.take(b"*", None)
    assert book.terms_of("m1").costs.margin_share == 0.9
    assert book.terms_of("m9").costs.margin_share == 0.4


@pytest.mark.parametrize(
    ("fallback", "of_cards", "of_debits", "of_vouchers"),
    [
        ("allow", "allow", "allow", "allow"),
        ("challenge", "challenge", "review", "block"),
        ("review", "review", "review", "block"),
        ("block", "block", "block", "block"),
    ],
)
def test_the_fallback_is_one_that_the_method_has_or_the_next_stricter_one(
    fallback: str, of_cards: str, of_debits: str, of_vouchers: str
) -> None:
    methods = (*METHODS, PaymentMethod(name="voucher", actions=("allow", "block")))
    terms = Terms(fallback=fallback, methods=methods)
    for method, action in (
        (None, of_cards),
        ("Visa", of_cards),
        ("unheard_of", of_cards),
        ("SEPA-Debit", of_debits),
        ("ideal", of_debits),
        ("voucher", of_vouchers),
    ):
        assert terms.fallback_of(method) == action


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b'{"merchant":"m1","version":1,"costs":{"margin":1}}', "margin: there is no such cost"),
        (b'{"merchant":"m1","version":1,"costs":{"margin_share":2}}', "from 0 to 1"),
        (b'{"merchant":"m1","version":1,"block_att":2}', "block_att"),
        (b'{"merchant":"m1","version":1,"block_at":200}', "block_at"),
        (b'{"merchant":"m2","version":1}', "expected 'm1'"),
        (b"[", "settings of a merchant"),
    ],
)
def test_settings_that_cannot_be_change_nothing(value: bytes, said: str) -> None:
    book = MerchantsBook(Terms())
    book.take(b"m1", encode_merchant(MerchantSettings("m1", 1, block_at=50)))
    with pytest.raises(InvalidEvent, match=said):
        book.take(b"m1", value)
    assert book.terms_of("m1").block_at == 50
