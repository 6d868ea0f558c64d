"""A charge as it is asked for: the bytes of the request, and what of it the answer needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.web.api.memory import Key
    from schemas.charge import Charge


@dataclass(frozen=True, slots=True)
class Asked:
    """A charge that is to be answered.

    Attributes
    ----------
    charge
        As it was read; its card may be the hash of the one that was sent.
    payload, card
        As they are published.
    request
        Names the request, as no other is.
    began, until
        When the request came, and its deadline, seconds of the event loop's clock.
    """

    charge: Charge
    payload: bytes
    card: bytes
    request: str
    began: float
    until: float

    @property
    def key(self) -> Key:
        """By which it is known."""
        return self.charge.card, self.charge.id
