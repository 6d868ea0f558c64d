"""How a kernel is compiled: once for all processes, without Python objects or interpreter lock.

numba keys its on-disk cache by the source file of the function compiled, not by the files of the
functions and constants it uses, so a kernel could outlive a change of its parts. The cache of this
package therefore lies in a directory named after the sources of all kernels.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from numba import njit
from numba.core import config

_PACKAGE = Path(__file__).parent


def _digest_of_sources(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(package.glob("*.py")):
        source = path.read_bytes()
        if b"streams.compiled" in source:
            digest.update(source)
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    directory = _PACKAGE / "__pycache__" / f"kernels-{_digest_of_sources(_PACKAGE)}"
    setattr(config, "CACHE_DIR", str(directory))  # noqa: B010 # numba declares no attributes

compiled = njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of every kernel. With numpy's error model a division by zero does not raise."""
