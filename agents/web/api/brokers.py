"""What the answers to charges need of Kafka, and what is told where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.web.api.asked import Asked
    from agents.web.api.sender import Delivery


class UnavailableError(Exception):
    """A charge that cannot be answered now; `may_be_accepted` if it may be scored all the same."""

    def __init__(self, reason: str, *, may_be_accepted: bool) -> None:
        super().__init__(reason)
        self.may_be_accepted = may_be_accepted


class Brokers(Protocol):
    """Take charges and fallbacks, and tell what is committed."""

    @property
    def is_away(self) -> bool:
        """Whether the brokers are known not to answer."""

    def send_charge(self, asked: Asked, told: Callable[[Delivery], None]) -> None:
        """Send a charge; raises `QueueFullError`."""

    def send_fallback(
        self, asked: Asked, action: str, took_s: float, told: Callable[[Delivery], None]
    ) -> None:
        """Put a fallback on record; raises `QueueFullError`."""

    async def catch_up(self) -> None:
        """Wait until all that is committed by now has been taken; raises `AwayError`."""
