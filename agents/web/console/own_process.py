"""Work in a process of its own: it tells how far it is, and ends when that is wanted.

It takes minutes and a core, of which a server has neither to give. Whoever waits for it does so in
a thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, Literal

from confluent_kafka import KafkaException

from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    Show = Callable[[str, int, int | None], None]
    """Is told what is done, how far it is, and of how much if that is known."""

    _Kind = Literal["progress", "failed", "done"]

_SPAWNING: Final = multiprocessing.get_context("spawn")
_END_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.2
_NICE: Final = 10
"""So much it gives way to what people wait for."""


class EndedError(OperationalError):
    """Work that was ended before it was done."""


class OwnProcess:
    """One piece of work.

    Parameters
    ----------
    work
        A function of a module, or a partial of one: called in the process with the arguments, and
        with what it tells how far it is. What it takes and returns is pickled.
    arguments
        Of it.
    """

    def __init__(self, work: Callable[..., Any], *arguments: object) -> None:
        self._work = work
        self._arguments = arguments
        self._ended = Event()

    def run(self, show: Show) -> Any:
        """Do it, and return what it returns.

        Raises
        ------
        EndedError
            When it was ended; before it has begun, no process is started.
        OperationalError
            As raised there, of Kafka too, or when the process has died.
        """
        if self._ended.is_set():
            raise _ended()
        receiver, sender = _SPAWNING.Pipe(duplex=False)
        process = _SPAWNING.Process(target=_serve, args=(sender, self._work, self._arguments))
        with receiver:
            with sender:  # the process alone holds it, so that its end is noticed
                process.start()
            try:
                return self._result(receiver, process, show)
            finally:
                _end(process)

    def end(self) -> None:
        """End it, from whichever thread."""
        self._ended.set()

    def _result(self, receiver: Connection, process: SpawnProcess, show: Show) -> Any:
        while not self._ended.is_set():
            if not receiver.poll(_LOOK_EVERY_S):
                continue
            try:
                told: tuple[_Kind, Any] = receiver.recv()
            except (EOFError, OSError):  # the other one when it died within a message
                process.join(_END_S)
                raise OperationalError(
                    f"its process ended with exit code {process.exitcode}: the log of the console "
                    "tells more, unless the machine was out of memory"
                ) from None
            match told:
                case "progress", progress:
                    show(*progress)
                case "failed", why:
                    raise OperationalError(why)
                case _, result:
                    return result
        raise _ended()


def _ended() -> EndedError:
    return EndedError("it was ended before it was done")


def _end(process: SpawnProcess) -> None:
    """Have a process end, at once if it does not do so by itself."""
    process.terminate()
    process.join(_END_S)
    process.kill()
    process.join()
    process.close()


def _serve(sender: Connection, work: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    """Do the work, in its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for it decides
    signal.signal(signal.SIGTERM, _stop)
    Thread(target=_stop_with_parent, daemon=True).start()
    os.nice(_NICE)

    def send(kind: _Kind, told: object) -> None:
        with suppress(BrokenPipeError):  # nobody waits for it any more: it is being stopped
            sender.send((kind, told))

    told: tuple[_Kind, object]
    try:
        told = "done", work(*arguments, lambda *progress: send("progress", progress))
    except OperationalError as error:
        told = "failed", str(error)
    except KafkaException as error:
        told = "failed", f"Kafka: {error.args[0].str()}"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on it ends by itself
    send(*told)


def _stop(number: int, _: FrameType | None) -> None:
    """End by an exception, so that files of the work are removed and its own processes ended."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def _stop_with_parent() -> None:
    """Stop once whoever has begun the work is dead: nobody else would end it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
