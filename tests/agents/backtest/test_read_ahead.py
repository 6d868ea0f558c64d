"""Iterating in another process: the same items, clear errors, and nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.backtest.read_ahead import running_ahead
from streams.errors import OperationalError
from streams.events.files import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT = """
import multiprocessing, itertools, time
from agents.backtest.read_ahead import running_ahead
if __name__ == "__main__":
    with running_ahead(itertools.count) as items:
        next(items)
        print(multiprocessing.active_children()[0].pid, flush=True)
        time.sleep(60)
"""


def numbered(limit: int) -> Iterator[tuple[int, int]]:
    for number in range(limit):
        yield number, os.getpid()


def failing_after(limit: int, error: Exception) -> Iterator[int]:
    yield from range(limit)
    raise error


def killed_after(limit: int) -> Iterator[int]:
    yield from range(limit)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("limit", [0, 1, 500])
def test_items_come_in_their_order_from_another_process(limit: int) -> None:
    with running_ahead(numbered, limit) as items:
        received = list(items)
    assert [number for number, _ in received] == list(range(limit))
    assert os.getpid() not in {pid for _, pid in received}
    assert not multiprocessing.active_children()


def test_the_process_ends_with_the_block() -> None:
    with running_ahead(count) as items:
        assert list(islice(items, 3)) == [0, 1, 2]
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("make", "arguments", "error", "message"),
    [
        (failing_after, [2, FileError("c.gz: cut off")], FileError, r"^c\.gz: cut off$"),
        (failing_after, [2, ValueError("a bug")], OperationalError, "ended with exit code 1$"),
        (killed_after, [2], OperationalError, "ended with exit code -9$"),
    ],
)
def test_its_end_is_told_after_the_items(
    capfd: pytest.CaptureFixture[str],
    make: object,
    arguments: list[object],
    error: type[Exception],
    message: str,
) -> None:
    assert callable(make)
    with running_ahead(make, *arguments) as items:
        received = [next(items), next(items)]
        with pytest.raises(error, match=message):
            next(items)
    assert received == [0, 1]
    assert not multiprocessing.active_children()
    assert ("ValueError: a bug" in capfd.readouterr().err) == (message == "ended with exit code 1$")


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks /proc whether a process is there")
def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root}
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    began = time.monotonic()
    while is_running(pid):
        assert time.monotonic() - began < 30.0
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}
