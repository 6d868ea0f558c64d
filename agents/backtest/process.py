"""The garbage collector while batches are worked off: they make many objects, and no cycles."""

from __future__ import annotations

import gc
from contextlib import contextmanager
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
