"""What an installation keeps about itself, in a topic of its own: the partitions its state is of.

It survives the loss of local state, and goes with the internal topics when the application is
reset.
"""

from typing import Final

import msgspec
from confluent_kafka import Producer

from streams.client import Config
from streams.clients import Clients
from streams.follower import Follower
from streams.topics import TIMEOUT_S, Topics, TopicsError, partitions_changed

_KEY: Final = b"partitions"
_PARTITION: Final = 0  # all that there is, whatever the topic has


def hold_partitions(config: Config, topics: Topics, found: int, *, begins: bool) -> None:
    """Refuse another number of partitions than is kept, and keep it when the state begins.

    Parameters
    ----------
    config
        Client settings.
    topics
        Names of the topics.
    found
        Partitions that the topics of the tasks have.
    begins
        Whether there will be state from now on, if there was none.

    Raises
    ------
    TopicsError
        When the state is of another number: a card's history would be split. Or when the number
        cannot be kept.
    """
    kept = _kept(config, topics.installation)
    if kept is None and begins:
        _keep(config, topics.installation, found)
    elif kept is not None and kept != found:
        changed = partitions_changed(topics.charges, f"{found} partitions", kept)
        raise TopicsError(changed)


def _kept(config: Config, topic: str) -> int | None:
    kept = None
    follower = Follower(Clients(config), topic, _PARTITION)
    try:
        for messages in follower.read_to_end():
            for message in messages:
                if message.key() == _KEY and (value := message.value()) is not None:
                    kept = msgspec.json.decode(value, type=int)
    finally:
        follower.close()
    return kept


def _keep(config: Config, topic: str, partitions: int) -> None:
    failures: list[str] = []
    producer = Producer(config | {"enable.idempotence": True, "log_level": 0})
    producer.produce(
        topic,
        msgspec.json.encode(partitions),
        _KEY,
        _PARTITION,
        on_delivery=lambda error, _: failures.append(error.str()) if error else None,
    )
    if producer.flush(TIMEOUT_S) or failures:
        raise TopicsError(f"topic {topic}: not written: {', '.join(failures) or 'no answer'}")
