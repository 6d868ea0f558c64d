"""The direct path: a worker that has all tasks hands on within a turn what its stages send.

What a stage sends to another goes by way of a topic, where it can be read when the transaction has
been committed: one commit more for every step. While one worker has all tasks nobody else writes to
these topics. What it sends is then handed to the next stage at once, in the same order, and the
same transaction has both the message and what came of it::

    closed    card stage ──▶ topic ──▶ commit ──▶ merchant stage ──▶ commit ──▶ scored
    draining  all that is in the topics is taken first, and nothing else
    open      card stage ─┬▶ merchant stage ──▶ commit ──▶ scored
                          └▶ topic: passed by, as the position is set behind it

So the topics tell the same as ever, and who has a task later goes on behind what was handed on.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from streams.engine.task import BETWEEN_STAGES, Task

logger = logging.getLogger(__name__)

Ends = Mapping[str, Sequence[int]]
"""By source, the end of each partition, with what is not committed yet."""


class DirectPath:
    """Whether what the stages send is handed on within a turn.

    Attributes
    ----------
    is_open
        Whether it is.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._ends: Ends = {}

    @property
    def is_draining(self) -> bool:
        """Whether nothing but what is in the topics is taken."""
        return bool(self._ends) and not self.is_open

    def is_drained(self, tasks: Iterable[Task]) -> bool:
        """Tell whether all that is known to be in the topics has been taken."""
        return all(
            task.buffers[source].position >= ends[task.number]
            for task in tasks
            for source, ends in self._ends.items()
        )

    def open_or_drain(self, tasks: Iterable[Task], ends: Ends) -> None:
        """Open the path if the topics end where the tasks stand, else drain them.

        Nothing that this worker has sent may be without an outcome.
        """
        self._ends = ends
        self.is_open = self.is_drained(tasks)
        if self.is_open:
            logger.info("this worker has all tasks: its stages hand on without a commit between")

    def close(self) -> None:
        """Leave what is sent from now on to the topics."""
        self.is_open, self._ends = False, {}


def pass_by(tasks: Iterable[Task], sent: Mapping[str, Mapping[int, int]]) -> bool:
    """Take what was handed on as read: it is before the offsets that its partitions reach.

    Return `False` where something waits to be taken. Others have written it: they have the tasks by
    now, and this worker has not heard of it.
    """
    for task in tasks:
        for source in BETWEEN_STAGES:
            buffer, reached = task.buffers[source], sent[source].get(task.number, 0)
            if reached > buffer.fetched:
                if len(buffer):
                    return False
                buffer.pass_by(reached)
    return True
