"""The cost of signals, in short."""

from __future__ import annotations

from tests.bench.signal_cost import COUNTS, signal_costs


def test_each_signal_costs_a_little() -> None:
    """Some 2 microseconds; ten times as much where numbers are searched for card numbers."""
    costs = signal_costs(charges=500, rounds=5)
    assert tuple(costs) == COUNTS
    most = COUNTS[-1]
    of_each = (sum(costs[most]) - sum(costs[1])) / (most - 1)
    assert of_each < 2.0 * sum(costs[0]), costs
