"""The arithmetic of the benchmarks, against figures worked out by hand."""

from __future__ import annotations

import pytest

from tests.bench.data import Event, created_at
from tests.bench.percentiles import curve, quantile
from tests.bench.systems import CEILING, FAUST, FAUST_ONE, KAFKA_STREAMS, OURS, QUIX
from tests.bench.throughput import Line, Run, at, ratios


def test_value_between_samples() -> None:
    samples = [(10.0, 1.0), (11.0, 1.0), (13.0, 2.0)]
    assert at(12.5, samples) == pytest.approx(1.75)
    assert at(10.0, samples) == 1.0
    with pytest.raises(ValueError, match="no samples"):
        at(13.1, samples)


def test_percentiles_are_values_that_occurred() -> None:
    ordered = [float(number) for number in range(1, 1001)]
    assert [quantile(ordered, share) for share in (0.0, 0.5, 0.99, 0.999, 1.0)] == [
        1.0, 500.0, 990.0, 999.0, 1000.0,
    ]  # fmt: skip
    drawn = curve(ordered)
    assert drawn[0] == (0.0, 1.0)
    assert drawn[20][0] == pytest.approx(0.9)
    assert drawn[20][1] == 900.0
    assert drawn[-1] == (0.999, 1000.0)
    assert drawn == sorted(drawn)


def test_ratios_are_of_medians_of_exactly_once() -> None:
    rates = [
        (OURS, [10.0, 30.0, 31.0]), (FAUST, [2.0]), (FAUST_ONE, [4.0]), (QUIX, [10.0]),
        (KAFKA_STREAMS, [30.0]), (CEILING, [100.0]),
    ]  # fmt: skip
    lines = [
        Line(system.name, system.guarantee, 1, [Run(rate, 1.0, 1.0, 0.0) for rate in of_it])
        for system, of_it in rates
    ]
    lines.append(Line(OURS.name, "at_least_once", 1, [Run(1e6, 1.0, 1.0, 0.0)]))
    found = [(ratio.measured, ratio.is_met) for ratio in ratios(lines)]
    assert found == [(15.0, True), (7.5, False), (3.0, False), (1.0, True), (0.3, True)]


def test_disputes_are_moved_with_the_charge_before() -> None:
    events = [Event(True, b"c", b'{"created":1}'), Event(False, b"c", b'{"created":9}')]
    moved = created_at([*events, events[0]], [5.0, 6.0])
    assert [event.value for event in moved] == [
        b'{"created":5.0}', b'{"created":5.0}', b'{"created":6.0}',
    ]  # fmt: skip
