"""What is said when a signal stops coming, and when it comes again."""

from __future__ import annotations

import logging
import math
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from agents.worker.signals_check import EXPECTED_MIN, SILENT_AFTER_S, SignalsCheck
from schemas.signals import signals_of
from streams.features.signals import features_with

if TYPE_CHECKING:
    import pytest

FEATURES = features_with(signals_of({"ip_risk": "number", "shop": "category"}))
START = 1_767_225_600.0


class Stream:
    """Charges, so many seconds apart, in batches of ten."""

    def __init__(self, every_s: float) -> None:
        self.check = SignalsCheck(FEATURES)
        self._every_s = every_s
        self._now = START

    def send(self, charges: int, ip_risk: float, shop: float) -> int:
        lacking = 0
        for _ in range(charges // 10):
            created = self._now + self._every_s * np.arange(10, dtype=np.float64)
            self._now += 10 * self._every_s
            vectors = np.zeros((10, len(FEATURES)), np.float32)
            vectors[:, -2:] = ip_risk, shop
            lacking += int(self.check.add(created, vectors)[0])
        return lacking


def test_one_that_stops_is_told_once_and_that_it_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = Stream(every_s=60.0)
    assert stream.send(200, 0.5, 7.0) == 0
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert stream.send(200, math.nan, 7.0) == 200
    (told,) = caplog.messages
    assert told.startswith("signal ip_risk has stopped coming: none of the last 60 charges has it")
    assert "since 2026-01-01T03:19+00:00; before, 100% had it" in told
    caplog.clear()
    stream.send(100, 0.5, 7.0)
    assert caplog.messages == ["signal ip_risk comes again"]


def test_one_that_stops_within_a_batch_is_told(caplog: pytest.LogCaptureFixture) -> None:
    created = START + 60.0 * np.arange(400, dtype=np.float64)
    vectors = np.zeros((400, len(FEATURES)), np.float32)
    vectors[:, -2] = np.where(np.arange(400) < 300, 0.5, math.nan)
    missing = SignalsCheck(FEATURES).add(created, vectors)
    assert missing.tolist() == [100, 400]
    (told,) = caplog.messages
    assert "ip_risk has stopped coming: none of the last 100 charges has it" in told
    assert "since 2026-01-01T04:59+00:00; before, 100% had it" in told


def test_an_hour_has_to_pass(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(every_s=1.0)
    stream.send(200, 0.5, 7.0)
    stream.send(int(SILENT_AFTER_S) - 20, 0.5, 0.0)
    assert not caplog.records
    stream.send(60, 0.5, 0.0)
    (told,) = caplog.messages
    assert "signal shop has stopped" in told


def test_one_that_is_rare_is_not_missed_too_soon(caplog: pytest.LogCaptureFixture) -> None:
    """One charge in twenty has it: a thousand without it are as telling as fifty."""
    rng = Random(3)
    stream = Stream(every_s=600.0)
    for _ in range(200):
        stream.send(10, 0.5 if rng.random() < 0.05 else math.nan, 7.0)
    assert not caplog.records
    stream.send(20 * EXPECTED_MIN * 10, math.nan, 7.0)
    assert len(caplog.records) == 1


def test_one_that_never_came_is_not_missed(caplog: pytest.LogCaptureFixture) -> None:
    Stream(every_s=600.0).send(5000, math.nan, 7.0)
    assert not caplog.records
