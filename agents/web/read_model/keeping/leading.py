"""One follower at a time: the others wait to take over."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from agents.web.read_model.database import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_LOCK: Final = func.hashtext(SCHEMA)


@contextmanager
def leading(connection: Connection, database: str) -> Iterator[bool]:
    """Tell whether this process may follow, and keep others from it as long as that lasts.

    Parameters
    ----------
    connection
        Of PostgreSQL: the lock is its session's, and gone with it.
    database
        Of SQLite: its file, beside which the lock is. The lock of a process that is killed is gone.
    """
    if connection.dialect.name == "postgresql":
        with connection.begin():
            is_ours = connection.scalar(select(func.pg_try_advisory_lock(_LOCK)))
        yield bool(is_ours)
        return
    with Path(f"{database}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
