"""A dispute counts in the history of its card and merchant from its own time on."""

from __future__ import annotations

import pytest

from schemas.charge import Charge
from schemas.dispute import Dispute
from streams.features.entities import FEATURE_NAMES
from tests.streams.features.kernels import Kernels

START, DAY = 1_700_006_400.0, 86400.0
"""The beginning of a UTC day."""

CARD_FRAUDS = FEATURE_NAMES.index("card_fraud_disputes")
CARD_OTHERS = FEATURE_NAMES.index("card_other_disputes")
CARD_SINCE = FEATURE_NAMES.index("card_since_fraud_dispute")
SHARE = FEATURE_NAMES.index("merchant_dispute_share_30d")
OTHER_SHARE = FEATURE_NAMES.index("merchant_other_dispute_share_90d")
SINCE = FEATURE_NAMES.index("merchant_since_fraud_dispute")
LAST = FEATURE_NAMES.index("merchant_fraud_share_last_1")


def charge(name: str, created: float) -> Charge:
    return Charge(name, created, 500, "usd", "card_1", "merchant_1")


def dispute(created: float, reason: str = "fraudulent") -> Dispute:
    return Dispute("dispute_1", "charge_1", "card_1", "merchant_1", created, reason)


@pytest.mark.parametrize("disputed_at", [START + 40 * DAY, START + 40 * DAY + 0.25])
def test_card_counts_a_dispute_from_its_own_time_on(disputed_at: float) -> None:
    """It has arrived before both charges, and the first of them is older than it."""
    kernels = Kernels()
    kernels.count([charge("charge_1", START), dispute(disputed_at)], [None, START])
    before, after = kernels.count(
        [charge("charge_2", disputed_at - 0.125), charge("charge_3", disputed_at + 1.0)],
        [None, None],
    ).vectors
    assert before[CARD_FRAUDS] == 0.0
    assert before[CARD_SINCE] == 90 * DAY
    assert after[CARD_FRAUDS] == 1.0
    assert after[CARD_SINCE] <= 1.0


def test_card_forgets_disputes_after_90_days() -> None:
    kernels = Kernels()
    kernels.count([charge("charge_1", START), dispute(START + 1, "general")], [None, START])
    times = [START + 2, START + 1 + 90 * DAY, START + 2 + 90 * DAY]
    rows = [kernels.count([charge(f"c{time}", time)], [None]).vectors[0] for time in times]
    assert [row[CARD_OTHERS] for row in rows] == [1.0, 1.0, 0.0]
    assert [row[CARD_FRAUDS] for row in rows] == [0.0, 0.0, 0.0]


def test_merchant_counts_a_dispute_by_its_own_day_and_not_its_charges() -> None:
    """Of a charge of 60 days ago, disputed today: the share of 30 days knows it from today on."""
    kernels = Kernels()
    kernels.count([charge("charge_1", START)], [None])
    kernels.count([charge(f"early_{n}", START + 59 * DAY + n) for n in range(5)], [None] * 5)
    kernels.count([dispute(START + 60 * DAY)], [START])
    on_the_day_before, on_its_day = kernels.count(
        [charge("charge_8", START + 60 * DAY - 1.0), charge("charge_9", START + 60 * DAY)],
        [None, None],
    ).vectors
    prior = 0.004 * 5.0
    assert on_the_day_before[SHARE] == pytest.approx(prior / (6 + 5))
    assert on_the_day_before[SINCE] == 91.0
    assert on_its_day[SHARE] == pytest.approx((1 + prior) / (7 + 5))
    assert on_its_day[SINCE] == 0.0
    assert on_its_day[OTHER_SHARE] == pytest.approx(prior / (8 + 5))


@pytest.mark.parametrize("reason", ["fraudulent", "general"])
def test_duplicate_dispute_counts_once(reason: str) -> None:
    kernels = Kernels()
    kernels.count([charge("charge_1", START)], [None])
    kernels.count([dispute(START + 1, reason)] * 3, [START] * 3)
    kernels.count([dispute(START + 2, reason)], [START])
    row = kernels.count([charge("charge_2", START + 3)], [None]).vectors[0]
    assert row[CARD_FRAUDS] + row[CARD_OTHERS] == 1.0
    assert row[SHARE] + row[OTHER_SHARE] == pytest.approx((1 + 2 * 0.004 * 5.0) / (2 + 5))


def test_fraud_is_known_of_its_charge_as_soon_as_the_dispute_is_there() -> None:
    kernels = Kernels()
    kernels.count([charge("charge_1", START), dispute(START + 5 * DAY)], [None, START])
    row = kernels.count([charge("charge_2", START + 5 * DAY)], [None]).vectors[0]
    assert row[LAST] == pytest.approx(1.0 / 1.05)  # of itself a twentieth of a label is known
