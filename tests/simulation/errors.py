"""The errors of the simulated clients, as librdkafka has them."""

from confluent_kafka import KafkaError, KafkaException


def error(
    code: int,
    text: str = "",
    *,
    fatal: bool = False,
    retriable: bool = False,
    requires_abort: bool = False,
) -> KafkaException:
    """Return the exception of an error."""
    return KafkaException(
        KafkaError(code, text, fatal=fatal, retriable=retriable, txn_requires_abort=requires_abort)
    )
