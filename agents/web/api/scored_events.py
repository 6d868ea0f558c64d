"""Scored events as the API reads them: of which charge, and by which request it was first sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agents.terminal.scored_values import ScoredError, ScoredValues

if TYPE_CHECKING:
    from confluent_kafka import Message

    from agents.settings.schema import Settings
    from agents.web.api.memory import Key

logger = logging.getLogger(__name__)

REQUEST_HEADER: Final = "chargewatch-request"
"""Header of a charge, and so of its scored event: which request it was first sent by."""


class _Charged(msgspec.Struct, gc=False):
    """All that is read of a scored event."""

    charge: str
    created: float


class ScoredEvents:
    """Reads the topic of scored events, whatever they were written as.

    Parameters
    ----------
    settings
        Have the schema registry.
    """

    def __init__(self, settings: Settings) -> None:
        self._values = ScoredValues(settings)
        self._charged = msgspec.json.Decoder(_Charged).decode
        self._warned_of = ""

    def read(self, message: Message) -> tuple[Key, bytes, float, str | None] | None:
        """Return charge, JSON, time and request of a scored event, `None` of any other message.

        Why events cannot be read is logged, once as long as it stays the same.
        """
        card, value = message.key(), message.value()
        if card is None or value is None:
            return None
        try:
            (event,) = self._values.as_json([value])
            found = self._charged(event)
        except ScoredError as error:
            self._warn(str(error))
            return None
        except msgspec.DecodeError:
            return None  # not one of ours
        self._warned_of = ""
        headers: Any = message.headers() or ()
        request = next((value for name, value in headers if name == REQUEST_HEADER), None)
        key = card.decode(errors="replace"), found.charge
        return key, event, found.created, request.decode() if request else None

    def _warn(self, reason: str) -> None:
        if reason != self._warned_of:
            logger.warning("%s; charges are answered by fallback meanwhile", reason)
        self._warned_of = reason
