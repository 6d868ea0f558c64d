"""Scattering: what the entities that a charge shares with others are told of it.

A charge comes by its card, and then by its merchant. Its device, address and e-mail are asked side
by side while it is on its way, each where its record is; how many it waits for goes with it. A
charge that has none of them is as quick as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson

from streams.events.headers import taken_off
from streams.events.rows import CHARGE, hash_of
from streams.features.entities import SHARED_WORDS, entity_code
from streams.layouts.raw_rows import joined, rows_at
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streams.events.batch import Batch, Times
    from streams.events.rows import Rows


class Scattered(NamedTuple):
    """ENTITY_EVENT[M] of the charges among frames, and i8[M], the frame of each."""

    events: Rows
    places: NDArray[np.intp]


class Scatter:
    """Tells the entities of frames what comes.

    Parameters
    ----------
    entities
        Kinds of entities: fields of the charge, or others that are carried along.
    """

    def __init__(self, entities: Sequence[str]) -> None:
        self._codes = {kind: entity_code(kind) for kind in entities}
        self._carried = [kind for kind in entities if kind not in SHARED_WORDS]

    def __call__(self, frames: Batch, times: Times) -> Scattered:
        """Return what entities are told, in the order of the frames, whose `parts` are set.

        Parameters
        ----------
        frames
            N of them.
        times
            f8[N], stream time at each, Unix seconds.
        """
        events = frames.rows["event"]
        charges = np.flatnonzero(events["kind"] == CHARGE)
        carried = self._carried_keys(frames, charges)
        told, places = [], []
        for kind, code in self._codes.items():
            keys = carried[kind] if kind in carried else events[kind][charges]
            present = charges[keys != 0]
            if len(present):
                told.append(_entity_events(code, rows_at(events, present), keys[keys != 0]))
                places.append(present)
        if not told:
            return Scattered(ENTITY_EVENT_LAYOUT.new(0), charges[:0])
        of_frames = np.concatenate(places)
        rows = joined(told)
        rows["now"] = times[of_frames]
        frames.rows["parts"] += np.bincount(of_frames, minlength=len(events)).astype(np.uint8)
        order = np.argsort(of_frames, kind="stable")
        return Scattered(rows_at(rows, order), of_frames[order])

    def _carried_keys(
        self, frames: Batch, charges: NDArray[np.intp]
    ) -> dict[str, NDArray[np.uint64]]:
        """Return u8[charges] of each kind that is read from fields that are carried along."""
        if not self._carried:
            return {}
        heads, _ = taken_off([frames.tails[place] for place in charges.tolist()])
        fields = [orjson.loads(head + b"}") for head in heads]
        return {
            kind: np.array([_carried_key(of_charge.get(kind)) for of_charge in fields], np.uint64)
            for kind in self._carried
        }


def _carried_key(value: object) -> int:
    """Return the key of what a field holds: a text, or a number, as its text."""
    if isinstance(value, str):
        return hash_of(value or None)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return hash_of(str(value)) if is_number else 0


def _entity_events(code: int, charges: Rows, keys: NDArray[np.uint64]) -> Rows:
    """Return ENTITY_EVENT[N] of EVENT[N] with their keys."""
    rows = ENTITY_EVENT_LAYOUT.new(len(charges))
    rows["entity"] = code
    rows["key"] = keys
    for name in ("kind", "duplicate", "charge", "offset", "card", "merchant", "amount", "created"):
        rows[name] = charges[name]
    return rows
