"""When a charge counts in the histogram of latencies: when its scored event can be seen."""

from __future__ import annotations

import time

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from agents.metrics import Latencies


def counted(latencies: Latencies) -> int:
    [family] = latencies.collect()
    return int(next(s.value for s in family.samples if s.labels.get("le") == "+Inf"))


def test_in_a_transaction_a_charge_counts_with_its_commit() -> None:
    latencies = Latencies(CollectorRegistry())
    latencies.add(np.array([1.0, 2.0]))
    assert counted(latencies) == 0
    latencies.seal()
    latencies.add(np.array([3.0]))
    latencies.count(10.0)
    assert (counted(latencies), latencies.newest) == (2, 2.0)
    latencies.forget()
    latencies.seal()
    latencies.count(11.0)
    assert counted(latencies) == 2


def test_without_transactions_a_charge_counts_when_it_is_scored() -> None:
    latencies = Latencies(CollectorRegistry(), is_seen_at_once=True)
    published = time.time() - 3.0
    latencies.add(np.array([published]))
    assert (counted(latencies), latencies.newest) == (1, published)
    [family] = latencies.collect()
    [total_s] = [sample.value for sample in family.samples if sample.name.endswith("_sum")]
    assert total_s == pytest.approx(3.0, abs=1.0)
    latencies.seal()
    latencies.count(published + 100.0)
    latencies.forget()
    assert counted(latencies) == 1
