"""The process that trains boosted trees, beside the worker whose learners take them.

It reads the examples for itself and sends trees through a pipe; nothing else depends on it. Killed
at any moment, it loses its time alone: it is started again, and begins anew with the examples that
are on their topic. It ends with its worker. All it does, it does when a core has nothing else to
do (`SCHED_IDLE` of Linux, where there is such a thing), and on one thread.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections import deque
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, cast

from agents.models.boosted.trainer import Trainer
from agents.stages.tasks import features_of
from streams.kafka.clients import Clients
from streams.kafka.config import client_config
from streams.kafka.installation import KeptLayouts
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.topics import Topics
from streams.layouts.reader import Reader
from streams.wire.examples import decode_examples, example_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from agents.models.boosted.trainer import Trained
    from agents.settings.schema import Settings

logger = logging.getLogger(__name__)

_AGAIN_AFTER_S = 10.0
"""From one start of the process to the next, should it end at once."""

_BEHIND_EXAMPLES = 1000
"""That come at a time while there are more: trees that are due wait for the newest."""


class TrainingProcess:
    """Starts the process, starts it again when it has ended, and takes what it has trained.

    Parameters
    ----------
    settings
        Of the worker.
    clock
        Seconds that never go back.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._start()

    def take(self) -> Trained | None:
        """Return trees that have come since the last call, if any; never waits."""
        trained = self._arrived.pop() if self._arrived else None
        if not self._process.is_alive() and self._clock() >= self._again_at:
            logger.warning(
                "the training of boosted trees ended with exit code %s; it begins anew",
                self._process.exitcode,
            )
            self.close()
            self._start()
        return trained

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        spawning = multiprocessing.get_context("spawn")
        receiver, sender = spawning.Pipe(duplex=False)
        self._process = spawning.Process(target=_run, args=(sender, self._settings), daemon=True)
        self._process.start()
        sender.close()  # the other process alone holds it, so that its end is noticed
        self._arrived: deque[Trained] = deque(maxlen=1)
        Thread(target=_receive, args=(receiver, self._arrived), daemon=True).start()
        self._again_at = self._clock() + _AGAIN_AFTER_S
        logger.info("boosted trees are trained by process %d", self._process.pid)


def _receive(receiver: Connection, arrived: deque[Trained]) -> None:
    """Receive trees until their sender ends, which may be in the midst of it.

    In a thread: who sends may be kept waiting for a core in between, and nobody waits for that.
    """
    with receiver, suppress(EOFError, OSError):
        while True:
            arrived.append(receiver.recv())


def _run(sender: Connection, settings: Settings) -> None:
    """Train whenever it is time to, until the worker has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides
    Thread(target=_end_with_parent, daemon=True).start()
    stand_back()
    clients = Clients(client_config(settings.bootstrap_servers, os.environ))
    topics = Topics(settings.topic_prefix)
    features = features_of(settings)
    layouts = KeptLayouts(clients, topics.installation)
    reader = Reader(example_layout(features), layouts)
    trainer = Trainer(features)
    examples = PartitionReader(clients, topics.examples, 0)
    with suppress(BrokenPipeError):  # the worker has ended
        while True:
            messages = examples.read()
            if messages:
                values = [cast("bytes", message.value()) for message in messages]
                offsets = [cast("int", message.offset()) for message in messages]
                trainer.take_all(decode_examples(values, reader), offsets)
            if trainer.is_due and len(messages) < _BEHIND_EXAMPLES:
                trained = trainer.train()
                if trained is not None:
                    sender.send(trained)


def _end_with_parent() -> None:
    """End this process with the one that has started it, be it killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "it is started by a worker"
    parent.join()
    os._exit(0)


def stand_back() -> None:
    """Leave the cores to whoever wants them."""
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
