"""How a kernel is compiled: once for all processes, without Python objects or interpreter lock.

numba keys its on-disk cache by the source file of the function compiled, not by the files of the
functions and constants it uses, so a kernel could outlive a change of its parts. The cache of this
package therefore lies in a directory named after the sources of all kernels and of what they
import.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from numba import njit
from numba.core import config

_PACKAGE = Path(__file__).parent


def _digest_of_sources(package: Path) -> str:
    sources = {path.stem: path.read_bytes() for path in package.glob("*.py")}
    kernels = [name for name, source in sources.items() if b"streams.compiled" in source]
    used = {
        imported.decode()
        for name in kernels
        for imported in re.findall(rb"from streams\.(\w+) import", sources[name])
    }
    digest = hashlib.sha256()
    for name in sorted({*kernels, *used}):
        digest.update(sources[name])
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    directory = _PACKAGE / "__pycache__" / f"kernels-{_digest_of_sources(_PACKAGE)}"
    setattr(config, "CACHE_DIR", str(directory))  # noqa: B010 # numba declares no attributes

compiled = njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of every kernel. With numpy's error model a division by zero does not raise."""
