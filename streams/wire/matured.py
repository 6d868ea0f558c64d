"""Matured charges: what is known of a charge when its label horizon has passed, without its vector.

Estimates of how good the actions are need every charge once, when its label is as good as it gets:
frauds are disputed days after their charges, silence speaks only past the horizon, and of what is
stopped nothing is seen at all. So a charge is told of just once, at its horizon.
"""

from collections.abc import Sequence

import numpy as np

from streams.events.rows import Rows
from streams.layouts.layout import HEAD, LayoutError, Record, number_in
from streams.layouts.reader import Reader

RULES_KEPT = 8
"""Rules that matched a charge, of which is known later on."""

MATURED_CHARGE = np.dtype(
    [
        (HEAD, "u8"),
        ("charge", "u8", (2,)),
        ("card", "u8"),
        ("created", "f8"),
        ("score", "f8"),
        ("propensity", "f4"),
        ("counts", "f4"),
        ("rules", "u4", (RULES_KEPT,)),
        ("action", "u1"),
        ("decided_by", "u1"),
        ("seen", "u1"),
    ]
)
"""`score` and `action` are those that were told, whatever was done in the end; `rules` and
`decided_by` as of a kept charge (`streams.labels.pending`). `propensity` is how likely the charge
was to be let through: 1 by its action, or where actions are advisory; of what was to be stopped the
share of the holdout, and 0 if it could not be drawn. `seen` is what was seen of it, and `counts`
how many charges it counts for, by the rate at which silent ones are sampled."""

UNSEEN, GENUINE, FRAUD = range(3)
"""What was seen: nothing, as it was to be stopped, and was not drawn; silence until the horizon; a
fraud before it."""

MATURED_LAYOUT = Record("matured", MATURED_CHARGE)

_ROWS_A_MESSAGE = 1000

_OWN = Reader(MATURED_LAYOUT, {})


def encode_matured(charges: Rows) -> list[bytes]:
    """Encode MATURED_CHARGE[N], N > 0, to as few messages as their size allows."""
    starts = range(0, len(charges), _ROWS_A_MESSAGE)
    return [charges[start : start + _ROWS_A_MESSAGE].tobytes() for start in starts]


def decode_matured(values: Sequence[bytes], reader: Reader = _OWN) -> Rows:
    """Decode messages to all of their rows, MATURED_CHARGE[N]; `reader` as for frames.

    Raises
    ------
    LayoutError
        When a message is torn, or of a layout that cannot be read.
    """
    rows = []
    for value in values:
        number = number_in(value)
        if number is None:
            raise LayoutError("a matured charge", "it is torn")
        size = reader.layout(number).size_bytes
        rows += [value[start : start + size] for start in range(0, len(value), size)]
    return reader.rows(rows)
