"""Reaching Kafka, or saying at once why it cannot be reached."""

import os
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from agents.settings.schema import Settings
from agents.settings.sources import KAFKA_VARIABLE, SettingsError
from streams.kafka.config import Admin, Config, client_config
from streams.kafka.topics import TopicsError, answered

_FIRST_S, _TIMEOUT_S = 1.0, 7.0  # in between it is looked why there is no answer yet


def connect(settings: Settings, *needed: str) -> tuple[Admin, Config]:
    """Return an admin client of brokers that answer, and the settings for other clients.

    Parameters
    ----------
    settings
        Where the brokers are.
    needed
        Names of topics that must exist.

    Raises
    ------
    SettingsError, ClientError
        When no broker is configured, or a client setting is wrong.
    TopicsError, NotAllowedError
        When no broker answers, or a topic is missing or may not be seen.
    """
    admin, config = client_of(settings)
    found = _topics(admin, settings.bootstrap_servers)
    for name in needed:
        if name not in found:
            _explain(admin, name)
    return admin, config


def client_of(settings: Settings) -> tuple[Admin, Config]:
    """Return the same of brokers that may not answer.

    Raises
    ------
    SettingsError, ClientError
        When no broker is configured, or a client setting is wrong.
    """
    if not settings.bootstrap_servers:
        raise SettingsError(
            f"{KAFKA_VARIABLE}: not set; set it to the addresses of your brokers, such as "
            "localhost:9092 (`chargewatch demo` brings a Kafka of its own)"
        )
    config = client_config(settings.bootstrap_servers, os.environ)
    return Admin(config), config


def _topics(admin: Admin, servers: str) -> set[str]:
    """Return the topics that may be seen, once a broker answers."""
    with suppress(KafkaException):
        return set(admin.list_topics(timeout=_FIRST_S).topics)
    try:
        if not admin.is_refused():
            return set(admin.list_topics(timeout=_TIMEOUT_S).topics)
        problem = admin.problem()
    except KafkaException as error:
        problem = admin.problem() or error.args[0]
    reason = problem.str() if problem is not None else ""
    if remedy := admin.remedy():
        raise TopicsError(f"Kafka at {servers} refuses us ({reason}): {remedy}")
    raise TopicsError(
        f"no Kafka answers at {servers} ({reason}): start it, or set {KAFKA_VARIABLE} to another "
        "(`chargewatch demo` brings a Kafka of its own)"
    )


def _explain(admin: Admin, name: str) -> None:
    """Raise why a topic is not among those that may be seen."""
    [asked] = admin.describe_topics(TopicCollection([name]), request_timeout=_TIMEOUT_S).values()
    error = asked.exception()
    if isinstance(error, KafkaException) and (
        error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    ):
        raise TopicsError(f"topic {name}: not there; `chargewatch topics` makes it")
    answered(admin, "Describe", name, asked)
