"""Disputes and outcomes count in the history of their card and merchant from their time on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.outcome import Outcome
from streams.features.entities import FEATURE_NAMES
from tests.streams.features.kernels import Kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schemas.outcome import OutcomeName

START, DAY = 1_700_006_400.0, 86400.0
"""The beginning of a UTC day."""

CARD_FRAUDS = FEATURE_NAMES.index("card_fraud_disputes")
CARD_OTHERS = FEATURE_NAMES.index("card_other_disputes")
CARD_SINCE = FEATURE_NAMES.index("card_since_fraud_dispute")
SHARE = FEATURE_NAMES.index("merchant_dispute_share_30d")
OTHER_SHARE = FEATURE_NAMES.index("merchant_other_dispute_share_90d")
SINCE = FEATURE_NAMES.index("merchant_since_fraud_dispute")
LAST = FEATURE_NAMES.index("merchant_fraud_share_last_1")
LAST_3 = FEATURE_NAMES.index("merchant_fraud_share_last_3")
STOPPED_7 = FEATURE_NAMES.index("merchant_stopped_share_7d")
STOPPED_30 = FEATURE_NAMES.index("merchant_stopped_share_30d")
PRIOR = 0.004 * 5.0


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
    assert on_the_day_before[SHARE] == pytest.approx(PRIOR / (6 + 5))
    assert on_the_day_before[SINCE] == 91.0
    assert on_its_day[SHARE] == pytest.approx((1 + PRIOR) / (7 + 5))
    assert on_its_day[SINCE] == 0.0
    assert on_its_day[OTHER_SHARE] == pytest.approx(PRIOR / (8 + 5))


@pytest.mark.parametrize("reason", ["fraudulent", "general"])
def test_duplicate_dispute_counts_once(reason: str) -> None:
    kernels = Kernels()
    kernels.count([charge("charge_1", START)], [None])
    kernels.count([dispute(START + 1, reason)] * 3, [START] * 3)
    kernels.count([dispute(START + 2, reason)], [START])
    row = kernels.count([charge("charge_2", START + 3)], [None]).vectors[0]
    assert row[CARD_FRAUDS] + row[CARD_OTHERS] == 1.0
    assert row[SHARE] + row[OTHER_SHARE] == pytest.approx((1 + 2 * PRIOR) / (2 + 5))


def test_fraud_is_known_of_its_charge_as_soon_as_the_dispute_is_there() -> None:
    kernels = Kernels()
    kernels.count([charge("charge_1", START), dispute(START + 5 * DAY)], [None, START])
    row = kernels.count([charge("charge_2", START + 5 * DAY)], [None]).vectors[0]
    assert row[LAST] == pytest.approx(1.0 / 1.05)  # of itself a twentieth of a label is known


def outcome(name: OutcomeName, created: float, charge: str = "charge_1") -> Outcome:
    return Outcome(f"{name} {created}", charge, "card_1", "merchant_1", created, name)


def history_after(labels: Sequence[Dispute | Outcome]) -> dict[str, float]:
    """What a charge of the eighth day sees, of two of the first and what was said of one."""
    kernels = Kernels()
    kernels.count([charge("charge_1", START), charge("charge_2", START)], [None, None])
    kernels.count(labels, [START] * len(labels))
    row = kernels.count([charge("charge_3", START + 7 * DAY)], [None]).vectors[0]
    names = {"card": CARD_FRAUDS, "share": SHARE, "since": SINCE, "labels": LAST_3}
    return {name: float(row[column]) for name, column in names.items()}


FOUND = {"card": 1.0, "share": (1 + PRIOR) / (3 + 5), "since": 6.0, "labels": 1 / 1.1}
"""Of a fraud found on the second day; two other charges are a twentieth of a label each."""

NOTHING = {"card": 0.0, "share": PRIOR / (3 + 5), "since": 91.0, "labels": 0.0}

LATER = START + 3 * DAY


FRAUD: dict[str, Callable[[float], Dispute | Outcome]] = {
    "challenge_failed": partial(outcome, "challenge_failed"),
    "review_fraud": partial(outcome, "review_fraud"),
    "dispute": dispute,
}


@pytest.mark.parametrize("first", FRAUD)
@pytest.mark.parametrize("then", FRAUD)
@pytest.mark.parametrize("later_s", [DAY, -0.5 * DAY])
def test_a_charge_is_found_to_be_a_fraud_once(first: str, then: str, later_s: float) -> None:
    """By whichever comes first, also if what comes then was known earlier."""
    at = START + 1.5 * DAY
    assert history_after([FRAUD[first](at), FRAUD[then](at + later_s)]) == pytest.approx(FOUND)


@pytest.mark.parametrize("verdict", ["challenge_failed", "review_fraud"])
@pytest.mark.parametrize("is_verdict_first", [True, False])
def test_a_dispute_that_is_won_is_taken_back(
    verdict: OutcomeName, *, is_verdict_first: bool
) -> None:
    disputed, won = dispute(START + DAY), outcome("dispute_won", LATER)
    found = outcome(verdict, START + 2 * DAY)
    assert history_after([disputed, won]) == pytest.approx(NOTHING)
    assert history_after([disputed, won, won]) == pytest.approx(NOTHING)
    both: list[Dispute | Outcome] = [found, disputed] if is_verdict_first else [disputed, found]
    assert history_after([*both, won]) == pytest.approx(NOTHING)


def test_a_won_dispute_takes_back_that_of_its_charge_only() -> None:
    """Not that of another of the same day, nor what no dispute had said."""
    won = outcome("dispute_won", LATER, "charge_2")
    assert history_after([dispute(START + DAY), won]) == pytest.approx(FOUND)
    other = outcome("review_fraud", START + DAY)
    assert history_after([other, outcome("dispute_won", LATER)]) == pytest.approx(FOUND)
    for_other_reasons = dispute(START + DAY, "general")
    won = outcome("dispute_won", LATER)
    assert history_after([for_other_reasons, other, won]) == pytest.approx(FOUND)


@pytest.mark.parametrize("name", ["challenge_passed", "review_genuine"])
def test_a_genuine_charge_is_a_label_at_once(name: OutcomeName) -> None:
    """Of two charges of a day one is a fraud; the other is a twentieth of a label, then a whole."""
    fraud = dispute(START + DAY)
    before = history_after([fraud])
    after = history_after([fraud, outcome(name, START + 2 * DAY, "charge_2")])
    assert before == pytest.approx(FOUND)
    assert after == pytest.approx(FOUND | {"labels": 1 / 2.05})


@pytest.mark.parametrize(
    "name",
    ["authorized", "declined", "blocked", "canceled", "challenge_abandoned", "refunded",
     "dispute_won"],
)  # fmt: skip
def test_other_outcomes_count_nothing(name: OutcomeName) -> None:
    assert history_after([outcome(name, START + DAY)]) == pytest.approx(NOTHING)


@pytest.mark.parametrize("is_cut", [True, False])
def test_what_is_stopped_counts_from_the_next_day_on(*, is_cut: bool) -> None:
    """Two of four charges of a day are stopped: the next day knows, the same day does not.

    They are forgotten after 7 and 30 days, and what nothing stopped is 0.
    """
    first = [charge(f"charge_{n}", START + 3600.0 * n) for n in range(4)]
    days = [1, 7, 8, 30, 31]
    later = [charge(f"later_{day}", START + day * DAY) for day in days]
    kernels = Kernels(stopped={first[0], first[2]})
    batches = [[each] for each in (*first, *later)] if is_cut else [[*first, *later]]
    rows = [row for batch in batches for row in kernels.count(batch, [None] * len(batch)).vectors]
    of_week, of_month = ([float(row[column]) for row in rows] for column in (STOPPED_7, STOPPED_30))
    assert of_week == pytest.approx([0.0] * 4 + [2 / 5, 2 / 6, 0.0, 0.0, 0.0])
    assert of_month == pytest.approx([0.0] * 4 + [2 / 5, 2 / 6, 2 / 7, 2 / 8, 0.0])


def test_a_duplicate_is_not_stopped_again() -> None:
    stopped = charge("charge_1", START)
    kernels = Kernels(stopped={stopped})
    kernels.count([stopped, stopped, charge("charge_2", START + 1)], [None] * 3)
    row = kernels.count([charge("charge_3", START + DAY)], [None]).vectors[0]
    assert row[STOPPED_7] == pytest.approx(1 / 3)
