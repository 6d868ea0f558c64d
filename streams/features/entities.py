"""The entities, whose behaviour a charge is compared with, and the table of all features.

An entity is a declaration here. Its table in the state, the layout of its records, its part of a
frame and its columns of the vector follow from it; a stage counts its charges with
`streams.state.entity_records`.

A charge comes by the card and the merchant one after the other. What cards share (devices,
addresses, e-mails, and what an installation names) are asked side by side, and are of one kind of
record: see `streams.features.shared`.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.charge import SHARED_FIELDS
from streams.events.rows import row_bytes
from streams.features.card import CARD_FEATURES, update_cards
from streams.features.card_record import CARD_LAYOUT
from streams.features.charge import CHARGE_FEATURES
from streams.features.merchant import MERCHANT_FEATURES, update_merchants
from streams.features.merchant_record import MERCHANT_LAYOUT
from streams.features.shared import SHARED_FEATURES, shared_features, update_shared
from streams.features.shared_record import SHARED_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

_SHARED_KEY = np.dtype([("entity", ">u4"), ("key", ">u8")])


def _shared_keys(batch: Batch) -> list[bytes]:
    keys = np.empty(len(batch.rows), _SHARED_KEY)
    for name in ("entity", "key"):
        keys[name] = batch.rows[name]
    return row_bytes(keys)


SHARED = Entity("shared", b"\x0b", _shared_keys, SHARED_LAYOUT, SHARED_FEATURES, update_shared)
"""Devices, addresses, e-mails and the like, in one table: ENTITY_EVENT tells them apart."""

RECORDED = (*ENTITIES, SHARED)
"""All kinds of records."""

assert len({entity.prefix for entity in RECORDED}) == len(RECORDED)

SHARED_WORDS = {"device": "device", "ip": "IP address", "email": "e-mail address"}
"""The kinds of shared entities that are fields of the charge, and what sentences call them."""

assert tuple(SHARED_WORDS) == SHARED_FIELDS

FEATURES = (
    *CHARGE_FEATURES,
    *(feature for entity in ENTITIES for feature in entity.features),
    *(feature for kind, words in SHARED_WORDS.items() for feature in shared_features(kind, words)),
)
"""All columns of the vector that models score and learn from, in order."""

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)


def shared_kinds(entities: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of shared entities that vectors have columns of: those of fields, and named.

    >>> shared_kinds(["email", "account"])
    ('device', 'ip', 'email', 'account')
    """
    return (*SHARED_WORDS, *(kind for kind in entities if kind not in SHARED_WORDS))


def entity_code(kind: str) -> int:
    """Return the code of a kind of shared entity: the lower half of its name's hash."""
    return xxh3_64_intdigest(kind.encode()) & 0xFFFFFFFF
