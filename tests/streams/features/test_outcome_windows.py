"""What was declined and blocked counts in its windows: by its own time, once, from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.charge import Charge
from schemas.outcome import Outcome, OutcomeName
from streams.features.entities import FEATURE_NAMES
from streams.features.windows import UINT8_MAX
from tests.streams.features.kernels import Kernels

if TYPE_CHECKING:
    from schemas.scored import Action

START, MINUTE, HOUR, DAY = 1_700_006_400.0, 60.0, 3600.0, 86400.0
"""The beginning of a UTC day, and so of all tiles of windows of outcomes."""


def charge(name: str, created: float, merchant: str = "merchant_1") -> Charge:
    return Charge(name, created, 500, "usd", "card_1", merchant)


def outcome(
    said: OutcomeName, created: float, of: str = "charge_1", action: Action | None = None
) -> Outcome:
    return Outcome(f"{said} {created}", of, "card_1", "merchant_1", created, said, action)


def value(kernels: Kernels, name: str, created: float) -> float:
    """What a charge has in a column, at a time."""
    row = kernels.count([charge(f"{name} {created}", created)], [None]).vectors[0]
    return float(row[FEATURE_NAMES.index(name)])


def after(*outcomes: Outcome) -> Kernels:
    """A card and merchant of which so much was told."""
    kernels = Kernels()
    kernels.count([charge("charge_1", START), charge("charge_2", START)], [None, None])
    kernels.count(outcomes, [START] * len(outcomes))
    return kernels


@pytest.mark.parametrize(
    ("name", "length_s", "tile_s"),
    [
        ("card_declined_1h", HOUR, 10 * MINUTE),
        ("card_declined_24h", DAY, 3 * HOUR),
        ("card_declined_7d", 7 * DAY, DAY),
        ("merchant_declined_1h", HOUR, 10 * MINUTE),
        ("merchant_declined_24h", DAY, 3 * HOUR),
    ],
)
def test_counts_from_its_tile_to_the_end_of_its_window(
    name: str, length_s: float, tile_s: float
) -> None:
    """Known before all charges: those of an earlier tile do not have it, though it has come."""
    at = START + 10 * DAY + 0.5
    kernels = after(outcome("declined", at))
    times = [at - 1.0, at, at + length_s + tile_s - 1.0, at + length_s + tile_s]
    assert [value(kernels, name, time) for time in times] == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("said", ["blocked", "canceled", "challenge_abandoned"])
def test_a_card_has_a_blocked_charge_once(said: OutcomeName) -> None:
    at, answered = START + MINUTE, outcome("answered", START + 2 * MINUTE, action="block")
    for told in ([outcome(said, at)], [outcome(said, at), answered], [answered, outcome(said, at)]):
        kernels = after(*told, *told)
        assert value(kernels, "card_blocked_24h", START + 3 * MINUTE) == 1.0
        assert value(kernels, "card_declined_24h", START + 3 * MINUTE) == 0.0


def test_another_charge_counts_by_itself() -> None:
    kernels = after(
        outcome("declined", START), outcome("declined", START + 1), outcome("blocked", START),
        outcome("declined", START + 2, "charge_2"), outcome("blocked", START, "charge_2"),
    )  # fmt: skip
    assert value(kernels, "card_declined_1h", START + 3) == 2.0
    assert value(kernels, "card_blocked_1h", START + 3) == 2.0
    assert value(kernels, "merchant_declined_1h", START + 3) == 2.0
    assert value(kernels, "merchant_blocked_24h", START + 2 * HOUR) == 0.0


@pytest.mark.parametrize("action", ["allow", "challenge", "review"])
def test_other_answers_are_no_blocks(action: Action) -> None:
    kernels = after(outcome("answered", START, action=action), outcome("challenge_failed", START))
    assert value(kernels, "card_blocked_7d", START + 1) == 0.0


def test_a_card_counts_up_to_255_in_a_tile() -> None:
    kernels = after(*(outcome("declined", START, f"charge_{n}") for n in range(UINT8_MAX + 45)))
    assert value(kernels, "card_declined_24h", START + 1) == UINT8_MAX
    assert value(kernels, "merchant_declined_24h", START + 1) == UINT8_MAX + 45


def test_an_outcome_that_comes_late_counts_in_its_own_tile() -> None:
    kernels = after(outcome("declined", START + DAY), outcome("declined", START, "charge_2"))
    assert value(kernels, "card_declined_7d", START + DAY) == 2.0
    assert value(kernels, "card_declined_24h", START + DAY) == 2.0
    assert value(kernels, "card_declined_1h", START + DAY) == 1.0


@pytest.mark.parametrize("is_cut", [True, False])
def test_what_is_blocked_counts_from_the_next_hour_on(*, is_cut: bool) -> None:
    """Two of three charges that are stopped are blocked, one of them in the last second."""
    first = [charge(f"charge_{n}", START + n) for n in (0.0, 1.0, HOUR - 1)]
    times = [HOUR - 0.5, HOUR, 24 * HOUR, 25 * HOUR - 1.0, 25 * HOUR]
    later = [charge(f"later_{time}", START + time) for time in times]
    kernels = Kernels(stopped=frozenset(first), blocked={first[0], first[2]})
    events = [*first, *later]
    batches = [[each] for each in events] if is_cut else [events]
    rows = [row for batch in batches for row in kernels.count(batch, [None] * len(batch)).vectors]
    column = FEATURE_NAMES.index("merchant_blocked_24h")
    assert [row[column] for row in rows] == [0.0] * 4 + [2.0, 2.0, 2.0, 0.0]
