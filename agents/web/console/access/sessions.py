"""Who is signed in: sessions in the memory of the console, each opened by a cookie."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.web.console.access.users import UserBook
    from schemas.console_users import ConsoleUser

LONGEST_S: Final = 12 * 3600.0
"""After which anybody signs in again, however busy they are."""

_TOKEN_BYTES: Final = 32
_SESSIONS_MAX: Final = 10_000


@dataclass(slots=True)
class Session:
    """A browser that is signed in.

    Attributes
    ----------
    name
        Of the user.
    password
        Its hash when they signed in: another one since then ends the session.
    began, seen
        When they signed in, and made the latest request, seconds of the clock.
    csrf
        What every form of it brings along, so that no other site can send one.
    told
        What the next page says first: what became of what they did.
    """

    name: str
    password: str
    began: float
    seen: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES))
    told: list[str] = field(default_factory=list)

    def is_csrf(self, given: str) -> bool:
        """Return whether a form is of this session."""
        return compare_digest(given.encode(), self.csrf.encode())


class Sessions:
    """All sessions, by the hash of their cookie.

    Parameters
    ----------
    users
        As they are now: whoever is taken away, or has another password, is signed out.
    idle_s
        After which a session ends that makes no request.
    clock
        Seconds of a clock that does not go back.
    """

    def __init__(self, users: UserBook, idle_s: float, clock: Callable[[], float]) -> None:
        self._users = users
        self._idle_s = idle_s
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}

    def begin(self, user: ConsoleUser) -> str:
        """Begin a session, and return its cookie."""
        now = self._clock()
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._sessions = {key: each for key, each in self._sessions.items() if self._lives(each)}
        if len(self._sessions) >= _SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_hash(token)] = Session(user.name, user.password, now, now)
        return token

    def find(self, token: str) -> tuple[Session, ConsoleUser] | None:
        """Return the session of a cookie, and whose it is; `None` if it has ended."""
        session = self._sessions.get(_hash(token))
        if session is None or not self._lives(session):
            self.end(token)
            return None
        session.seen = self._clock()
        return session, self._users.records[session.name]

    def end(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(_hash(token), None)

    def _lives(self, session: Session) -> bool:
        now = self._clock()
        user = self._users.records.get(session.name)
        is_same = user is not None and user.password == session.password
        return is_same and now - session.seen < self._idle_s and now - session.began < LONGEST_S


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
