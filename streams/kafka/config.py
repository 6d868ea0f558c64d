"""How every client of ours reaches Kafka: its address and the usual security settings."""

import re
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

# The environment variables that are passed on; librdkafka says what each of them may be.
SECURITY_SETTINGS = re.compile(r"KAFKA_(SECURITY_PROTOCOL|(SASL|SSL|HTTPS|ENABLE_(SASL|SSL))_\w+)")

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
    each dot. Empty ones count as unset.

    Parameters
    ----------
    bootstrap
        Addresses of brokers, ``host:port`` with commas between.
    env
        The environment; only Kafka's security settings are looked at.

    Examples
    --------
    >>> client_config("kafka:9093", {"KAFKA_SECURITY_PROTOCOL": "SSL", "HOME": "/root"})
    {'bootstrap.servers': 'kafka:9093', 'security.protocol': 'SSL'}
    """
    config: Config = {"bootstrap.servers": bootstrap}
    for variable, value in env.items():
        if value and SECURITY_SETTINGS.fullmatch(variable):
            config[_setting(variable)] = value
    return config


class Admin(AdminClient):
    """An admin client that finds the wrong settings, and knows why its brokers do not answer.

    Raises
    ------
    ClientError
        If librdkafka refuses a setting.
    """

    def __init__(self, config: Config) -> None:
        self._problem = ""
        # What librdkafka would log, over and over, is kept for the one message that needs it.
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": self._note}
        try:
            super().__init__(config | quiet)
        except KafkaException as error:
            reason = error.args[0].str().removeprefix("Failed to create admin client: ")
            raise ClientError(_name_variables(reason, config)) from None

    def problem(self) -> str:
        """Return the last thing that went wrong with a broker, empty if nothing did."""
        self.poll(0)
        return self._problem

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # a summary that says less
            self._problem = error.str()


def _setting(variable: str) -> str:
    return variable.removeprefix("KAFKA_").lower().replace("_", ".")


def _name_variables(reason: str, config: Config) -> str:
    """Put the variables before a reason that speaks of librdkafka settings."""
    named = re.findall(r"\b(?:sasl|ssl|security|enable|https)(?:\.\w+)+", reason)
    # A reason that names no setting is about how those that are set go together.
    settings = dict.fromkeys(named) or [name for name in config if name != "bootstrap.servers"]
    variables = ", ".join("KAFKA_" + name.upper().replace(".", "_") for name in settings)
    return f"{variables}: {reason}" if variables else reason
