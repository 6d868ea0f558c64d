"""A task: one partition number, its state, and what of its inputs waits to be processed."""

from typing import Protocol

import orjson

from streams.engine.buffers import PartitionBuffer
from streams.state.store import Changes
from streams.state.tables import Table, TaskState

POSITIONS, LATER_POSITIONS = b"positions", b"positions/later"
"""Under them the table META has the offset of the first input of each source that does not count:
of those of the first release, and of the others. An earlier version, which takes a task back while
workers are replaced, fetches all that it finds under the first, and leaves the second as it is."""

CHARGES, DISPUTES, OUTCOMES = "charges", "disputes", "outcomes"
BY_MERCHANT, BY_ENTITY = "by_merchant", "by_entity"
SOURCES = (CHARGES, DISPUTES, OUTCOMES, BY_MERCHANT, BY_ENTITY)
"""The inputs of a task; a partition number has one of each."""

BETWEEN_STAGES = (BY_MERCHANT, BY_ENTITY)
"""Those that the stages send each other."""

FIRST_SOURCES = (CHARGES, DISPUTES, BY_MERCHANT)
"""Those of the first release."""


class Stages(Protocol):
    """What computes above the state of a task."""

    @property
    def waiting(self) -> int:
        """How many charges wait for what others are to answer."""

    def flush(self) -> None:
        """Put everything changed into the tables."""

    def reload(self) -> None:
        """Forget everything changed; the tables are asked again."""


class Task:
    """One partition of every input with the state that belongs to it.

    Parameters
    ----------
    number
        The partition number.
    state
        The task's tables.
    stages
        What computes above them.

    Attributes
    ----------
    is_dirty
        Whether it has work that belongs to the next commit.
    is_sealed
        Whether it has work that belongs to a commit under way.
    is_paused
        Whether no charge has come for a while.
    member_id
        Which member of the group it was given to.
    """

    def __init__(self, number: int, state: TaskState, stages: Stages) -> None:
        self.number = number
        self.state = state
        self.stages = stages
        self.buffers: dict[str, PartitionBuffer] = {}
        self.is_dirty = False
        self.is_sealed = False
        self.is_paused = False
        self.member_id = ""
        self._committed: dict[str, int] = {}
        self._sealed: dict[str, int] = {}
        self._later_kept = b""

    @property
    def is_running(self) -> bool:
        """Whether it has been started, which it is once it is restored."""
        return bool(self.buffers)

    def start(self, positions: dict[str, int]) -> None:
        """Begin at the given offset of each source."""
        self.buffers = {source: PartitionBuffer(positions[source]) for source in SOURCES}
        self.is_paused = False
        self._committed = dict(positions)

    def positions(self) -> dict[str, int]:
        """Return the offset of the first input of each source that does not count yet."""
        return {source: buffer.position for source, buffer in self.buffers.items()}

    def stored_positions(self) -> dict[str, int] | None:
        """Return the positions that the state stands for, `None` when it is empty."""
        return positions_of(self.state)

    def seal(self) -> Changes:
        """Return what the commit changes, the positions it stands for among it.

        What is done from now on belongs to the next commit.
        """
        self.stages.flush()
        self._sealed = self.positions()
        first, later = encoded_positions(self._sealed)
        self.state.meta.put(POSITIONS, first)
        if later != self._later_kept:
            self.state.meta.put(LATER_POSITIONS, later)
            self._later_kept = later
        self.is_dirty, self.is_sealed = False, True
        return self.state.seal()

    def write(self, changelog_offset: int) -> None:
        """Write what was sealed to the store; the changelog goes on at `changelog_offset`."""
        self.state.write(changelog_offset)

    def settle(self) -> None:
        """Take what was written as committed."""
        self.state.settle()
        self._committed = self._sealed
        self.is_sealed = False

    def unseal(self) -> None:
        """Leave what was sealed to the next commit."""
        self.state.unseal()
        self._later_kept = b""
        self.is_dirty, self.is_sealed = True, False

    def roll_back(self) -> dict[str, int]:
        """Return to the last commit, and return its positions to fetch from again."""
        self.state.discard()
        self.stages.reload()
        self.start(self._committed)
        self._later_kept = b""
        self.is_dirty = self.is_sealed = False
        return self._committed


def positions_of(state: TaskState) -> dict[str, int] | None:
    """Return the positions that a state stands for, `None` when it is empty.

    Those of sources are missing that no version that had the state knew.
    """
    return positions_in(state.meta)


def positions_in(meta: Table) -> dict[str, int] | None:
    """Return the same of the table META."""
    stored, later = meta.get(POSITIONS), meta.get(LATER_POSITIONS)
    if stored is None:
        return None
    found = orjson.loads(stored) | orjson.loads(later or b"{}")
    return {source: found[source] for source in SOURCES if source in found}


def encoded_positions(positions: dict[str, int]) -> tuple[bytes, bytes]:
    """Return what is kept under `POSITIONS` and `LATER_POSITIONS`."""
    first = {source: at for source, at in positions.items() if source in FIRST_SOURCES}
    later = {source: at for source, at in positions.items() if source not in FIRST_SOURCES}
    return orjson.dumps(first), orjson.dumps(later)
