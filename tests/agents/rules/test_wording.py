"""Rules in words."""

from __future__ import annotations

import pytest

from agents.rules.rule_set import parse
from agents.rules.wording import describe

ROW = {
    "card_country": "DE", "ip_country": "US", "merchant_country": None, "amount_usd": 250.0,
    "card_sum_24h": 1000.0, "card_count_1h": 7.0, "weekend": True, "three_d_secure": False,
    "card": "tok_1", "currency": "eur", "risk": 99.0, "score": 0.123456789,
    "::basket::": "gift card", "::seats::": 3, "::vip::": True, "::long::": "a" * 100,
    "::none::": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (":card_country: = 'DE'", 'card country (DE) is "DE"'),
        (":merchant_country: is missing", "merchant country is missing"),
        ("not :merchant_country: is missing", "merchant country is not missing"),
        (":merchant_country: = 'DE'", 'merchant country (missing) is "DE"'),
        ("5 >= :card_count_1h:", "5 is at least card count 1h (7)"),
        ("not :card_count_1h: < 5", "card count 1h (7) is at least 5"),
        (":amount_usd: / :card_sum_24h: < 0.2 + 1 * 2",
         "amount in US dollars (250.00) / card sum 24h (1000.00) is below 0.2 + (1 * 2)"),
        ("-:risk: < -5", "-(risk (99)) is below -5"),
        (":weekend: or not :three_d_secure:", "weekend (true), or not 3-D Secure (false)"),
        (":card: in @stolen", "card is on the list stolen"),
        ("not :card: in @stolen", "card is not on the list stolen"),
        (":email: = 'tok_2'", 'e-mail address is "tok_2"'),
        (":currency: in ('usd', 'eur')", 'currency (eur) is one of "usd", "eur"'),
        ("not :mcc: in (1, 2, 3, 4, 5, 6, 7)",
         "merchant category is not one of 1, 2, 3, 4, 5 and 2 others"),
        ("::basket:: like 'gift%'", 'basket (gift card) matches "gift%"'),
        ("not ::basket:: like 'gift%'", 'basket (gift card) does not match "gift%"'),
        ("::seats:: > 2 and ::vip::", "seats (3) is above 2, and vip (true)"),
        ("::long:: = ::none::", f"long ({'a' * 40}...) is none (missing)"),
        (":risk: > 90 and (:weekend: or :score: > .1)",
         "risk (99) is above 90, and (weekend (true), or score (0.123457) is above 0.1)"),
        ("not (:risk: > 90 and :weekend:)", "not (risk (99) is above 90, and weekend (true))"),
        ("not not :weekend:", "weekend (true)"),
        ("true", "true"),
    ],
)  # fmt: skip
def test_a_condition_in_words(condition: str, words: str) -> None:
    [rule] = parse(f"block if {condition}").rules
    assert describe(rule, ROW) == words
