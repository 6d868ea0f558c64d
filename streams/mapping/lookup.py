"""Cards of charges, for disputes and outcomes that only name the charge.

What is kept is of the charges that are asked for alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Label(msgspec.Struct, gc=False):
    charge: str
    card: str | None = None
    merchant: str | None = None


class _Charge(msgspec.Struct, gc=False):
    id: str
    card: str
    merchant: str


_decode_label = msgspec.json.Decoder(_Label).decode
_decode_charge = msgspec.json.Decoder(_Charge).decode
_NO_EVENT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def charges_asked_for(labels: Iterable[bytes]) -> set[str]:
    """Return the ids of the charges that disputes or outcomes do not name the card of.

    >>> charges_asked_for([b'{"charge":"c1"}', b'{"charge":"c2","card":"k","merchant":"m"}'])
    {'c1'}
    """
    asked = set()
    for event in labels:
        try:
            label = _decode_label(event)
        except _NO_EVENT:
            continue
        if label.card is None or label.merchant is None:
            asked.add(label.charge)
    return asked


def cards_of(asked: set[str], charges: Iterable[bytes]) -> dict[str, tuple[str, str]]:
    """Return card and merchant of the charges that are asked for, as far as there are any.

    >>> cards_of({"c1"}, [b'{"id":"c1","card":"k","merchant":"m"}', b"[]"])
    {'c1': ('k', 'm')}
    """
    found: dict[str, tuple[str, str]] = {}
    if not asked:
        return found
    for event in charges:
        try:
            charge = _decode_charge(event)
        except _NO_EVENT:
            continue
        if charge.id in asked:
            found[charge.id] = charge.card, charge.merchant
    return found
