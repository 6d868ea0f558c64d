"""Reaching Kafka, or saying at once why it cannot be reached."""

import os
import time

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from agents.settings.schema import Settings
from agents.settings.sources import KAFKA_VARIABLE, SettingsError
from streams.kafka.config import Admin, Config, client_config
from streams.kafka.topics import TopicsError, answered

_TIMEOUT_S = 8.0
_ANSWER_S = 1.0  # after which it is looked why there is none


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
    servers = settings.bootstrap_servers
    if not servers:
        raise SettingsError(
            f"{KAFKA_VARIABLE}: not set; set it to the addresses of your brokers, such as "
            "localhost:9092 (`chargewatch demo` brings a Kafka of its own)"
        )
    config = client_config(servers, os.environ)
    admin = Admin(config)
    found = _topics(admin, servers)
    for name in needed:
        if name not in found:
            _explain(admin, name)
    return admin, config


def _topics(admin: Admin, servers: str) -> set[str]:
    """Return the topics that may be seen, once a broker answers."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            return set(admin.list_topics(timeout=_ANSWER_S).topics)
        except KafkaException as error:
            if time.monotonic() < deadline and not admin.is_refused():
                continue
            reason = (admin.problem() or error.args[0]).str()
            if remedy := admin.remedy():
                raise TopicsError(f"Kafka at {servers} refuses us ({reason}): {remedy}") from None
            raise TopicsError(
                f"no Kafka answers at {servers} ({reason}): start it, or set {KAFKA_VARIABLE} to "
                "another (`chargewatch demo` brings a Kafka of its own)"
            ) from None


def _explain(admin: Admin, name: str) -> None:
    """Raise why a topic is not among those that may be seen."""
    [asked] = admin.describe_topics(TopicCollection([name]), request_timeout=_TIMEOUT_S).values()
    error = asked.exception()
    if isinstance(error, KafkaException) and (
        error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    ):
        raise TopicsError(f"topic {name}: not there; `chargewatch topics` makes it")
    answered(admin, "Describe", name, asked)
