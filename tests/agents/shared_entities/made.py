"""Frames and parts that a test makes, which carry a number each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.events.batch import Batch
from streams.events.rows import CHARGE, FRAUD_DISPUTE
from streams.features.entities import entity_code
from streams.wire.entity_events import PART_LAYOUT
from streams.wire.frames import FRAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.events.rows import Rows

KINDS = ("device", "ip", "email")


class Told(NamedTuple):
    """An event of a card, its number, and the kinds of entities that a charge has."""

    number: int
    card: int
    kinds: tuple[str, ...] = ()
    is_label: bool = False


def frames_of(events: Sequence[Told]) -> Batch:
    rows = np.zeros(len(events), FRAME)
    for row, event in zip(rows, events, strict=True):
        row["event"]["kind"] = FRAUD_DISPUTE if event.is_label else CHARGE
        row["event"]["card"] = event.card
        row["event"]["charge"] = (event.number, 7)
        row["event"]["offset"] = event.number
        row["parts"] = len(event.kinds)
    texts = [b"%d" % event.number for event in events]
    return Batch(rows, [b"card"] * len(events), [b"shop"] * len(events), texts)


def parts_of(answers: Sequence[tuple[Told, str]], made_at: float = 1000.0) -> Rows:
    rows = PART_LAYOUT.new(len(answers))
    for row, (event, kind) in zip(rows, answers, strict=True):
        row["entity"] = entity_code(kind)
        row["created_s"] = made_at
        row["key"] = key_of(event, kind)
        row["charge"] = (event.number, 7)
        row["offset"] = event.number
        row["features"] = key_of(event, kind)
    return rows


def key_of(event: Told, kind: str) -> int:
    return 1 + 10 * event.number + KINDS.index(kind)
