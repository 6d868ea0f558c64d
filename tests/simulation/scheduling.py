"""A fake clock, and threads of which one runs at a time: who is next is drawn from one seed.

A simulated process runs real code, which calls simulated Kafka clients. Every such call is a step:
there the process may be killed or paused, and another may go on in its place. Nothing waits for the
real clock; when all wait, the fake one jumps to what comes first.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from threading import Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_FOR_EVER_S = 1e9


class Killed(BaseException):
    """The process that a thread belongs to is gone: the thread must end without a trace."""


class Process:
    """Something that can be killed or paused at any of its steps.

    Parameters
    ----------
    scheduler
        Runs its threads.
    name
        For the messages.
    on_step
        Called with the name of each step, before it is made; may kill or pause the process.

    Attributes
    ----------
    is_dead
        Whether it was killed.
    paused_until
        When it goes on, seconds of the fake clock.
    """

    def __init__(
        self, scheduler: Scheduler, name: str, on_step: Callable[[Process, str], None]
    ) -> None:
        self.name = name
        self.is_dead = False
        self.paused_until = 0.0
        self._scheduler = scheduler
        self._on_step = on_step

    @property
    def is_paused(self) -> bool:
        """Whether it rests, as after SIGSTOP."""
        return self.paused_until > self._scheduler.now

    def spawn(self, run: Callable[[], None], name: str = "") -> None:
        """Run something in a thread of this process; its name is put before those of its steps."""
        self._scheduler.spawn(run, self, name)

    def step(self, name: str) -> None:
        """Let anything happen that may happen before a step.

        Raises
        ------
        Killed
            When the process is dead.
        """
        if self.is_dead:
            raise Killed
        self._on_step(self, self._scheduler.thread_name + name)
        if self.is_dead:
            raise Killed
        self._scheduler.pass_time()

    def wait(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Let others run until something holds, or the time is up."""
        if self.is_dead:
            raise Killed
        self._scheduler.wait(until, timeout_s)

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Do something in the background of this process, unless it is dead by then."""
        self._scheduler.later(delay_s, lambda: self._in_background(call))

    def kill(self) -> None:
        """End it at once; its threads end at their next step."""
        self.is_dead = True

    def pause(self, seconds: float) -> None:
        """Stop all of it for a while."""
        self.paused_until = max(self.paused_until, self._scheduler.now + seconds)

    def _in_background(self, call: Callable[[], None]) -> None:
        if self.is_paused:
            self.later(self.paused_until - self._scheduler.now, call)
        elif not self.is_dead:
            call()


class Scheduler:
    """Runs threads one at a time, and what is to be done later when its time has come.

    Parameters
    ----------
    random
        Decides everything that is not determined.
    switching
        How often another thread goes on at a step, 0 to 1.

    Attributes
    ----------
    now
        The fake clock, seconds.
    """

    def __init__(self, random: Random, switching: float) -> None:
        self.now = 0.0
        self.random = random
        self._switching = switching
        self._order = count()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._current = _Thread(None)  # whoever made the scheduler
        self._threads = [self._current]

    @property
    def speaker(self) -> str:
        """Process and thread that run now."""
        process = self._current.process
        return f"{process.name if process is not None else ''} {self._current.name}".strip()

    @property
    def thread_name(self) -> str:
        """Name of the thread that runs."""
        return self._current.name

    def spawn(self, run: Callable[[], None], process: Process, name: str) -> None:
        """Start a thread; it runs once it is chosen."""
        thread = _Thread(process, name)
        self._threads.append(thread)
        Thread(target=self._run, args=(thread, run), daemon=True).start()

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call something after a while; it must not wait."""
        heappush(self._later, (self.now + delay_s, next(self._order), call))

    def wait(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Let others run until something holds, or the time is up."""
        self._current.until = until
        self._current.wake_at = self.now + timeout_s
        self._switch()

    def pass_time(self) -> None:
        """Let a moment pass, in which others may run."""
        self.now += 0.002 * self.random.random() ** 3
        self._call_what_is_due()
        if self.random.random() < self._switching:
            self.wait(_at_once, 0.0)

    def finish(self, processes: list[Process]) -> None:
        """Kill what still runs, and wait until its threads have ended."""
        for process in processes:
            process.kill()
        self.wait(lambda: len(self._threads) == 1, _FOR_EVER_S)

    def _run(self, thread: _Thread, run: Callable[[], None]) -> None:
        thread.baton.acquire()
        try:
            if thread.process is None or not thread.process.is_dead:
                run()
        except Killed:
            pass
        finally:  # whatever failed, the others go on
            self._threads.remove(thread)
            self._hand_to(self._choose())

    def _switch(self) -> None:
        own = self._current
        chosen = self._choose()
        if chosen is not own:
            self._hand_to(chosen)
            own.baton.acquire()
        if own.process is not None and own.process.is_dead:
            raise Killed

    def _hand_to(self, thread: _Thread) -> None:
        self._current = thread
        thread.baton.release()

    def _choose(self) -> _Thread:
        while True:
            self._call_what_is_due()
            ready = [thread for thread in self._threads if thread.is_ready(self.now)]
            if ready:
                return ready[0] if len(ready) == 1 else self.random.choice(ready)
            times = [thread.ready_at for thread in self._threads]
            if self._later:
                times.append(self._later[0][0])
            self.now = max(self.now, min(times))

    def _call_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= self.now:
            heappop(self._later)[2]()


class _Thread:
    """A thread that waits for its turn."""

    __slots__ = ("baton", "name", "process", "until", "wake_at")

    def __init__(self, process: Process | None, name: str = "") -> None:
        self.process = process
        self.name = name
        self.baton = Lock()
        self.baton.acquire()
        self.until: Callable[[], bool] = _at_once
        self.wake_at = 0.0

    @property
    def ready_at(self) -> float:
        """When it goes on for sure."""
        return (
            self.wake_at if self.process is None else max(self.wake_at, self.process.paused_until)
        )

    def is_ready(self, now: float) -> bool:
        """Tell whether it may go on; what is dead must, to end."""
        if self.process is not None:
            if self.process.is_dead:
                return True
            if self.process.paused_until > now:
                return False
        return now >= self.wake_at or self.until()


def _at_once() -> bool:
    return True
