"""States that are made once and copied for each test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.agents.inspection.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("states")
    for make in STATES:
        make(made / make.__name__)
    return made


@pytest.fixture
def copy(states: Path, tmp_path: Path) -> Callable[[str, str], Path]:
    """Return what copies a state to the directory of a task."""

    def copied(name: str, task: str = "0") -> Path:
        return shutil.copytree(states / name, tmp_path / task)

    return copied
