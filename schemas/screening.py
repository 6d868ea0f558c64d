"""What becomes of card numbers, by the field they are in."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.card_numbers import mask, mask_json
from schemas.expectations import quoted
from schemas.input_rules import InputRules
from schemas.rejected import InvalidEvent

CARD: Final = "card"
_IDENTIFIERS: Final = frozenset({"id", "charge", "merchant"})
"""They join events, and numbers of the same form are common in them."""
_QUANTITIES: Final = frozenset({"amount", "created"})
"""They are needed as numbers, so that nothing can be masked in them."""


class Screened(NamedTuple):
    """What was found in the fields of a message.

    Attributes
    ----------
    masked
        By name, the fields that hold a card number, as JSON with its digits masked.
    left
        Names of the identifiers that look like one.
    is_card
        Whether `card` holds one, which is to be replaced by its keyed hash.
    """

    masked: dict[str, bytes]
    left: tuple[str, ...]
    is_card: bool


CLEAN: Final = Screened({}, (), is_card=False)


def screen(
    written: Mapping[str, msgspec.Raw], known: frozenset[str], rules: InputRules
) -> Screened:
    """Look for card numbers in the top-level fields of a message.

    Parameters
    ----------
    written
        The fields as they are written, valid JSON each.
    known
        Names of the fields that the event has; what others hold is masked, whatever their name.
    rules
        Of the installation.

    Raises
    ------
    InvalidEvent
        With reason `card_number` where it rejects the event.
    """
    masked: dict[str, bytes] = {}
    left = []
    is_card = False
    for name, content in written.items():
        before = bytes(content)
        after = mask_json(before)
        if after == before and mask(name) == name:
            continue
        if name == CARD and rules.card_hash_key:
            is_card = True
        elif name == CARD or (name in _QUANTITIES and name in known):
            raise _refusal(name)
        elif name in _IDENTIFIERS and name in known:
            if rules.card_numbers == "strict":
                raise _refusal(name)
            left.append(name)
        else:
            masked[name] = after
    return Screened(masked, tuple(left), is_card)


def _refusal(name: str) -> InvalidEvent:
    return InvalidEvent(
        "card_number", f"{quoted(name)[1:-1]}: expected a token, got what looks like a card number"
    )
