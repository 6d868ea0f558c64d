"""Of which topics a read model is made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import orjson
from confluent_kafka import KafkaException, TopicCollection

from agents.web.read_model.building import make_anew
from agents.web.read_model.database import ReadModelError, meta_value
from agents.web.read_model.keeping.statements import insert_or_replace
from agents.web.read_model.tables import meta
from streams.kafka.access import Right, raise_if_refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from streams.kafka.config import Admin

logger = logging.getLogger(__name__)

_TOPICS: Final = "topics"
_ANSWER_S: Final = 10.0


def topic_ids(admin: Admin, names: Sequence[str]) -> dict[str, str]:
    """Return what tells topics from others of their names, as those that were deleted.

    Raises
    ------
    NotAllowedError
        When one may not be seen.
    KafkaException
        When the brokers do not answer.
    """
    answers = admin.describe_topics(TopicCollection([*names]), request_timeout=_ANSWER_S)
    for name, answer in answers.items():
        if isinstance(error := answer.exception(), KafkaException):
            raise_if_refused(error.args[0], admin.config, Right("Read", "topic", name))
    return {name: str(answer.result().topic_id) for name, answer in answers.items()}


def check_topics(connection: Connection, ids: Mapping[str, str]) -> None:
    """Note the topics that a read model is made of; throw it away if they were made anew.

    Raises
    ------
    ReadModelError
        When it is that of another installation.
    """
    written = meta_value(connection, _TOPICS)
    known: dict[str, str] = orjson.loads(written) if written else {}
    if known and set(known).isdisjoint(ids):
        raise ReadModelError(
            f"read_model_url: holds the read model of another installation, made of the topics "
            f"{', '.join(sorted(known))}: give each installation one of its own"
        )
    if any(known.get(name, made) != made for name, made in ids.items()):
        logger.warning("the topics are others than the read model was made of: it is built again")
        make_anew(connection)
    value = orjson.dumps(dict(ids)).decode()
    insert_or_replace(connection, meta, [{"name": _TOPICS, "value": value}])
