"""The first signal to stop interrupts, wherever it finds the demo; the next ones do nothing."""

import gc
import os
import signal
import sys

import pytest

from agents.demo.interruption import Interruption

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_interrupts_and_no_other_one(number: signal.Signals) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruption() as interruption:
        interruption.sleep(0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        for again in SIGNALS:
            os.kill(os.getpid(), again)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_the_garbage_collector_swallowed_is_raised_by_the_next_sleep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swallowed: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda failed: swallowed.append(failed.exc_type))

    class Finalized:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with Interruption() as interruption:
        Finalized()
        gc.collect()
        assert swallowed == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            interruption.sleep(0.0)
