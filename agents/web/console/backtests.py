"""Backtests of rules that people have asked for: at most one of each of them."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from agents.web.console.own_process import EndedError, OwnProcess
from agents.web.problems import Problem
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Backtest = Callable[..., Mapping[str, Any]]
    """Tries rules: takes a merchant, a text of rules, from when on charges count (Unix seconds),
    and `Show`; returns what `agents.evaluation.trial.wording` words. A function of a module, or a
    partial of one."""

logger = logging.getLogger(__name__)

AT_A_TIME: Final = 2
"""Of all people: each takes a core or two, and what a history needs in memory."""

State = Literal["running", "done", "failed", "cancelled"]


class Asked(NamedTuple):
    """What somebody wants to know.

    Attributes
    ----------
    merchant, text
        Whose rules, and what they are.
    days
        Of how many days charges count, the latest; 0 for all.
    start
        When these begin, Unix seconds.
    at
        When it was asked.
    """

    merchant: str
    text: str
    days: int
    start: float
    at: float


class Progress(NamedTuple):
    """What is done, how far it is, and of how much if that is known."""

    what: str
    done: int
    of: int | None


_WAITING: Final = Progress("waiting for another backtest to end", 0, None)


@dataclass(slots=True)
class Trying:
    """One backtest.

    Attributes
    ----------
    asked
        What it is to tell.
    state
        Whether it goes on, and else how it ended.
    progress
        How far it is.
    told
        What came of it, once it is done.
    failure
        Why it failed.
    """

    asked: Asked
    process: OwnProcess
    state: State = "running"
    progress: Progress = _WAITING
    told: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""

    def is_of_other(self, merchant: str, text: str) -> bool:
        """Return whether it tells of another text for the same merchant."""
        return self.asked.merchant == merchant and self.asked.text != text

    def run(self) -> None:
        """Wait until it has ended, in a thread."""
        self._show("starting", 0, None)
        try:
            self.told = self.process.run(self._show)
            self.state = "done"
        except EndedError:
            self.state = "cancelled"
        except OperationalError as error:
            self._fail(str(error))
        except Exception:
            logger.exception("a backtest failed")
            self._fail("a mistake of the console, which its log tells more of")

    def _fail(self, why: str) -> None:
        self.failure = why
        self.state = "failed"

    def _show(self, what: str, done: int, of: int | None) -> None:
        self.progress = Progress(what, done, of)


class Backtests:
    """The backtests of a console, each in a process of its own; in the memory of the console alone.

    Parameters
    ----------
    backtest
        Tries rules.
    """

    def __init__(self, backtest: Backtest) -> None:
        self._backtest = backtest
        self._threads = ThreadPoolExecutor(AT_A_TIME, "backtest")
        self._of_users: dict[str, Trying] = {}

    def of(self, user: str) -> Trying | None:
        """Return the last backtest of a user."""
        return self._of_users.get(user)

    def begin(self, user: str, asked: Asked) -> Trying:
        """Begin a backtest, in place of the last one of a user.

        Raises
        ------
        Problem
            When that one still runs.
        """
        last = self.of(user)
        if last is not None and last.state == "running":
            raise Problem(
                HTTPStatus.CONFLICT, "a backtest of yours still runs: cancel it, or wait for it"
            )
        process = OwnProcess(self._backtest, asked.merchant, asked.text, asked.start)
        trying = self._of_users[user] = Trying(asked, process)
        self._threads.submit(trying.run)
        return trying

    def cancel(self, user: str) -> None:
        """End the backtest of a user, if there is one that runs."""
        last = self.of(user)
        if last is not None and last.state == "running":
            last.process.end()
            last.state = "cancelled"

    def close(self) -> None:
        """End all of them, and wait until they have."""
        for trying in self._of_users.values():
            trying.process.end()
        self._threads.shutdown()
