"""What runs ahead in another process: it has a core, and an interpreter lock, of its own."""

from __future__ import annotations

import multiprocessing
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from agents.process import collecting_rarely
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

T = TypeVar("T")


@contextmanager
def running_ahead(make: Callable[..., Iterable[T]], *arguments: object) -> Iterator[Iterator[T]]:
    """Iterate in another process, which is one item ahead and ends with the block.

    Parameters
    ----------
    make
        Returns what is iterated over: a function of a module, called in the other process, where
        that is imported anew.
    arguments
        Of `make`. They and the items are pickled.

    Raises
    ------
    OperationalError
        As raised there, or when that process is killed; it tells of other errors on stderr itself.
    """
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_iterate, args=(sender, make, arguments), daemon=True)
    process.start()
    sender.close()  # the other process alone holds it, so that its end is noticed
    try:
        yield _received(receiver, process)
    finally:
        receiver.close()
        process.terminate()
        process.join()


def _received(receiver: Connection, process: SpawnProcess) -> Iterator[T]:
    while True:
        try:
            items, error = receiver.recv()
        except EOFError:
            process.join()
            raise OperationalError(
                f"the process that reads ahead ended with exit code {process.exitcode}"
            ) from None
        yield from items
        if error is not None:
            raise error
        if not items:
            return


def _iterate(
    sender: Connection, make: Callable[..., Iterable[object]], arguments: tuple[object, ...]
) -> None:
    """Send every item, then no item; or the error that ends it all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever takes the items decides
    with suppress(BrokenPipeError), collecting_rarely():  # broken: nobody takes any more
        try:
            for item in make(*arguments):
                sender.send(([item], None))
            sender.send(([], None))
        except OperationalError as error:
            sender.send(([], error))
