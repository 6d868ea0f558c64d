"""Parts that have come before the frame of their charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from streams.events.rows import row_bytes
from streams.wire.entity_events import PART, entity_in, tickets_of

if TYPE_CHECKING:
    from streams.layouts.reader import Reader
    from streams.state.tables import Table

EARLY: Final = b"\xff"
"""Keys of the table begin with it, and go on with the ticket and the kind of entity."""

_FORGOTTEN_AFTER_S = 24 * 3600
"""A charge that is sent twice, at least once, may be scored by the parts of the first: how far
those of the second lie behind the newest when they are forgotten, seconds."""


class EarlyParts:
    """Parts whose frame has not come yet.

    Parameters
    ----------
    table
        Where they are kept.
    reader
        Reads them.
    """

    def __init__(self, table: Table, reader: Reader) -> None:
        self._table = table
        self._reader = reader
        self.reload()

    @property
    def any_wait(self) -> bool:
        """Whether there are any."""
        return bool(self._parts)

    def add(self, ticket: bytes, part: bytes) -> None:
        """Keep a part."""
        self._parts.setdefault(ticket, {})[entity_in(part)] = part

    def pop(self, ticket: bytes) -> list[bytes]:
        """Return the parts that have come of a frame, and keep them no more."""
        parts = self._parts.pop(ticket, {})
        for entity in parts:
            key = _early_key(ticket, entity)
            if key in self._stored:
                self._stored.remove(key)
                self._table.delete(key)
        return list(parts.values())

    def flush(self) -> None:
        """Put into the table what is not there; forget parts whose frame comes no more."""
        if not self._parts:
            return
        made_at = {
            ticket: max(int(np.frombuffer(part, PART)["created_s"][0]) for part in of_one.values())
            for ticket, of_one in self._parts.items()
        }
        oldest = max(made_at.values()) - _FORGOTTEN_AFTER_S
        for ticket, at in made_at.items():
            if at < oldest:
                self.pop(ticket)
        for ticket, of_one in self._parts.items():
            for entity, part in of_one.items():
                key = _early_key(ticket, entity)
                if key not in self._stored:
                    self._table.put(key, part)
                    self._stored.add(key)

    def reload(self) -> None:
        """Forget what has changed since the last commit, and ask the table again."""
        self._parts: dict[bytes, dict[int, bytes]] = {}
        self._stored: set[bytes] = set()
        for key, value in self._table.scan(EARLY, EARLY * 64):
            rows = self._reader.rows([value])
            [ticket], [part] = tickets_of(rows), row_bytes(rows)
            self.add(ticket, part)
            self._stored.add(key)


def _early_key(ticket: bytes, entity: int) -> bytes:
    return EARLY + ticket + entity.to_bytes(4, "big")
