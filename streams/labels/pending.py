"""Scored charges that wait for their labels: what is kept of each, and under which key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streams.durations import DAY_S
from streams.events.rows import row_bytes
from streams.features.entities import FEATURES, shared_kinds
from streams.layouts.layout import HEAD, NO_PLACE, Record
from streams.wire.matured import RULES_KEPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rows import Rows
    from streams.features.spec import Feature


def pending_layout(features: Sequence[Feature], entities: Sequence[str] = ()) -> Record:
    """Return the layout of a kept charge, `PENDING`, by the columns of vectors, and entities."""
    kinds = shared_kinds(entities)
    pending = np.dtype(
        [
            (HEAD, "u8"),
            ("created", "f8"),
            ("score", "f8"),
            ("stands_for", "f8"),
            ("labels", "u1"),
            ("action", "u1"),
            ("risk", "u1"),
            ("withheld", "u1"),
            ("propensity", "f4"),
            ("reason_count", "u1"),
            ("reasons", "u1", (5,)),
            ("model", "S32"),
            ("card", "u8"),
            ("rules", "u4", (RULES_KEPT,)),
            ("decided_by", "u1"),
            ("entity_keys", "u8", (len(kinds),)),
            ("vector", "f4", (len(features),)),
        ]
    )
    assert len(features) <= NO_PLACE
    return Record(
        "pending",
        pending,
        {"vector": features, "entity_keys": kinds},
        places_in={"reasons": "vector"},
    )


PENDING_LAYOUT = pending_layout(FEATURES)
"""Where there are no signals. The vector comes last, so all else has the same place in any."""

PENDING = PENDING_LAYOUT.dtype
"""What is kept of a scored charge: its vector, and the answer it got, for a duplicate.

`stands_for` is how many charges it stands for as a negative, by the rate at which it was drawn; 0
if it was not, or the first release kept it. `propensity` is how likely one that was to be stopped
was to be let through: the share of the holdout where it could be drawn, 1 if actions are advisory,
else 0. `withheld` is the action that would have been taken of one that was drawn, else that of
`ALLOW`. `card` is the hash of its card, 0 if an earlier version kept it. `rules` are the hashes of
rules that matched, 0 for none; if it was decided `BY_RULE`, the first is the rule that did.
`entity_keys` are the hashes of the device and the like that it had, 0 for none.
"""

FRAUD_LABEL, CANCELLED, MATURED, WENT_THROUGH, WAS_STOPPED = 1, 2, 4, 8, 16
REFUNDED, ANSWERED, IN_TIME = 32, 64, 128
"""Bits of `labels`: learned as a fraud; so before its silence was, hence never a negative; learned
as a negative; went through, or was stopped, as far as is known; its money went back; another action
than the scored one was given; learned as a fraud before its horizon had passed."""

_KEY = np.dtype([("day", ">u4"), ("charge", ">u8", (2,))])
"""What a charge is kept under. Bytes sort as the numbers do: by day, then at random. Behind it is
the code of its method of payment, if that has times of its own."""

DAY_BYTES = _KEY["day"].itemsize
KEY_BYTES = _KEY.itemsize
METHOD_BYTES = 4
HASH_RANGE = float(2**64)
"""Of either half of a charge's hash."""


def draws_of(charges: Rows) -> npt.NDArray[np.float64]:
    """Return a number from 0 to 1 for each of EVENT[N], by its hash and independent of sampling."""
    draws: npt.NDArray[np.float64] = charges["charge"][:, 1] / HASH_RANGE
    return draws


def kept_key(charge: np.void) -> bytes:
    """Give the key under which a charge, a row of EVENT, is kept, without its method."""
    return kept_keys(np.atleast_1d(charge))[0]


def kept_keys(charges: Rows) -> list[bytes]:
    """Give the keys under which charges, EVENT[N], are kept, without their methods."""
    keys = np.empty(len(charges), _KEY)
    keys["day"] = charges["created"] // DAY_S
    keys["charge"] = charges["charge"]
    return row_bytes(keys)


def big_endian(hashes: npt.NDArray[np.uint64]) -> list[bytes]:
    """Return u8[N, 2] charge hashes as they stand in keys."""
    return row_bytes(hashes.astype(">u8"))


def day_key(day: int) -> bytes:
    """Return what the keys of a day since 1970 begin with."""
    return day.to_bytes(DAY_BYTES, "big")


def hashes_in(keys: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """Return the charge hashes in N keys, u8[N, 2]."""
    without_methods = b"".join([key[:KEY_BYTES] for key in keys])
    return np.frombuffer(without_methods, _KEY)["charge"].astype(np.uint64)


def method_key(method: int) -> bytes:
    """Return what stands behind the key of a charge by the code of its method, nothing for 0."""
    return method.to_bytes(METHOD_BYTES, "big") if method else b""


def method_in(key: bytes) -> bytes:
    """Return what stands behind the key of a charge."""
    return key[KEY_BYTES:]


def method_code(method: bytes) -> int:
    """Return the code of a method by what stands behind keys."""
    return int.from_bytes(method, "big")
