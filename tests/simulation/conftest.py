"""Simulations are quiet, and each of their workers measures for itself."""

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.real_stages import separate_metrics


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with separate_metrics():
        yield
    logging.disable(logging.NOTSET)
