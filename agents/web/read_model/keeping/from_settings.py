"""What keeps the read model, as the settings of an installation say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.terminal.connection import connect
from agents.terminal.payloads import payloads_of, with_mapped_signals
from agents.web.read_model.database import database_url
from agents.web.read_model.keeping.follower import Follower
from agents.web.read_model.keeping.incoming import Incoming
from streams.kafka.clients import Clients
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.settings.schema import Settings


def follower_of(settings: Settings, on_progress: Callable[[int, int], None]) -> Follower:
    """Return what keeps the read model of an installation.

    Raises
    ------
    SettingsError, OperationalError
        When a setting is wrong, no broker answers, or a topic is missing.
    """
    settings = with_mapped_signals(settings)
    topics = Topics(settings.topic_prefix)
    url = database_url(settings)
    admin, config = connect(settings, topics.scored, topics.reviews)
    clients = Clients(config)
    incoming = Incoming(settings, topics, payloads_of(settings, clients), clients.retry)
    days = settings.read_model_retention_days
    return Follower(url, incoming, clients, admin, days, on_progress)
