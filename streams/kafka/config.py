"""How every client of ours reaches Kafka: its address and the usual security settings."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streams.kafka.password_file import (
    FiledConfig,
    Showing,
    password_file,
    read_secret,
    shows_password,
)
from streams.kafka.remedies import remedy

# The environment variables that are passed on; librdkafka says what each of them may be.
SECURITY_SETTINGS = re.compile(r"KAFKA_(SECURITY_PROTOCOL|(SASL|SSL|HTTPS|ENABLE_(SASL|SSL))_\w+)")
# Secrets that may be in a file, as containers get them: a variable names it, with _FILE behind.
_IN_FILE = re.compile(r"(KAFKA_(?:SASL|SSL)_\w*(?:PASSWORD|PASSPHRASE|SECRET))_FILE")
_ANSWER_S: Final = 1.0
_USERS_OWN: Final = "KAFKA_SASL_PASSWORD"

Config = dict[str, str | int | float | bool]

LASTING_SETTINGS: Config = {"reconnect.backoff.max.ms": 1000, "retry.backoff.max.ms": 100}
"""Of every client that outlives its brokers' restarts: one that comes back is found again within a
second. By default it may be ten, and the next broker may have gone by then. What a coordinator does
not answer yet that has just moved is asked again every tenth of a second: by default ever later,
when the other coordinator of a commit may have gone, too.
"""

CONSUMER_SETTINGS: Config = {"fetch.queue.backoff.ms": 5, "fetch.error.backoff.ms": 50}
"""Of every consumer. What waits in one is counted over all its partitions: once it is enough, none
of them is asked for until the first time has passed, however soon that is taken. By default, a
second. A partition whose leader has moved rests for the other before its new leader is asked, which
would be half a second.
"""


class ClientError(ValueError):
    """A Kafka client setting is wrong; the message names it and never shows a secret."""


def client_config(bootstrap: str, env: Mapping[str, str]) -> Config:
    """Return the librdkafka settings that every client shares.

    A variable's name is the librdkafka setting's in capitals, after ``KAFKA_`` and with ``_`` for
    each dot. Empty ones count as unset. A password, passphrase or secret may be in a file, which
    its variable with ``_FILE`` behind names: the end of its line is not part of it. The user's
    password is read again while clients run (`PasswordFile`).

    Parameters
    ----------
    bootstrap
        Addresses of brokers, ``host:port`` with commas between.
    env
        The environment; only Kafka's security settings are looked at.

    Raises
    ------
    ClientError
        When the file of a secret cannot be read, or there is a secret beside it.

    Examples
    --------
    >>> client_config("kafka:9093", {"KAFKA_SECURITY_PROTOCOL": "SSL", "HOME": "/root"})
    {'bootstrap.servers': 'kafka:9093', 'security.protocol': 'SSL'}
    """
    config: Config = {"bootstrap.servers": bootstrap}
    file: Path | None = None
    for variable, value in env.items():
        if not value or not SECURITY_SETTINGS.fullmatch(variable):
            continue
        if in_file := _IN_FILE.fullmatch(variable):
            if env.get(in_file[1]):
                raise ClientError(f"{in_file[1]}, {variable}: set one of them, not both")
            config[_setting(in_file[1])] = _secret(variable, Path(value))
            if in_file[1] == _USERS_OWN:
                file = Path(value)
        else:
            config[_setting(variable)] = value
    if file is None:
        return config
    watched = password_file(str(config.get("sasl.username", "")), file)
    watched.look()  # it may have been made earlier
    return FiledConfig(config, watched)


@shows_password(
    "poll",
    "list_topics",
    "list_groups",
    "list_offsets",
    "list_consumer_group_offsets",
    "describe_topics",
    "describe_configs",
)
class Admin(Showing, AdminClient):
    """An admin client that finds the wrong settings, and knows why its brokers do not answer.

    Attributes
    ----------
    config
        Its settings.

    Raises
    ------
    ClientError
        If librdkafka refuses a setting.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._problem: KafkaError | None = None
        # What librdkafka would log, over and over, is kept for the one message that needs it.
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": self._note}
        try:
            super().__init__(config | quiet)
            self.show(config)
        except KafkaException as error:
            reason = error.args[0].str().removeprefix("Failed to create admin client: ")
            raise ClientError(_name_variables(reason, config)) from None

    def problem(self) -> KafkaError | None:
        """Return the last thing that went wrong with a broker."""
        self.poll(0)
        return self._problem

    def forget(self) -> None:
        """Take what went wrong for mended, as brokers answer."""
        self._problem = None

    def find_leaders(self) -> None:
        """Ask who leads which partition, which librdkafka 2.16 does not do by itself.

        What it knows of a broker that has been restarted is refused for ever (`list_offsets`).
        """
        with suppress(KafkaException):
            self.list_topics(timeout=_ANSWER_S)

    def is_refused(self) -> bool:
        """Tell whether what went wrong is of the settings, and waiting does not help."""
        return bool(self.remedy())

    def remedy(self) -> str:
        """Return what to do about what went wrong, empty where that is not in the settings."""
        problem = self.problem()
        return "" if problem is None else remedy(problem)

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # a summary that says less
            return
        # What there is a remedy for is followed by lost connections, which say less, too.
        if self._problem is None or remedy(error) or not remedy(self._problem):
            self._problem = error


def _secret(variable: str, file: Path) -> str:
    try:
        return read_secret(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ClientError(f"{variable}: {file}: {reason}") from None


def _setting(variable: str) -> str:
    return variable.removeprefix("KAFKA_").lower().replace("_", ".")


def _name_variables(reason: str, config: Config) -> str:
    """Put the variables before a reason that speaks of librdkafka settings."""
    named = re.findall(r"\b(?:sasl|ssl|security|enable|https)(?:\.\w+)+", reason)
    # A reason that names no setting is about how those that are set go together.
    settings = dict.fromkeys(named) or [name for name in config if name != "bootstrap.servers"]
    variables = ", ".join("KAFKA_" + name.upper().replace(".", "_") for name in settings)
    return f"{variables}: {reason}" if variables else reason
