"""When a charge counts in the histogram of latencies, and what is counted of inputs."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from agents.stages.entity_news import NOTHING_TOLD
from agents.stages.merchant_output import MerchantOutput
from agents.worker.gauges import show_stages
from agents.worker.latencies import Latencies
from agents.worker.metrics import count_findings, count_matured, count_output
from streams.labels.join import NONE_MATURED
from streams.labels.pending import PENDING_LAYOUT
from streams.wire.examples import EXAMPLE_LAYOUT
from streams.wire.matured import FRAUD
from tests.agents.evaluation.test_estimates import blocked


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
    assert counted(latencies) == 2
    latencies.forget()
    latencies.seal()
    latencies.count(11.0)
    assert counted(latencies) == 2


def test_without_transactions_a_charge_counts_when_it_is_scored() -> None:
    latencies = Latencies(CollectorRegistry(), is_seen_at_once=True)
    published = time.time() - 3.0
    latencies.add(np.array([published]))
    assert counted(latencies) == 1
    [family] = latencies.collect()
    [total_s] = [sample.value for sample in family.samples if sample.name.endswith("_sum")]
    assert total_s == pytest.approx(3.0, abs=1.0)
    latencies.seal()
    latencies.count(published + 100.0)
    latencies.forget()
    assert counted(latencies) == 1


def test_findings_are_counted_by_kind_and_field() -> None:
    labels = {"finding": "ignored", "field": "funding"}
    before = REGISTRY.get_sample_value("chargewatch_findings_total", labels) or 0.0
    count_findings({("ignored", "funding"): 3, ("card_number", "id"): 1})
    count_findings({("ignored", "funding"): 2})
    assert REGISTRY.get_sample_value("chargewatch_findings_total", labels) == before + 5.0


def test_disputes_of_blocked_charges_are_counted() -> None:
    before = REGISTRY.get_sample_value("chargewatch_disputed_blocks_total") or 0.0
    output = MerchantOutput(
        keys=[], scored=[], headers=None, heads=[], answers=PENDING_LAYOUT.new(0),
        examples=EXAMPLE_LAYOUT.new(0), matured=NONE_MATURED, rejected=[], finished=[],
        disputed_blocks=3, entity_events=NOTHING_TOLD,
    )  # fmt: skip
    count_output(output)
    assert REGISTRY.get_sample_value("chargewatch_disputed_blocks_total") == before + 3.0


def test_matured_charges_are_counted_by_what_the_model_chose_to_do() -> None:
    """By the names that the queries of the page have, which give an estimate."""
    rows = blocked(40, share=0.2, drawn=10)
    rows["seen"][:6] = FRAUD

    def read(what: str) -> float:
        name = f"chargewatch_matured_{what}_total"
        return REGISTRY.get_sample_value(name, {"action": "block"}) or 0.0

    names = ("charges", "covered", "expected", "frauds", "expected_of_seen", "seen",
             "seen_squares", "labels")  # fmt: skip
    before = {name: read(name) for name in names}
    count_matured(rows)
    found = {name: read(name) - before[name] for name in names}
    assert found == pytest.approx(
        {"charges": 40, "covered": 40, "expected": 32, "frauds": 30, "expected_of_seen": 40,
         "seen": 50, "seen_squares": 250, "labels": 10}, rel=1e-5,
    )  # fmt: skip


def test_what_waits_is_shown_over_all_tasks() -> None:
    disputes = SimpleNamespace(for_charge=1, for_time=2)
    card = SimpleNamespace(waiting=disputes)
    task = SimpleNamespace(waiting=3, card=card, take_lookups=dict)
    show_stages(cast("Any", [task, task]))
    assert REGISTRY.get_sample_value("chargewatch_charges_waiting") == 6.0
    for until, count in (("charge", 2.0), ("time", 4.0)):
        labels = {"until": until}
        assert REGISTRY.get_sample_value("chargewatch_disputes_waiting", labels) == count
    show_stages([])
