"""What an installation keeps about itself on the topic `models`, beside the models."""

from agents.model_book import ModelBook
from schemas.control import INSTALLATION_KEY, Installation, encode_control
from streams.client import Config
from streams.clients import Clients
from streams.follower import Follower
from streams.publisher import Publisher
from streams.topics import Topics, TopicsError, partitions_changed


def read_models(config: Config, topic: str) -> ModelBook:
    """Return what is on the topic `models` now."""
    book = ModelBook()
    follower = Follower(Clients(config), topic, 0)
    for messages in follower.read_to_end():
        book.take((message.key(), message.value()) for message in messages)
    follower.close()
    return book


def hold_partitions(config: Config, topics: Topics, found: int, *, begins: bool) -> None:
    """Refuse another number of partitions than is kept, and keep it when the state begins.

    The record survives the loss of local state. It goes with the topic `models` when the
    application is reset.

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
        When the state is of another number: a card's history would be split.
    """
    kept = read_models(config, topics.models).installation
    if kept is None and begins:
        publisher = Publisher(config)
        record = encode_control(Installation(found))
        publisher.publish(topics.models, [(INSTALLATION_KEY, record)])
        publisher.flush()
    elif kept is not None and kept.partitions != found:
        changed = partitions_changed(topics.charges, f"{found} partitions", kept.partitions)
        raise TopicsError(changed)
