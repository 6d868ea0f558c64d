"""The later version, made and compiled once; and the Kafka of all such tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import kafka, prefix
from tests.integration.worker import compile_kernels
from tests.upgrade.later_version import later_version

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["kafka", "later", "prefix"]


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the later version."""
    path = later_version(tmp_path_factory.mktemp("later"))
    compile_kernels(path)
    return path
