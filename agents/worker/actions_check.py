"""A check that somebody carries the actions out."""

import logging

logger = logging.getLogger(__name__)

DISPUTED_BLOCKS_MAX = 20
"""A few come of charges that were overruled, and nobody said so."""


class ActionsCheck:
    """Warns once when blocked charges are disputed: what is blocked cannot be."""

    def __init__(self) -> None:
        self._disputed_blocks = 0

    def add(self, disputed_blocks: int) -> None:
        """Count charges disputed as fraud that were blocked, as far as is known."""
        before = self._disputed_blocks
        self._disputed_blocks += disputed_blocks
        if before < DISPUTED_BLOCKS_MAX <= self._disputed_blocks:
            logger.warning(
                "%d charges that were blocked have been disputed, so they went through: set "
                "`actions` to advisory if nobody carries the actions out, or publish outcomes of "
                "those that are overruled; else the model learns from what it takes for stopped",
                self._disputed_blocks,
            )
