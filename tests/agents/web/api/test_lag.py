"""How far the workers are behind, as a replica sees it."""

from __future__ import annotations

from random import Random

from agents.web.api.lag import FORGOTTEN_AFTER_S, Lag


def key(number: int) -> tuple[str, str]:
    return "card", f"c{number}"


def test_nothing_is_expected_where_nothing_waits() -> None:
    lag = Lag()
    lag.sent(key(1), 0, at=0.0)
    lag.scored(key(1), now=30.0)
    assert lag.expected_s(0, now=31.0) == lag.expected_s(1, now=31.0) == 0.0
    assert len(lag) == 0


def test_partitions_are_apart() -> None:
    lag = Lag()
    lag.sent(key(1), 0, at=0.0)
    assert lag.expected_s(0, now=5.0) == 5.0
    assert lag.expected_s(1, now=5.0) == 0.0


def test_a_charge_that_is_never_scored_counts_for_a_while_and_is_forgotten() -> None:
    """Workers have rejected it: those after it are scored, and tell how long it takes."""
    lag = Lag()
    lag.sent(key(0), 0, at=0.0)
    for number in range(1, 20):
        lag.sent(key(number), 0, at=float(number))
        lag.scored(key(number), now=number + 0.05)
        lag.sent(key(100 + number), 0, at=number + 0.1)
        assert lag.expected_s(0, now=number + 0.12) < 0.06
        lag.scored(key(100 + number), now=number + 0.15)
    assert len(lag) == 1
    lag.sent(key(200), 0, at=FORGOTTEN_AFTER_S + 1.0)
    assert len(lag) == 1
    lag.scored(key(0), now=FORGOTTEN_AFTER_S + 2.0)  # after all: it is known no more
    assert len(lag) == 1


def test_while_a_worker_stands_still_the_expectation_grows_with_the_oldest() -> None:
    lag = Lag()
    for number in range(10):
        lag.sent(key(number), 0, at=number / 10)
    assert [lag.expected_s(0, now) for now in (1.0, 2.0, 7.5)] == [1.0, 2.0, 7.5]
    lag.scored(key(0), now=8.0)
    assert lag.expected_s(0, now=8.0) == 8.0  # as long as the latest took
    for number in range(1, 10):
        lag.scored(key(number), now=8.0)
    lag.sent(key(10), 0, at=8.1)
    assert lag.expected_s(0, now=8.11) == 8.0 - 0.9
    lag.scored(key(10), now=8.15)
    lag.sent(key(11), 0, at=8.2)
    assert round(lag.expected_s(0, now=8.21), 3) == 0.05


def test_counts_go_back_to_nothing_in_any_order() -> None:
    random, lag = Random(1), Lag()
    numbers = list(range(2000))
    for number in numbers:
        lag.sent(key(number), number % 4, at=number / 1e3)
    random.shuffle(numbers)
    for number in numbers:
        lag.scored(key(number), now=3.0 + number / 1e3)
    assert len(lag) == 0
    assert [lag.expected_s(partition, 10.0) for partition in range(4)] == [0.0] * 4
