"""The follower: reads the topics, and keeps the read model up to date."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from agents.web.read_model.building import complete, make_anew, prepare
from agents.web.read_model.database import FRESH_AS_OF, open_engine
from agents.web.read_model.identity import check_topics, topic_ids
from agents.web.read_model.keeping.ends import Ends, Freshness
from agents.web.read_model.keeping.leading import leading
from agents.web.read_model.keeping.reading import Progress, Reading
from agents.web.read_model.keeping.retention import delete_some
from agents.web.read_model.keeping.statements import insert_or_replace
from agents.web.read_model.keeping.writer import write
from agents.web.read_model.tables import meta, positions
from streams.kafka.retry import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from agents.web.read_model.keeping.batch import Place
    from agents.web.read_model.keeping.incoming import Incoming
    from streams.kafka.clients import Clients
    from streams.kafka.config import Admin

logger = logging.getLogger(__name__)

_AGAIN_S: Final = 1.0


class Follower:
    """Follows the topics until it is stopped; blocks, so it has a thread or a process of its own.

    Parameters
    ----------
    url
        Of the database.
    incoming
        Makes rows of messages.
    clients, admin
        Reach Kafka.
    retention_days
        How long a charge is kept.
    on_progress
        Hears how many messages have been read, of how many that were there at the start.
    """

    def __init__(
        self,
        url: URL,
        incoming: Incoming,
        clients: Clients,
        admin: Admin,
        retention_days: float,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._url = url
        self._incoming = incoming
        self._clients = clients
        self._admin = admin
        self._retention_days = retention_days
        self._on_progress = on_progress
        self._stopping = clients.retry.stopping
        self._engine = open_engine(url, is_writer=True)

    def stop(self) -> None:
        """Have `run` end after the batch that it is at."""
        self._stopping.set()

    def run(self, *, is_anew: bool = False) -> None:
        """Follow until it is stopped. While another process follows, wait to take over.

        Parameters
        ----------
        is_anew
            Whether the read model is thrown away first.

        Raises
        ------
        ReadModelError
            When the database holds the read model of another installation.
        """
        self._is_anew = is_anew
        has_waited = False
        while not self._stopping.is_set():
            try:
                with (
                    self._engine.connect() as connection,
                    leading(connection, self._url.database or "") as is_ours,
                ):
                    if is_ours:
                        self._follow(connection)
                        return
                if not has_waited:
                    logger.info("another process keeps the read model; this one waits to take over")
                    has_waited = True
            except StoppedError:
                return
            except DBAPIError as error:
                logger.warning("the read model cannot be written: %s", error.orig)
            self._stopping.wait(_AGAIN_S)

    def _follow(self, connection: Connection) -> None:
        ask = self._clients.retry.ask
        ids = ask(lambda: topic_ids(self._admin, self._incoming.topics))
        places = ask(self._places)
        begun = self._open(connection, ids)
        reading = Reading(self._clients, places, begun)
        freshness = Freshness(Ends(self._admin, places))
        progress = Progress(Ends(self._admin, places), begun, self._on_progress)
        try:
            while not self._stopping.is_set():
                self._turn(connection, reading, freshness)
                progress.tell(reading.reached)
        finally:
            reading.close()

    def _open(self, connection: Connection, ids: Mapping[str, str]) -> dict[Place, int]:
        """Make the tables what they have to be, and return where to go on."""
        with connection.begin():
            if self._is_anew:
                make_anew(connection)
            else:
                prepare(connection)
            check_topics(connection, ids)
        self._is_anew = self._is_complete = False
        with connection.begin():
            rows = connection.execute(select(positions)).mappings()
            return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    def _turn(self, connection: Connection, reading: Reading, freshness: Freshness) -> None:
        """Put what has come into the tables."""
        messages = reading.read()
        batch = self._incoming.read(messages)
        fresh_as_of = freshness.passed(reading.reached)
        with connection.begin():
            write(connection, batch)
            delete_some(connection, self._retention_days)
            if fresh_as_of is not None:
                if not self._is_complete:
                    complete(connection)
                    self._is_complete = True
                value = {"name": FRESH_AS_OF, "value": repr(fresh_as_of)}
                insert_or_replace(connection, meta, [value])

    def _places(self) -> list[Place]:
        return [
            (topic, partition)
            for topic in self._incoming.topics
            for partition in range(self._clients.partitions(topic))
        ]
