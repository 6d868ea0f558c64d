"""Arrays as plain JSON: little-endian numbers, deflated and in base64, and their shape."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed(array: NDArray[Any], dtype: str) -> dict[str, Any]:
    """Return an array as numbers of a type."""
    deflated = zlib.compress(array.astype(dtype).tobytes(), level=1)
    return {"shape": list(array.shape), "numbers": base64.b64encode(deflated).decode()}


def unpacked(state: dict[str, Any], dtype: str) -> NDArray[Any]:
    """Return what `packed` was given.

    Raises
    ------
    ValueError, KeyError, TypeError, zlib.error
        When it is nothing of the kind.

    >>> unpacked(packed(np.array([[1.0], [2.5]]), "<f4"), "<f4").tolist()
    [[1.0], [2.5]]
    """
    numbers = np.frombuffer(zlib.decompress(base64.b64decode(state["numbers"])), dtype)
    return numbers.reshape(state["shape"])
