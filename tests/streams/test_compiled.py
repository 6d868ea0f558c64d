"""Compiled kernels are not outlived by what they were compiled from."""

from __future__ import annotations

import ast
import inspect
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from numba.core.registry import CPUDispatcher

from agents import commands
from agents.drift import quantities
from agents.models import kernels
from schemas import charge
from streams import compiled
from streams.features import card as card_features
from streams.features import card_record, windows
from streams.features import entities as features

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(compiled.__file__).parent.parent

KERNEL = """
from streams.compiled import compiled
{import_}

@compiled
def kernel(value):
    return value + {constant}
"""

TREE = {
    "schemas/sizes.py": "SIZE = 3\n",
    "streams/features/tiles/lengths.py": "from schemas.sizes import SIZE\nLENGTH = 10 * SIZE\n",
    "streams/features/card.py": KERNEL.format(
        import_="from streams.features.tiles.lengths import LENGTH", constant="LENGTH"
    ),
    "agents/models/forest/limits.py": "LIMIT = 7\n",
    "agents/models/forest/__init__.py": "from agents.models.forest.limits import LIMIT\n",
    "agents/models/kernels.py": KERNEL.format(
        import_="from agents.models import (\n    forest,\n)\nLIMIT = forest.LIMIT",
        constant="LIMIT",
    ),
    "agents/drift/kernels.py": KERNEL.format(
        import_="from ..models import kernels", constant="kernels.kernel(1)"
    ),
    "agents/commands/worker.py": "SIZE = 3\n",
    "apart.py": KERNEL.format(
        import_="import streams.features.tiles.lengths as tiles", constant="tiles.LENGTH"
    ),
}
"""A project in which what kernels are made of is in all packages, and a kernel outside of them."""

KERNELS = ("streams.features.card", "agents.models.kernels", "agents.drift.kernels", "apart")

RUN = f"""
import json
from importlib import import_module
told = {{}}
for name in {KERNELS}:
    kernel = import_module(name).kernel
    told[name] = kernel(100), bool(kernel.stats.cache_misses)
print(json.dumps(told))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, source in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    shutil.copy(compiled.__file__, tmp_path / "streams")
    return tmp_path


def run(project: Path) -> tuple[dict[str, int], set[str]]:
    """Call every kernel in a process of its own; return what they give, and which were compiled."""
    environment = {**os.environ, "PYTHONPATH": str(project)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        check=True, capture_output=True, text=True, cwd=project, env=environment,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told.keys() == set(KERNELS)
    return {name: value for name, (value, _) in told.items()}, {
        name for name, (_, was_compiled) in told.items() if was_compiled
    }


def test_kernels_follow_every_change_of_what_they_are_made_of(project: Path) -> None:
    of_streams, of_models, of_drift, apart = KERNELS
    first = {of_streams: 130, of_models: 107, of_drift: 108, apart: 130}
    assert run(project) == (first, set(KERNELS))

    (project / "agents/commands/worker.py").write_text("SIZE = 4\n")
    assert run(project) == (first, set())

    (project / "agents/models/forest/limits.py").write_text("LIMIT = 8\n")
    second = {**first, of_models: 108, of_drift: 109}
    assert run(project) == (second, {of_models, of_drift})

    (project / "schemas/sizes.py").write_text("SIZE = 4\n")
    assert run(project) == ({**second, of_streams: 140, apart: 140}, {of_streams, apart})


def modules() -> Iterator[tuple[str, Path]]:
    """All modules of the packages, by their names."""
    for package in compiled.PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.parent if path.name == "__init__.py" else path.with_suffix("")
            yield ".".join(place.relative_to(ROOT).parts), path


def modules_of_kernels() -> list[ModuleType]:
    """The modules in which a kernel is defined, found by their text and then by what they hold."""
    found = [import_module(name) for name, path in modules() if "@compiled" in path.read_text()]
    for module in found:
        held = [k for k in vars(module).values() if isinstance(k, CPUDispatcher)]
        assert any(kernel.py_func.__module__ == module.__name__ for kernel in held)
    return found


def test_all_that_a_kernel_is_made_of_counts() -> None:
    """Parse the modules of all kernels, and the modules that these import, to the last."""
    paths = dict(modules())
    for module in modules_of_kernels():
        sources, left, seen = compiled.sources_of(Path(inspect.getfile(module))), [module], set()
        while left:
            name = left.pop().__name__
            seen.add(name)
            assert paths[name] in sources, f"{name} in the kernels of {module.__name__}"
            for node in ast.walk(ast.parse(paths[name].read_text())):
                names = []
                if isinstance(node, ast.ImportFrom):
                    assert node.level == 0
                    names = [f"{node.module}", *(f"{node.module}.{a.name}" for a in node.names)]
                elif isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                left += [import_module(n) for n in names if n in paths and n not in seen]


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        (card_features, {card_features, card_record, windows, charge, compiled}),
        (kernels, {kernels, compiled}),
        (quantities, {quantities, features, card_features, windows, compiled}),
    ],
)
def test_what_a_kernel_is_made_of(module: ModuleType, parts: set[ModuleType]) -> None:
    sources = compiled.sources_of(Path(inspect.getfile(module)))
    assert {Path(inspect.getfile(part)) for part in parts} <= sources


def test_nothing_else_counts() -> None:
    """An edit elsewhere makes no kernel compile again."""
    sources: set[Path] = set()
    for module in modules_of_kernels():
        sources |= compiled.sources_of(Path(inspect.getfile(module)))
    assert not any(path.is_relative_to(Path(commands.__file__).parent) for path in sources)
    assert len(sources) < len(list(modules())) / 3


def test_kernels_of_a_package_that_cannot_be_written_are_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(compiled._config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert compiled._cache_root(tmp_path) == tmp_path / "__pycache__"
    assert compiled._cache_root(tmp_path / "missing") == tmp_path / "cache" / "chargewatch"
    monkeypatch.setitem(compiled._config, "CACHE_DIR", str(tmp_path / "told"))
    assert compiled._cache_root(tmp_path) == tmp_path / "told"
