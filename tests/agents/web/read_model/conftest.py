"""Fixtures of the read model: each test on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agents.web.read_model.databases import PostgreSQL, postgresql_binaries, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[URL]:
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL: `apt-get install postgresql` has its programs")
    with PostgreSQL(binaries) as server:
        yield server.url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> URL:
    if request.param == "sqlite":
        return sqlite_url(tmp_path_factory.mktemp("read_model"))
    found: URL = request.getfixturevalue("postgresql_url")
    return found
