"""Compiled kernels are not outlived by what they were compiled from."""

from pathlib import Path

import pytest

from streams.compiled import _digest_of_sources

SOURCES = {
    "compiled.py": "# how",
    "kernel.py": "from streams.compiled import compiled\nfrom streams.constants import SIZE\n",
    "constants.py": "SIZE = 3\n",
    "other.py": "import json\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, source in SOURCES.items():
        (tmp_path / name).write_text(source)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "makes_a_difference"),
    [("kernel.py", True), ("constants.py", True), ("compiled.py", True), ("other.py", False)],
)
def test_cache_has_a_name_of_its_own_for_every_change(
    package: Path, changed: str, makes_a_difference: bool
) -> None:
    before = _digest_of_sources(package)
    assert _digest_of_sources(package) == before
    (package / changed).write_text(SOURCES[changed] + "# changed\n")
    assert (_digest_of_sources(package) != before) == makes_a_difference
