"""Fixtures of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agents.web.console.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.console_users import Role

ROLES: dict[str, Role] = {
    "vic": "viewer",
    "bob": "analyst",
    "eve": "analyst",
    "mia": "manager",
    "ann": "administrator",
}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    for name, role in ROLES.items():
        made.add_user(name, role)
    yield made
    made.close()
