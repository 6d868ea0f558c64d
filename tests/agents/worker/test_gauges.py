"""How far tasks are behind, in seconds, and what is shown of caches and stores."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from prometheus_client import REGISTRY

from agents.worker import metrics
from agents.worker.gauges import LagGauges, show_stages, show_stores
from schemas.scored import ALLOW, BLOCK, BY_MODEL, BY_RULE
from streams.engine.buffers import PartitionBuffer
from streams.events.batch import RowBatch
from streams.labels.pending import PENDING_LAYOUT
from streams.state.record_cache import Lookups
from streams.state.rocksdb import RocksStore
from streams.wire.entity_events import PART_LAYOUT

if TYPE_CHECKING:
    from pathlib import Path


class Tasks:
    """Tasks with one source each, whose partitions a test fills."""

    def __init__(self, count: int) -> None:
        self.buffers = [PartitionBuffer(0) for _ in range(count)]
        self.gauges = LagGauges()

    def arrive(self, task: int, *logged: float, fetched: bool = True) -> None:
        """Have messages come, in the log since a time; the broker tells of them."""
        buffer = self.buffers[task]
        buffer.end += len(logged)
        buffer.is_behind = not fetched
        if fetched:
            times = np.array(logged)
            batch = RowBatch(PART_LAYOUT.new(len(times)))
            offsets = np.arange(buffer.fetched, buffer.end)
            buffer.add(times, batch, offsets, times, [], buffer.end)

    def seconds(self, now: float) -> list[float | None]:
        tasks = [
            SimpleNamespace(number=number, buffers={"charges": buffer})
            for number, buffer in enumerate(self.buffers)
        ]
        self.gauges.show(cast("Any", tasks), now)
        return [
            REGISTRY.get_sample_value(
                "chargewatch_lag_seconds", {"source": "charges", "task": str(number)}
            )
            for number in range(len(tasks))
        ]


def test_lag_is_the_age_of_the_first_message_that_was_not_taken() -> None:
    tasks = Tasks(2)
    tasks.arrive(0, 100.0, 103.0, 104.0)
    tasks.arrive(1, 104.5)
    assert tasks.seconds(105.0) == [5.0, 0.5]
    tasks.buffers[0].take(100.0)
    assert tasks.seconds(105.0) == [2.0, 0.5]
    tasks.buffers[0].take(104.0)
    tasks.buffers[1].take(104.5)
    assert tasks.seconds(106.0) == [0.0, 0.0]


def test_a_message_that_was_not_fetched_waits_since_nothing_did() -> None:
    tasks = Tasks(1)
    tasks.arrive(0, 100.0)
    tasks.buffers[0].take(100.0)
    assert tasks.seconds(4000.0) == [0.0]
    tasks.arrive(0, 4003.0, fetched=False)
    assert tasks.seconds(4005.0) == [5.0], "not since the message before it, an hour ago"


def test_while_it_catches_up_lag_is_the_age_of_what_it_has_come_to() -> None:
    tasks = Tasks(1)
    tasks.arrive(0, 100.0)
    tasks.buffers[0].take(100.0)
    tasks.arrive(0, *np.arange(101.0, 2000.0), fetched=False)
    assert tasks.seconds(2000.0) == [1900.0]


def test_before_anything_is_known_no_lag_is_made_up() -> None:
    tasks = Tasks(1)
    assert tasks.seconds(2000.0) == [0.0]
    tasks.arrive(0, 100.0, fetched=False)
    assert tasks.seconds(2000.0) == [0.0]


def test_a_task_that_has_left_is_shown_no_more() -> None:
    tasks = Tasks(2)
    tasks.seconds(1.0)
    tasks.buffers.pop()
    tasks.seconds(2.0)
    labels = {"source": "charges", "task": "1"}
    for name in ("lag_seconds", "lag_messages"):
        assert REGISTRY.get_sample_value(f"chargewatch_{name}", labels) is None


def test_lookups_are_counted_once() -> None:
    def read(what: str) -> float:
        labels = {"entity": "card"}
        return REGISTRY.get_sample_value(f"chargewatch_cache_{what}_total", labels) or 0.0

    before = read("lookups"), read("misses")
    disputes = SimpleNamespace(for_charge=0, for_time=0)
    stage = SimpleNamespace(
        waiting=0, card=SimpleNamespace(waiting=disputes),
        take_lookups=lambda: {"card": Lookups(10, 3)},
    )  # fmt: skip
    show_stages(cast("Any", [stage, stage]))
    assert (read("lookups"), read("misses")) == (before[0] + 20.0, before[1] + 6.0)
    show_stages([])


def test_a_store_on_disk_tells_its_sizes(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "db", "layout")
    store.write({b"%05d" % n: bytes(1000) for n in range(500)}, [], 1)
    in_memory = store.figures()
    assert in_memory.memtable_bytes > 500_000
    assert 500 <= in_memory.records <= 502
    store.close()
    store = RocksStore(tmp_path / "db", "layout")
    task = SimpleNamespace(number=7, state=SimpleNamespace(store=store))
    show_stores(cast("Any", [task]))
    on_disk = sum(file.stat().st_size for file in (tmp_path / "db").glob("*.sst"))
    assert on_disk > 0
    assert REGISTRY.get_sample_value("chargewatch_state_bytes", {"task": "7"}) == on_disk
    assert (REGISTRY.get_sample_value("chargewatch_state_memtable_bytes") or 0) < 100_000
    assert REGISTRY.get_sample_value("chargewatch_state_stalled") == 0.0
    store.close()
    show_stores([])


def test_charges_are_counted_by_what_was_done_and_by_what_decided() -> None:
    answers = PENDING_LAYOUT.new(5)
    answers["action"] = [ALLOW, ALLOW, BLOCK, BLOCK, ALLOW]
    answers["withheld"] = [ALLOW, ALLOW, ALLOW, ALLOW, BLOCK]
    answers["decided_by"] = [BY_MODEL, BY_MODEL, BY_MODEL, BY_RULE, BY_MODEL]
    answers["score"] = [0.0, 0.004, 0.95, 0.3, 0.6]
    asked = {
        ("scored", "action", "allow"): 3.0,
        ("scored", "action", "block"): 2.0,
        ("scored_usd", "action", "block"): 7.0,
        ("decided", "by", "model"): 3.0,
        ("decided", "by", "rule"): 1.0,
        ("decided", "by", "holdout"): 1.0,
        ("holdout", "action", "block"): 1.0,
        ("holdout_usd", "action", "block"): 5.0,
    }

    def read() -> dict[tuple[str, str, str], float]:
        return {
            (name, label, value): REGISTRY.get_sample_value(
                f"chargewatch_{name}_total", {label: value}
            )
            or 0.0
            for name, label, value in asked
        }

    before = read()
    high = REGISTRY.get_sample_value("chargewatch_scores_bucket", {"le": "0.9"}) or 0.0
    scored = metrics.ScoredCharges()
    scored.add(answers[:2], np.array([1.0, 2.0]))
    scored.add(answers[2:], np.array([3.0, 4.0, 5.0]))
    scored.count()
    scored.count()
    assert {key: value - before[key] for key, value in read().items()} == pytest.approx(asked)
    assert REGISTRY.get_sample_value("chargewatch_scores_bucket", {"le": "0.9"}) == high + 4.0
