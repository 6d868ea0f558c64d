"""Examples to the learners: a message each, as the bytes of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.features.entities import FEATURES
from streams.layouts.layout import HEAD, LayoutError, Record, number_in
from streams.layouts.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rows import Rows
    from streams.features.spec import Feature


def example_layout(features: Sequence[Feature]) -> Record:
    """Return the layout of an example, `EXAMPLE`, where vectors have these columns."""
    example = np.dtype(
        [
            (HEAD, "u8"),
            ("label", "u1"),
            ("source", "u1"),
            ("weight", "f8"),
            ("stands_for", "f8"),
            ("charged_at", "f8"),
            ("labelled_at", "f8"),
            ("charge", "u8", (2,)),
            ("vector", "f4", (len(features),)),
        ]
    )
    return Record("example", example, {"vector": features})


EXAMPLE_LAYOUT = example_layout(FEATURES)
"""Where there are no signals."""

EXAMPLE = EXAMPLE_LAYOUT.dtype
"""A charge to learn from: `vector` is what was scored, `weight` how much it counts in telling fraud
from the rest, and `stands_for` how many charges it stands for in counting how frequent fraud is.
`source` is what its label is by."""

BY_SILENCE, BY_DISPUTE, BY_VERDICT, CONTROL, IMPUTED = range(5)
"""Sources of labels; a control has none, and an imputed fraud is none (`streams.labels.join`)."""


_FIRST_EXAMPLE = (5676).to_bytes(2, "little")
"""How the first release named its layout."""


_OWN_EXAMPLES = Reader(EXAMPLE_LAYOUT, {})


def encode_examples(examples: Rows) -> list[bytes]:
    """Encode EXAMPLE[N] to N messages."""
    size, raw = examples.dtype.itemsize, examples.tobytes()
    return [raw[i * size : (i + 1) * size] for i in range(len(examples))]


def decode_examples(values: Sequence[bytes], reader: Reader = _OWN_EXAMPLES) -> Rows:
    """Decode N messages to EXAMPLE[N]; `reader` as for frames.

    Raises
    ------
    LayoutError
        When an example is torn, or of a layout that cannot be read.
    """
    for value in values:
        if number_in(value) is None and value[:2] != _FIRST_EXAMPLE:
            raise LayoutError("an example", "it is torn, or older than the first release")
    return reader.rows(values)
