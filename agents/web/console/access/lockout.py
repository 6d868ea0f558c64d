"""A wait after wrong passwords, longer with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

FREE: Final = 5
"""Wrong passwords in a row that cost no wait."""

_FIRST_S: Final = 30.0
_LONGEST_S: Final = 900.0
_NAMES_MAX: Final = 10_000


class _Failures(NamedTuple):
    """Wrong passwords of a name, and until when no other is looked at."""

    in_a_row: int
    until: float


class Lockout:
    """Counts wrong passwords by the name that they were given for, whether it is a user's or not.

    Parameters
    ----------
    clock
        Seconds of a clock that does not go back.

    Examples
    --------
    >>> lockout = Lockout(lambda: 100.0)
    >>> for _ in range(6):
    ...     lockout.failed("ann")
    >>> lockout.wait_s("ann"), lockout.wait_s("bob")
    (60.0, 0.0)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def wait_s(self, name: str) -> float:
        """Return for how long no password of a name is looked at."""
        found = self._failures.get(name)
        return max(0.0, found.until - self._clock()) if found else 0.0

    def failed(self, name: str) -> None:
        """Note a wrong password."""
        before = self._failures.pop(name, None)
        count = before.in_a_row + 1 if before else 1
        wait_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(count - FREE, 20)) if count >= FREE else 0.0
        if len(self._failures) >= _NAMES_MAX:  # made up by whoever tries: the oldest goes
            del self._failures[next(iter(self._failures))]
        self._failures[name] = _Failures(count, self._clock() + wait_s)

    def succeeded(self, name: str) -> None:
        """Forget the wrong passwords of a name."""
        self._failures.pop(name, None)
