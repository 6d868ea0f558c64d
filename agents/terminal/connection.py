"""Reaching Kafka, or saying at once why it cannot be reached."""

import os

from confluent_kafka import KafkaException

from agents.settings.schema import Settings
from agents.settings.sources import KAFKA_VARIABLE, SettingsError
from streams.kafka.config import Admin, Config, client_config
from streams.kafka.topics import TopicsError

_TIMEOUT_S = 8.0


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
    TopicsError
        When no broker answers, or a topic is missing.
    """
    servers = settings.bootstrap_servers
    if not servers:
        raise SettingsError(
            f"{KAFKA_VARIABLE}: not set; set it to the addresses of your brokers, such as "
            "localhost:9092 (`chargewatch demo` brings a Kafka of its own)"
        )
    config = client_config(servers, os.environ)
    admin = Admin(config)
    try:
        found = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        reason = admin.problem() or error.args[0].str()
        raise TopicsError(
            f"no Kafka answers at {servers} ({reason}): start it, or set {KAFKA_VARIABLE} to "
            "another (`chargewatch demo` brings a Kafka of its own)"
        ) from None
    for name in needed:
        if name not in found:
            raise TopicsError(f"topic {name}: not there; `chargewatch topics` makes it")
    return admin, config
