"""A user's password that is in a file: read again, and given to the clients that run."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from time import sleep
from typing import Any, Protocol, Self
from weakref import WeakSet

from confluent_kafka import Consumer, Producer

logger = logging.getLogger(__name__)

Value = str | int | float | bool

_LOOKED_AT_EVERY_S = 5.0


def read_secret(path: Path) -> str:
    """Return what a file holds without the end of its line.

    Raises
    ------
    OSError, UnicodeDecodeError
        When it cannot be read.
    """
    return path.read_text(encoding="utf-8").rstrip("\r\n")


class Client(Protocol):
    """A client whose password can be changed while it runs."""

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """Have connections that are made from now on show these."""


class PasswordFile:
    """The password of a user, and those of our clients that show it.

    Connections live on with the password that they were made with.

    Parameters
    ----------
    user
        Whose it is.
    path
        Of the file; the end of its line is not part of the password.

    Attributes
    ----------
    password
        As the file was last read.

    Raises
    ------
    OSError, UnicodeDecodeError
        When it cannot be read.
    """

    def __init__(self, user: str, path: Path) -> None:
        self.password = read_secret(path)
        self._user = user
        self._path = path
        self._clients: WeakSet[Client] = WeakSet()
        self._lock = Lock()
        self._watching: Thread | None = None

    def follow(self, client: Client) -> None:
        """Give a new password to a client for as long as it is there."""
        with self._lock:
            self._clients.add(client)
            client.set_sasl_credentials(self._user, self.password)
            if self._watching is None:
                self._watching = Thread(target=self._watch, name="password file", daemon=True)
                self._watching.start()

    def look(self) -> None:
        """Read the file, and give clients its password if that is another one."""
        try:
            password = read_secret(self._path)
        except (OSError, UnicodeDecodeError) as error:
            logger.warning("the password stays what it was: %s", error)
            return
        with self._lock:
            if password in {self.password, ""}:  # as of a file that is being written
                return
            self.password = password
            for client in self._clients:
                with suppress(RuntimeError):  # it has been closed
                    client.set_sasl_credentials(self._user, password)
        logger.info("%s has another password: new connections to Kafka show it", self._path)

    def _watch(self) -> None:
        while True:
            sleep(_LOOKED_AT_EVERY_S)
            self.look()


@cache
def password_file(user: str, path: Path) -> PasswordFile:
    """Return the one `PasswordFile` that a process has of a file; raises what reading it does."""
    return PasswordFile(user, path)


class FiledConfig(dict[str, Value]):
    """Settings of clients, one of which, the password, is in a file.

    Parameters
    ----------
    settings
        The others.
    file
        That has the password.
    """

    def __init__(self, settings: Mapping[str, Value], file: PasswordFile) -> None:
        super().__init__(settings, **{"sasl.password": file.password})
        self.file = file

    def __or__(self, other: Mapping[str, Value]) -> Self:  # type: ignore[override]
        """Return these settings and others, still with the password of the file."""
        return type(self)({**self, **other}, self.file)


class _Consumer(Consumer):
    """A consumer that can be referred to weakly."""


class _Producer(Producer):
    """A producer that can be referred to weakly."""


def new_consumer(config: dict[str, Any], **further: Any) -> Consumer:
    """Return a consumer, which follows the file of its password if it is in one."""
    consumer = _Consumer(config, **further)
    follow_password(config, consumer)
    return consumer


def new_producer(config: dict[str, Any], **further: Any) -> Producer:
    """Return a producer, which follows the file of its password if it is in one."""
    producer = _Producer(config, **further)
    follow_password(config, producer)
    return producer


def follow_password(config: Mapping[str, Any], client: Client) -> None:
    """Have a client follow the file of its password, if its settings have it in one."""
    if isinstance(config, FiledConfig):
        config.file.follow(client)
