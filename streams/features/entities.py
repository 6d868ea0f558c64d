"""The entities, whose behaviour a charge is compared with, and the table of all features.

An entity is a declaration here. Its table in the state, the layout of its records, its part of a
frame and its columns of the vector follow from it; a stage counts its charges with
`agents.stages.entity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from streams.features.card import CARD_FEATURES, update_cards
from streams.features.card_record import CARD_LAYOUT
from streams.features.charge import CHARGE_FEATURES
from streams.features.merchant import MERCHANT_FEATURES, update_merchants
from streams.features.merchant_record import MERCHANT_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.events.batch import Batch
    from streams.features.spec import Feature
    from streams.layouts.layout import Record

__all__ = ["CHARGE_FEATURES"]


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of entity.

    Attributes
    ----------
    name
        Of the kind, with which the names of its features begin.
    prefix
        The first byte of its records' keys in the state of a task; no other table has it.
    keys
        Returns the keys of a batch's events, UTF-8.
    record
        The layout of a record.
    features
        What the kernel writes of a charge.
    kernel
        Walks a batch in order, updates the records and writes the features: called with the
        records, i8[N] the place of each event's record, EVENT[N], f4[N, features] to write to, and
        what it needs besides.
    """

    name: str
    prefix: bytes
    keys: Callable[[Batch], list[bytes]]
    record: Record
    features: tuple[Feature, ...]
    kernel: Callable[..., Any]

    def __post_init__(self) -> None:
        assert self.record.layout.name == self.name
        assert all(feature.name.startswith(f"{self.name}_") for feature in self.features)


CARDS = Entity("card", b"\x01", attrgetter("cards"), CARD_LAYOUT, CARD_FEATURES, update_cards)
MERCHANTS = Entity(
    "merchant",
    b"\x02",
    attrgetter("merchants"),
    MERCHANT_LAYOUT,
    MERCHANT_FEATURES,
    update_merchants,
)
ENTITIES = (CARDS, MERCHANTS)
"""In the order in which a charge comes by them; the last one's stage scores it."""

assert len({entity.prefix for entity in ENTITIES}) == len(ENTITIES)

FEATURES = (*CHARGE_FEATURES, *(feature for entity in ENTITIES for feature in entity.features))
"""All columns of the vector that models score and learn from, in order."""

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
