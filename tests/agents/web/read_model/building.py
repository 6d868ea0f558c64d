"""A read model built of made messages, in batches, with crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agents.settings.schema import Settings
from agents.web.read_model.building import complete, make_anew
from agents.web.read_model.database import ReadModel, open_engine
from agents.web.read_model.keeping.incoming import Incoming
from agents.web.read_model.keeping.retention import delete_some
from agents.web.read_model.keeping.writer import write
from streams.kafka.retry import RetryPolicy
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from random import Random

    from sqlalchemy.engine import URL

    from tests.agents.web.read_model.made import Made, MadeMessage


class CrashError(Exception):
    """The follower dies here."""


def build(
    url: URL, made: Made, random: Random, settings: Settings | None = None, prefix: str = ""
) -> ReadModel:
    """Read everything, batch by batch; now and then the process dies, and begins again."""
    settings = settings or Settings()
    incoming = Incoming(settings, Topics(prefix), None, RetryPolicy())
    engine = open_engine(url, is_writer=True)
    with engine.begin() as connection:
        make_anew(connection)
    left = made.interleaved(random)
    while left:
        count = random.choice((1, 3, 50, 200))
        try:
            with engine.begin() as connection:
                write(connection, incoming.read(cast("list[Any]", left[:count])))
                delete_some(connection, settings.read_model_retention_days)
                if random.random() < 0.1:
                    complete(connection)  # all was in, and more comes
                if random.random() < 0.2:
                    raise CrashError
        except CrashError:
            continue  # from the positions that are written: those before this batch
        left = left[count:]
    with engine.begin() as connection:
        complete(connection)
    is_left = True
    while is_left:
        with engine.begin() as connection:
            is_left = delete_some(connection, settings.read_model_retention_days)
    engine.dispose()
    return ReadModel(url)


def positions_of(messages: list[MadeMessage]) -> dict[tuple[str, int], int]:
    return {(m.made_topic, m.made_partition): m.made_offset + 1 for m in messages}
