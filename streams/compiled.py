"""How a kernel is compiled: once for all processes, without Python objects or interpreter lock.

numba keys its on-disk cache by the source file of the function compiled, not by the files of the
functions and constants it uses, so a kernel could outlive a change of its parts. The kernels of a
module are therefore cached in a directory named after the sources of all that they can be made of:
the module's file, the files of this project that it imports, those that these import, and so on. So
a kernel may lie in any package and at any depth, and take its parts from any other. A change of
one of these files makes kernels compile again where it is used, and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from numba import njit
from numba.core import config

if TYPE_CHECKING:
    from collections.abc import Callable

Kernel = TypeVar("Kernel", bound="Callable[..., Any]")

PACKAGES = ("schemas", "streams", "agents")
"""What kernels are made of lies in these, which stand side by side wherever they are installed."""

_HERE = Path(__file__).parent
_ROOT = _HERE.parent

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+)?import\b[ \t]*"
    rb"(\([^)]*\)|(?:\\\r?\n|.)*)",
    re.MULTILINE,
)
"""An import: the dots and the module after `from`, and what is imported. With all that follows it
takes 15 ms of a start, where parsing the files takes 90; words of a docstring that look like an
import do no harm."""


def _load_without_linear_algebra() -> None:
    """Load what numba has of numpy without scipy's linear algebra, which no kernel uses.

    Else the first kernel would load it, and take a sixth of a worker's start for that.
    """
    unused = "scipy.linalg"
    if unused not in sys.modules:
        sys.modules[unused] = None  # type: ignore[assignment] # as if it were not installed
        import_module("numba.np.arraymath")
        del sys.modules[unused]


_load_without_linear_algebra()
_to_cached_kernel: Callable[[Any], Any] = njit(cache=True, nogil=True, error_model="numpy")
_config: dict[str, Any] = vars(config)  # numba declares no attributes
_lock = Lock()


def _cache_root(package: Path) -> Path:
    """Return where kernels are cached: where numba is told to, or the package, or the user's."""
    if _config["CACHE_DIR"]:
        return Path(_config["CACHE_DIR"])
    if os.access(package, os.W_OK):
        return package / "__pycache__"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "chargewatch"


_CACHE = _cache_root(_HERE)


def compiled(function: Kernel) -> Kernel:
    """Make a kernel of a function; the decorator of every kernel.

    With numpy's error model a division by zero does not raise.
    """
    directory = _CACHE / f"kernels-{_digest(Path(function.__code__.co_filename))}"
    with _lock:  # numba takes the directory from its configuration, as it is just now
        before = _config["CACHE_DIR"]
        try:
            _config["CACHE_DIR"] = str(directory)
            kernel: Kernel = _to_cached_kernel(function)
        finally:
            _config["CACHE_DIR"] = before
    return kernel


def sources_of(module: Path) -> set[Path]:
    """Return the files that the kernels of a module can be made of, its own among them."""
    found, left = {module}, [module]
    while left:
        new = _imported(left.pop()) - found
        found |= new
        left += new
    return found


@cache
def _digest(module: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(sources_of(module)):
        digest.update(hashlib.sha256(_source(path)).digest())
    return digest.hexdigest()[:16]


@cache
def _source(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""  # a prompt is no file


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Return the files of this project that a file imports."""
    files: set[Path] = set()
    for dots, of, what in _IMPORT.findall(_source(path)):
        base = path.parents[len(dots) - 1] if dots else _ROOT
        module, names = of.decode(), [name.decode() for name in re.findall(rb"[\w.]+", what)]
        if dots or module:
            names = [module, *(f"{module}.{name}".strip(".") for name in names)]
        for name in names:
            if dots or name.partition(".")[0] in PACKAGES:
                place = base.joinpath(*name.split("."))
                files |= {place.with_suffix(".py"), place / "__init__.py"}
    return frozenset(file for file in files if file.is_file())
