"""Stopping the demo early: by Ctrl-C, a service manager or a terminal that is closed."""

import signal
import time
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Lets the first signal to stop interrupt what is within, and no other disturb the cleaning up.

    What a signal raises is lost where Python has nobody to raise it to: in what the garbage
    collector calls, say. So what goes on for long waits with `sleep`, which raises it again.
    """

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._interrupt) for number in _SIGNALS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises
        ------
        KeyboardInterrupt
            When a signal came, now or before.
        """
        time.sleep(seconds)
        if self._came:
            raise KeyboardInterrupt

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt
