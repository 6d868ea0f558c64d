"""How every client of ours reaches Kafka: its address and the usual security settings."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

# The environment variables that are passed on; librdkafka says what each of them may be.
SECURITY_SETTINGS = re.compile(r"KAFKA_(SECURITY_PROTOCOL|(SASL|SSL|HTTPS|ENABLE_(SASL|SSL))_\w+)")
# Secrets that may be in a file, as containers get them: a variable names it, with _FILE behind.
_IN_FILE = re.compile(r"(KAFKA_(?:SASL|SSL)_\w*(?:PASSWORD|PASSPHRASE|SECRET))_FILE")

Config = dict[str, str | int | float | bool]

CONSUMER_SETTINGS: Config = {"fetch.queue.backoff.ms": 5}
"""Of every consumer. What waits in one is counted over all its partitions: once it is enough, none
of them is asked for until this time has passed, however soon that is taken. By default, a second.
"""


class ClientError(ValueError):
    """A Kafka client setting is wrong; the message names it and never shows a secret."""


def client_config(bootstrap: str, env: Mapping[str, str]) -> Config:
    """Return the librdkafka settings that every client shares.

    A variable's name is the librdkafka setting's in capitals, after ``KAFKA_`` and with ``_`` for
    each dot. Empty ones count as unset. A password, passphrase or secret may be in a file, which
    its variable with ``_FILE`` behind names: the end of its line is not part of it.

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
    for variable, value in env.items():
        if not value or not SECURITY_SETTINGS.fullmatch(variable):
            continue
        if in_file := _IN_FILE.fullmatch(variable):
            if env.get(in_file[1]):
                raise ClientError(f"{in_file[1]}, {variable}: set one of them, not both")
            config[_setting(in_file[1])] = _secret(variable, value)
        else:
            config[_setting(variable)] = value
    return config


class Admin(AdminClient):
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
        except KafkaException as error:
            reason = error.args[0].str().removeprefix("Failed to create admin client: ")
            raise ClientError(_name_variables(reason, config)) from None

    def problem(self) -> KafkaError | None:
        """Return the last thing that went wrong with a broker."""
        self.poll(0)
        return self._problem

    def is_refused(self) -> bool:
        """Tell whether what went wrong is of the settings, and waiting does not help."""
        problem = self.problem()
        return problem is not None and (
            problem.code() in _REMEDIES or _is_of_our_certificate(problem)
        )

    def remedy(self) -> str:
        """Return what to do about what went wrong, empty where that is not in the settings."""
        problem = self.problem()
        if problem is None:
            return ""
        if _is_of_our_certificate(problem):
            return _RENEW
        return _REMEDIES.get(problem.code(), "")

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # a summary that says less
            self._problem = error


_REMEDIES: Final[dict[int, str]] = {
    KafkaError._AUTHENTICATION: "mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD, or the "
    "user's password on the brokers",
    KafkaError._SSL: "mend KAFKA_SSL_CA_LOCATION, the file of the authority that the brokers' "
    "certificates are of, or renew theirs",
}
_RENEW: Final = (
    "mend or renew the certificate that KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION "
    "name"
)


def _is_of_our_certificate(problem: KafkaError) -> bool:
    """Tell whether the broker has refused a certificate, and not we: after TLS was agreed on."""
    told = problem.str()
    return "SSL routines" in told and "alert" in told


def _secret(variable: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
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
