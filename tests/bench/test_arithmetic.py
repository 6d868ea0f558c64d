"""The arithmetic of the benchmarks, against figures worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import orjson
import pytest

from streams.features.card_record import CARD
from streams.state.store import MemoryStore
from streams.state.tables import TaskState
from tests.bench.data import Event, created_at
from tests.bench.filling import card_key, fill, sample
from tests.bench.flame_graph import flame_graph
from tests.bench.intervals import RATES, Interval
from tests.bench.percentiles import curve, quantile
from tests.bench.report import Results
from tests.bench.scaling import charges_in, spread_over
from tests.bench.systems import CEILING, FAUST, FAUST_ONE, KAFKA_STREAMS, OURS, QUIX
from tests.bench.throughput import Line, Run, at, ratios
from tests.bench.window_cost import window_costs

if TYPE_CHECKING:
    from pathlib import Path


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


def test_every_card_is_filled_and_the_offset_stays() -> None:
    store = MemoryStore()
    store.write({}, [], offset=7)
    records = np.zeros(2, CARD)
    records["charges"] = [3, 4]
    fill(store, [record.tobytes() for record in records], cards=25_000)
    assert store.offset == 7
    assert [key for key, _ in TaskState(store).entities["card"].scan(b"", b"\xff")] == [
        card_key(number) for number in range(25_000)
    ]
    assert set(sample(store)) == {record.tobytes() for record in records}


def test_charges_are_spread_over_all_cards_and_disputes_follow_theirs() -> None:
    charges = [Event(True, b"x", b'{"id":"%d","card":"x"}' % n) for n in range(2_000)]
    disputes = [Event(False, b"x", b'{"charge":"%s","card":"x"}' % id_) for id_ in (b"5", b"old")]
    *moved, known, unknown = spread_over([*charges, *disputes], 10)
    drawn = [int(event.key[5:]) for event in moved]
    assert np.bincount(drawn, minlength=10) == pytest.approx(200, abs=60)
    assert known.key == moved[5].key
    assert unknown.key == b"x"
    assert all(
        orjson.loads(event.value)["card"].encode() == event.key
        for event in (*moved, known, unknown)
    )
    assert charges_in([*moved, known]) == 2_000


def test_windows_cost_more_with_more_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.window_cost._ROUNDS", 1)
    costs = window_costs()
    assert [cost.tiles for cost in costs] == [80, 160, 320, 640]
    assert [cost.bytes for cost in costs] == [8 * cost.tiles for cost in costs]
    assert 0.0 < costs[0].ns_per_charge < costs[-1].ns_per_charge


def test_flame_graph_has_the_shares_of_frames() -> None:
    drawn = flame_graph([(("a", "b<"), 3), (("a",), 1), (("c",), 4)], "title")
    titles = [
        found.text for found in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}title")
    ]
    assert titles == ["all: 100.0%", "a: 50.0%", "b<: 37.5%", "c: 50.0%"]
    [_, *frames] = ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}rect")
    widths = [float(frame.attrib["width"]) for frame in frames]
    assert widths == pytest.approx([1199.6, 599.6, 449.6, 599.6])


def test_intervals_are_kept_as_they_are_shown(tmp_path: Path) -> None:
    quantiles = {rate: {"p50": rate + 0.25, "p99": rate + 0.75} for rate in RATES}
    facts = {"cpu": "a", "cores": 2, "memory_gb": 1, "at": "now", "commit": "c", "load": [0.0]}
    Results(facts, intervals=[Interval(25, quantiles, Run(9_000.0, 80.0, 10.0, 0.5))]).write(
        tmp_path
    )
    (kept,) = orjson.loads((tmp_path / "results.json").read_bytes())["intervals"]
    shown = (tmp_path / "results.txt").read_text(encoding="utf-8")
    assert kept["quantiles"] == {str(rate): of for rate, of in quantiles.items()}
    assert all(f"{rate}.2 " in shown and f"{rate}.8 " in shown for rate in RATES)
