"""The faults: what is done to workers, and which tasks it hits; those of brokers are beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.broker_faults import BrokerFaults
from tests.chaos.fleet import delete_state, kill, state_files, suspend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from deploy.nodes import Nodes
    from tests.chaos.fleet import Fleet, Slot

MIN_WORKERS, MAX_WORKERS = 2, 4
SESSION_TIMEOUT_S = 6.0

_TORN_FILES = 3
_TORN_BYTES = 64
_TARGET_TIMEOUT_S = 90.0


@dataclass
class Fault:
    """A fault that was made.

    Attributes
    ----------
    kind
        What was done.
    target
        The worker's name, or `broker`.
    tasks
        Tasks that it hit.
    began, ended
        When it was made, and when the maker was done with it; Unix seconds.
    is_alone
        Whether all was well before it, so that the recovery is its own.
    """

    kind: str
    target: str
    tasks: set[int]
    began: float
    ended: float = 0.0
    is_alone: bool = True


@dataclass
class Faults:
    """Draws faults and makes them.

    Parameters
    ----------
    random
        Decides.
    fleet
        The workers.
    kafka
        The brokers, of which one at a time has a fault, each in its turn.
    partitions
        How many tasks there are.
    make_busy
        Makes sure that some tasks have work left; called last before each fault.
    only
        The kinds that are made; all when it is empty.
    """

    random: Random
    fleet: Fleet
    kafka: Nodes
    partitions: int
    make_busy: Callable[[set[int]], None]
    only: tuple[str, ...] = ()
    _bag: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._brokers = BrokerFaults(self.random, self.kafka, SESSION_TIMEOUT_S)

    def make(self) -> Fault:
        """Make the next fault; every kind has its turn before any comes again."""
        kinds: dict[str, Callable[[Slot], None]] = {
            "SIGKILL": kill,
            "SIGSTOP, SIGCONT": lambda slot: suspend(
                slot, SESSION_TIMEOUT_S + self.random.uniform(1.0, 4.0)
            ),
            "SIGTERM": self.fleet.terminate,
            "state deleted": self._kill_and_delete,
            "state torn": self._kill_and_tear,
            "worker removed": self.fleet.remove,
        }
        everywhere: dict[str, Callable[[], None]] = {
            "worker added": lambda: _ignore(self.fleet.add()),
            **self._brokers.kinds(),
        }
        if self._brokers.can_cut:
            kinds["cut off from a broker"] = lambda slot: self._brokers.cut_off(slot.process_id)
        kind = self._draw([kind for kind in [*kinds, *everywhere] if self._is_wanted(kind)])
        if "broker" in kind:
            self._brokers.prepare(kind)
        if kind in everywhere:
            target = "broker" if kind in self._brokers.kinds() else "all"
            fault = self._begin(kind, target, self._all_tasks())
            everywhere[kind]()
        else:
            slot, tasks = self._target()
            fault = self._begin(kind, slot.name, tasks)
            kinds[kind](slot)
        fault.ended = time.time()
        return fault

    def _begin(self, kind: str, target: str, tasks: set[int]) -> Fault:
        self.make_busy(tasks)
        return Fault(kind, target, tasks, time.time())

    def _draw(self, kinds: list[str]) -> str:
        if not self._bag:
            self._bag = self.random.sample(kinds, len(kinds))
        workers = len(self.fleet.running)
        possible = [
            kind
            for kind in self._bag
            if not (kind == "worker removed" and workers <= MIN_WORKERS)
            and not (kind == "worker added" and workers >= MAX_WORKERS)
        ]
        if not possible:
            possible = [kinds[0]]
            self._bag.append(kinds[0])
        self._bag.remove(possible[0])
        return possible[0]

    def _all_tasks(self) -> set[int]:
        return set(range(self.partitions))

    def _target(self) -> tuple[Slot, set[int]]:
        """Choose a worker that has tasks, and wait for one if none has."""
        deadline = time.monotonic() + _TARGET_TIMEOUT_S
        while True:
            with_tasks = [(slot, slot.tasks()) for slot in self.fleet.running]
            with_tasks = [(slot, tasks) for slot, tasks in with_tasks if tasks]
            if with_tasks:
                return self.random.choice(with_tasks)
            assert time.monotonic() < deadline, f"no worker has tasks: {self.fleet.ended[-3:]}"
            time.sleep(0.2)

    def _is_wanted(self, kind: str) -> bool:
        return not self.only or kind in self.only

    def _kill_and_delete(self, slot: Slot) -> None:
        with slot.lock:  # the supervisor waits meanwhile
            kill(slot)
            delete_state(slot)

    def _kill_and_tear(self, slot: Slot) -> None:
        with slot.lock:
            kill(slot)
            files = [path for path in state_files(slot) if path.stat().st_size]
            for path in self.random.sample(files, min(_TORN_FILES, len(files))):
                self._tear(path)

    def _tear(self, path: Path) -> None:
        """Cut a file off somewhere, or turn bits in it."""
        content = bytearray(path.read_bytes())
        place = self.random.randrange(len(content))
        if self.random.random() < 0.5:
            path.write_bytes(content[:place])
            return
        for at in range(place, min(place + _TORN_BYTES, len(content))):
            content[at] ^= 1 + self.random.randrange(255)
        path.write_bytes(content)


def _ignore(_: object) -> None:
    """Drop a result."""
