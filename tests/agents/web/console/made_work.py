"""Work for a process of its own that waits, fails or dies; it imports nothing that takes time."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Show = Callable[[str, int, int | None], None]


def work(directory: Path, what: str, text: str, start: float, show: Show) -> dict[str, Any]:
    """Do what the merchant of a backtest says."""
    match what:
        case "fails":
            raise OperationalError("topic charges: holds no charges to try rules on")
        case "is wrong":
            raise ValueError("a mistake")
        case "dies":
            show("reading", 1, 10)
            os.kill(os.getpid(), signal.SIGKILL)
        case "waits":
            _wait(directory, show)
        case "does not listen":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _wait(directory, show)
        case "is done":
            return {"text": text, "start": start}
    raise OperationalError(f"there is no work: {what}")


def _wait(directory: Path, show: Show) -> None:
    """Wait until it is ended, with a file and a process of its own that tell whether they are."""
    child = get_context("spawn").Process(target=time.sleep, args=(3600.0,), daemon=True)
    with TemporaryDirectory(dir=directory) as files:
        child.start()
        try:
            (directory / "pids").write_text(f"{os.getpid()} {child.pid} {files}")
            show("reading", 3, 10)
            while True:
                time.sleep(0.05)
        finally:
            child.terminate()
            child.join()
