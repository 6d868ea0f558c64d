"""Simulations are quiet, and each of their workers measures for itself."""

import logging
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


@pytest.fixture(autouse=True)
def is_quiet() -> Iterator[None]:
    with quiet():
        yield
