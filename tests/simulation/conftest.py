"""Simulations are quiet and on one core, and each of their workers measures for itself."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.simulation.real_stages import separate_metrics


@contextmanager
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with separate_metrics():
        yield
    logging.disable(logging.NOTSET)


@contextmanager
def on_one_core() -> Iterator[None]:
    """Bind this thread and those that it starts to a core: they take turns, quicker on one."""
    if sys.platform != "linux":
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@pytest.fixture(autouse=True)
def is_quiet() -> Iterator[None]:
    with quiet():
        yield
