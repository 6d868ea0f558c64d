"""The running process: its garbage collector, and how much memory it has taken."""

from __future__ import annotations

import gc
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBJECTS = 100_000
"""Those of several batches; with the usual 700, each of them is looked at several times."""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Have the collector start after more objects, and leave alone what was there before."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def peak_rss_mb() -> float:
    """Return the most memory that this process has had resident, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # where `ru_maxrss` counts the memory of who started the process, too
        _, _, rest = status.read_text(encoding="ascii").partition("VmHWM:")
        return int(rest.split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def spare_the_collector() -> None:
    """Take what is there for good out of what the garbage collector looks through.

    These are some hundred thousand objects of modules and compiled kernels. A full collection
    stopped the worker for 100 ms because of them.
    """
    gc.collect()
    gc.freeze()
