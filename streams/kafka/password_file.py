"""A user's password that is in a file: read again, and shown by the clients that run."""

import logging
from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from time import monotonic
from typing import Any, Self

from confluent_kafka import Consumer, Producer

logger = logging.getLogger(__name__)

Value = str | int | float | bool

_READ_EVERY_S = 5.0


def read_secret(path: Path) -> str:
    """Return what a file holds without the end of its line.

    Raises
    ------
    OSError, UnicodeDecodeError
        When it cannot be read.
    """
    return path.read_text(encoding="utf-8").rstrip("\r\n")


class PasswordFile:
    """The password of a user, read again now and then when it is asked for.

    Parameters
    ----------
    user
        Whose it is.
    path
        Of the file; the end of its line is not part of the password.

    Attributes
    ----------
    user
        Whose it is.
    password
        As the file was last read.

    Raises
    ------
    OSError, UnicodeDecodeError
        When it cannot be read.
    """

    def __init__(self, user: str, path: Path) -> None:
        self.user = user
        self.password = read_secret(path)
        self._path = path
        self._read_at = monotonic()

    def latest(self) -> str:
        """Return the password as it is, or was some seconds ago."""
        if monotonic() - self._read_at >= _READ_EVERY_S:
            self.look()
        return self.password

    def look(self) -> None:
        """Read the file."""
        self._read_at = monotonic()
        try:
            password = read_secret(self._path)
        except (OSError, UnicodeDecodeError) as error:
            logger.warning("the password stays what it was: %s", error)
            return
        if password not in {self.password, ""}:  # as of a file that is being written
            self.password = password
            logger.info("%s has another password: new connections to Kafka show it", self._path)


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
        super().__init__(settings, **{"sasl.password": file.latest()})
        self.file = file

    def __or__(self, other: Mapping[str, Value]) -> Self:  # type: ignore[override]
        """Return these settings and others, still with the password of the file."""
        return type(self)({**self, **other}, self.file)


def shows_password(*calls: str) -> Callable[[type], type]:
    """Have the clients of a class show the latest password of their file from these calls on.

    It has to be set in the thread that uses the client: confluent-kafka lets another one wait until
    it is not in use, which may be never of one that is always polled. Connections live on with the
    password that they were made with.
    """

    def decorate(kind: type) -> type:
        for name in calls:
            setattr(kind, name, _showing(getattr(kind, name)))
        return kind

    return decorate


def _showing(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def show(client: Any, *arguments: object, **named: object) -> Any:
        file: PasswordFile | None = client.file
        if file is not None and client.shown != (password := file.latest()):
            client.shown = password
            client.set_sasl_credentials(file.user, password)
        return call(client, *arguments, **named)

    return show


class Showing:
    """A client that shows a password.

    Attributes
    ----------
    file
        Of the password, if it is in one.
    shown
        The password that it shows.
    """

    def show(self, config: Mapping[str, Any]) -> None:
        """Take the file from the settings that the client was made with."""
        self.file = config.file if isinstance(config, FiledConfig) else None
        self.shown = config.get("sasl.password")


@shows_password("poll", "consume", "committed", "get_watermark_offsets", "list_topics")
class _Consumer(Showing, Consumer):
    """A consumer whose password is in a file."""


@shows_password("poll", "flush", "init_transactions", "list_topics")
class _Producer(Showing, Producer):
    """A producer whose password is in a file."""


def new_consumer(config: dict[str, Any], **further: Any) -> Consumer:
    """Return a consumer, which shows the latest password if that is in a file."""
    if not isinstance(config, FiledConfig):
        return Consumer(config, **further)
    consumer = _Consumer(config, **further)
    consumer.show(config)
    return consumer


def new_producer(config: dict[str, Any], **further: Any) -> Producer:
    """Return a producer, which shows the latest password if that is in a file."""
    if not isinstance(config, FiledConfig):
        return Producer(config, **further)
    producer = _Producer(config, **further)
    producer.show(config)
    return producer
