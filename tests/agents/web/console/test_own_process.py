"""Work in a process of its own: what it returns, and that it ends with all that it has begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from agents.web.console.own_process import EndedError, OwnProcess
from streams.errors import OperationalError
from tests.agents.web.console.made_work import work

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from agents.web.console.own_process import OwnProcess
from tests.agents.web.console.made_work import work
if __name__ == "__main__":
    OwnProcess(partial(work, Path(sys.argv[1])), "waits", "", 0.0).run(lambda *_: None)
"""


def of(directory: Path, what: str) -> OwnProcess:
    return OwnProcess(partial(work, directory), what, "text", 5.0)


def nothing(*_: object) -> None:
    pass


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60.0
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; one that nobody has waited for yet has, too."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def left_by(directory: Path) -> tuple[list[int], Path]:
    own, child, files = (directory / "pids").read_text().split()
    return [int(own), int(child)], Path(files)


def test_what_it_returns_and_raises(tmp_path: Path) -> None:
    assert of(tmp_path, "is done").run(nothing) == {"text": "text", "start": 5.0}
    with pytest.raises(OperationalError, match="holds no charges"):
        of(tmp_path, "fails").run(nothing)
    told: list[tuple[object, ...]] = []
    with pytest.raises(OperationalError, match="exit code -9"):
        of(tmp_path, "dies").run(lambda *progress: told.append(progress))
    assert told == [("reading", 1, 10)]


def test_a_mistake_is_told_where_the_log_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OperationalError, match="exit code 1"):
        of(tmp_path, "is wrong").run(nothing)
    assert "ValueError: a mistake" in capfd.readouterr().err


def test_what_is_ended_before_it_has_begun_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.web.console.own_process._SPAWNING", None)
    process = of(tmp_path, "is done")
    process.end()
    with pytest.raises(EndedError):
        process.run(nothing)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
@pytest.mark.parametrize("what", ["waits", "does not listen"])
def test_it_is_ended_from_another_thread_and_leaves_nothing(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.web.console.own_process._END_S", 2.0)
    begun, process = Event(), of(tmp_path, what)
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(process.run, lambda *_: begun.set())
        assert begun.wait(60)
        pids, files = left_by(tmp_path)
        assert not any(map(is_gone, pids))
        process.end()
        with pytest.raises(EndedError):
            done.result(60)
    until(partial(is_gone, pids[0]), "it has ended")
    if what == "does not listen":  # it is killed, and can leave something
        os.kill(pids[1], signal.SIGKILL)
    else:
        assert not files.exists()
    until(partial(is_gone, pids[1]), "what it has begun has ended")
    with pytest.raises(EndedError):  # it is never begun again
        process.run(nothing)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_it_ends_when_whoever_began_it_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    began = subprocess.Popen(
        [sys.executable, script, tmp_path], env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )
    try:
        until((tmp_path / "pids").exists, "it has begun")
        until(lambda: len((tmp_path / "pids").read_text().split()) == 3, "it says which")
        pids, files = left_by(tmp_path)
    finally:
        began.kill()
        began.wait()
    until(lambda: all(map(is_gone, pids)), "both processes have ended")
    assert not files.exists()
