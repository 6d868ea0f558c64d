"""Rights on Kafka's access lists: how one is given, and the error that one is missing."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from confluent_kafka import KafkaError

from streams.errors import OperationalError
from streams.kafka.config import Config

Kind = Literal["topic", "group", "transactional-id", "cluster"]

_CLUSTER: Final = "kafka-cluster"
_NOBODY: Final = "NAME"
"""In place of a user who shows a certificate: Kafka makes the name of it by rules of its own."""

_REFUSED: Final[dict[int, Kind]] = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional-id",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "cluster",
}
_PRODUCED_TO = re.compile(r"ProduceRequest for (\S+) \[")


class Right(NamedTuple):
    """An operation that is allowed on a resource; with `is_prefix`, on all that begin so."""

    operation: str
    kind: Kind
    name: str = _CLUSTER
    is_prefix: bool = False


class NotAllowedError(OperationalError):
    """A right is missing; the message ends with the command that gives it."""


def refusal(error: KafkaError, config: Config, *needed: Right) -> NotAllowedError | None:
    """Return what tells which right is missing, if that is what an error is about.

    Parameters
    ----------
    error
        Of a client.
    config
        Its settings.
    needed
        Rights that the client needs for what it did: the first of the kind that is refused is
        named, where the error does not name a topic itself.

    Examples
    --------
    >>> config = {"bootstrap.servers": "kafka:9093", "sasl.username": "teller"}
    >>> error = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    >>> print(refusal(error, config, Right("Read", "topic", "scored")))
    Kafka does not allow User:teller the operation Read on topic scored (Broker: Topic \
authorization failed); this does: kafka-acls.sh --bootstrap-server kafka:9093 --command-config \
administrator.properties --add --allow-principal User:teller --operation Read --topic scored
    >>> refusal(KafkaError(KafkaError._TIMED_OUT), config)
    """
    kind = _REFUSED.get(error.code())
    if named := _PRODUCED_TO.search(error.str()):
        needed = (Right("Write", "topic", named[1]), *needed)
    right = next((each for each in needed if each.kind == kind), None)
    if right is None:
        return None
    principal = f"User:{config.get('sasl.username', _NOBODY)}"
    what = right.kind if right.kind == "cluster" else f"{right.kind} {right.name}"
    [command] = commands([right], principal, str(config["bootstrap.servers"]))
    return NotAllowedError(
        f"Kafka does not allow {principal} the operation {right.operation} on {what} "
        f"({error.str()}); this does: {command}"
    )


def raise_if_refused(error: KafkaError, config: Config, *needed: Right) -> None:
    """Raise what `refusal` returns, if there is any."""
    if (found := refusal(error, config, *needed)) is not None:
        raise found from None


def commands(rights: Iterable[Right], principal: str, bootstrap: str) -> list[str]:
    """Return the commands that give rights to a principal, as an administrator runs them.

    Examples
    --------
    >>> rights = [Right("Read", "topic", "charges"), Right("Read", "topic", "scored"),
    ...           Right("Write", "transactional-id", "chargewatch-", is_prefix=True)]
    >>> for command in commands(rights, "User:w", "kafka:9093"):
    ...     print(command.partition("--add ")[2])
    --allow-principal User:w --operation Read --topic charges --topic scored
    --allow-principal User:w --operation Write --resource-pattern-type prefixed \
--transactional-id chargewatch-
    """
    begin = (
        f"kafka-acls.sh --bootstrap-server {bootstrap} --command-config administrator.properties "
        f"--add --allow-principal {principal}"
    )
    operations: dict[tuple[Kind, str, bool], list[str]] = defaultdict(list)
    for right in rights:
        operations[right.kind, right.name, right.is_prefix].append(right.operation)
    together: dict[tuple[Kind, bool, tuple[str, ...]], list[str]] = defaultdict(list)
    for (kind, name, is_prefix), found in operations.items():
        together[kind, is_prefix, tuple(found)].append(name)
    return [
        " ".join(
            [
                begin,
                *(f"--operation {operation}" for operation in found),
                *(["--resource-pattern-type prefixed"] if is_prefix else []),
                *(["--cluster"] if kind == "cluster" else [f"--{kind} {name}" for name in names]),
            ]
        )
        for (kind, is_prefix, found), names in together.items()
    ]
