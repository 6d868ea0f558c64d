"""What entities are told of charges, and the parts of their vectors that they answer with.

::

    card stage ── frame ──────────────────────────────────▶ chargewatch.by-merchant
        └── charge ──▶ chargewatch.by-entity ──▶ entity stage ── part ──┘   │
                         ▲── fraud, blocked ──────────────── merchant stage ◀┘
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.events.rows import row_bytes
from streams.features.shared import SHARED_FEATURES
from streams.layouts.layout import HEAD, Record

ENTITY_EVENT = np.dtype(
    [
        (HEAD, "u8"),
        ("entity", "u4"),
        ("kind", "u1"),
        ("duplicate", "u1"),
        ("answer_to", "u2"),
        ("key", "u8"),
        ("charge", "u8", (2,)),
        ("offset", "i8"),
        ("card", "u8"),
        ("merchant", "u8"),
        ("amount", "f8"),
        ("created", "f8"),
        ("now", "f8"),
    ]
)
"""An event of one entity. `entity` is the hash of what kind of entity it is, `key` that of which.
`kind` is as of EVENT: a charge, or what became of it: found to be a fraud, its dispute won, blocked
by us; `created` is then the stream time at which that was so. `now` is the stream time at which a
charge comes. `charge` and `offset` tell one
message of a charge from another; `answer_to` is the partition of its merchant, by which the part
goes."""

ENTITY_EVENT_LAYOUT = Record("entity_event", ENTITY_EVENT)

PART = np.dtype(
    [
        (HEAD, "u8"),
        ("entity", "u4"),
        ("created_s", "u4"),
        ("key", "u8"),
        ("charge", "u8", (2,)),
        ("offset", "i8"),
        ("features", "f4", (len(SHARED_FEATURES),)),
    ]
)
"""A part of a charge's vector: its features by one entity. The rest is as of the entity event."""

PART_LAYOUT = Record("part", PART, {"features": SHARED_FEATURES})

TICKET = np.dtype([("charge", "u8", (2,)), ("offset", "i8")])
"""What a frame and its parts have in common, and no other frame."""


def tickets_of(rows: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[bytes]:
    """Return the tickets of rows with the fields of one."""
    tickets = np.empty(len(rows), TICKET)
    for name in ("charge", "offset"):
        tickets[name] = rows[name]
    return row_bytes(tickets)


def entity_partitions(
    entities: npt.NDArray[np.uint32], keys: npt.NDArray[np.uint64], count: int
) -> npt.NDArray[np.int64]:
    """Return in which of so many partitions entities are, by what kind each is of, and which."""
    return ((keys ^ entities) % np.uint64(count)).astype(np.int64)


def entity_in(part: bytes) -> int:
    """Return the code of the kind of entity that a part, PART as its bytes, is by."""
    return int.from_bytes(part[_ENTITY_AT : _ENTITY_AT + 4], "little")


assert PART.fields is not None
_ENTITY_AT = PART.fields["entity"][1]
