"""How far the topics go, and so up to which time everything has been read."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agents.web.read_model.keeping.batch import Place
    from streams.kafka.config import Admin

_ANSWER_S: Final = 2.0
_ASKED_EVERY_S: Final = 1.0


class Ends:
    """Asks where partitions begin and end.

    Parameters
    ----------
    admin
        Asks the brokers.
    places
        The partitions.
    """

    def __init__(self, admin: Admin, places: Iterable[Place]) -> None:
        self._admin = admin
        self._places = [TopicPartition(*place) for place in places]

    def first(self) -> dict[Place, int] | None:
        """Return the first offsets that are there, `None` where the brokers do not answer."""
        return self._ask(OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def last(self) -> dict[Place, int] | None:
        """Return the offsets behind all that is committed, `None` as for `first`."""
        return self._ask(OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def _ask(self, spec: Any) -> dict[Place, int] | None:
        answers = self._admin.list_offsets(
            dict.fromkeys(self._places, spec),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ANSWER_S,
        )
        try:
            return {(at.topic, at.partition): one.result().offset for at, one in answers.items()}
        except KafkaException:
            with suppress(KafkaException):  # who leads is not asked again by itself
                self._admin.list_topics(timeout=_ANSWER_S)
            return None


class Freshness:
    """Tells up to which time everything that was committed has been read.

    Parameters
    ----------
    ends
        Of the partitions.
    """

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._asked_at = 0.0
        self._wanted: Mapping[Place, int] | None = None

    def passed(self, reached: Mapping[Place, int]) -> float | None:
        """Return a time up to which all is read now that was not before, Unix seconds."""
        now = time.time()
        if self._wanted is None and abs(now - self._asked_at) > _ASKED_EVERY_S:
            self._asked_at, self._wanted = now, self._ends.last()
        if self._wanted is None:
            return None
        if any(reached.get(place, 0) < end for place, end in self._wanted.items()):
            return None
        self._wanted = None
        return self._asked_at
