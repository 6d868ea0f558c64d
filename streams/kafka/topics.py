"""The topics of one installation: their names, what they are made with, and the check of both."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType

from schemas import topics as table
from schemas.topics import MODELS_BYTES_MAX, REJECTED_BYTES_MAX, Kept, Topic
from streams.errors import OperationalError
from streams.kafka.access import Right, raise_if_refused
from streams.kafka.config import Admin
from streams.kafka.retention import DAY_MS, LABEL_HORIZON_DAYS, horizon_ms, loss

if TYPE_CHECKING:
    from concurrent.futures import Future

DEFAULT_PARTITIONS = 4
CLUSTER_DEFAULT = -1  # as a replication factor: whatever the cluster's own default is
TIMEOUT_S = 30.0

# What a worker has not yet read survives an outage of a week, whatever the cluster's default is.
INTERNAL_RETENTION_MS = 7 * DAY_MS
# Estimates look back over a month; a charge on it takes a tenth of what an example does.
MATURED_RETENTION_MS = 60 * DAY_MS
# The changelog holds records that are never written again, such as the pending vector of a charge
# whose label has come: retention drops what compaction would keep for ever. The longest memory is
# a merchant's labels, of 92 days; a record untouched for twice that has nothing left to say. What
# can be disputed for longer is written again in time (streams/labels/renewal.py).
CHANGELOG_RETENTION_MS = 200 * DAY_MS

# Retention counts from when an event was written. A producer may stamp its messages with the time
# of the event, and those of an old file would be dropped before any worker had read them.
WRITTEN = {"message.timestamp.type": "LogAppendTime"}


class TopicsError(OperationalError):
    """The topics cannot be made or used as they are; the message says which and why."""


def partitions_changed(name: str, found: str, kept: int) -> str:
    """Say what to do about a topic that has other partitions than the state is of."""
    return (
        f"topic {name} has {found}, and the state of this installation is of {kept}: a card's "
        "history would be split between its old and its new partition, so nothing is processed. "
        "Stop all workers and producers and type `chargewatch topics --grow` with as many as it "
        "has: it moves the state to them, or goes on where it was stopped. Or, of an input topic "
        f"alone, make the topic anew with {kept} and publish again what it held"
    )


class _Named:
    """The name of a topic in an installation: its row's, behind the prefix."""

    def __init__(self, row: Topic) -> None:
        self._name = row.name

    def __get__(self, installation: "Topics | None", owner: type) -> str:
        return self._name if installation is None else f"{installation.prefix}{self._name}"


@dataclass(frozen=True)
class Topics:
    """Names of the topics of one installation.

    Parameters
    ----------
    prefix
        Put before every name, so that several installations share a cluster.

    Raises
    ------
    ValueError
        If Kafka allows no topic of such a name.

    Examples
    --------
    >>> Topics("eu.").rejected
    'eu.charges.rejected'
    """

    prefix: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{0,200}", self.prefix):
            raise ValueError(
                "topic_prefix: expected at most 200 ASCII letters, digits, dots, hyphens or "
                f"underscores, got {self.prefix!r}"
            )

    charges = _Named(table.CHARGES)
    disputes = _Named(table.DISPUTES)
    outcomes = _Named(table.OUTCOMES)
    scored = _Named(table.SCORED)
    rejected = _Named(table.REJECTED)
    models = _Named(table.MODELS)
    rules = _Named(table.RULES)
    lists = _Named(table.LISTS)
    merchants = _Named(table.MERCHANTS)
    drift = _Named(table.DRIFT)
    by_merchant = _Named(table.BY_MERCHANT)
    by_entity = _Named(table.BY_ENTITY)
    changelog = _Named(table.CHANGELOG)
    examples = _Named(table.EXAMPLES)
    matured = _Named(table.MATURED)
    changes = _Named(table.CHANGES)
    proposals = _Named(table.PROPOSALS)
    reviews = _Named(table.REVIEWS)
    keys = _Named(table.KEYS)
    users = _Named(table.USERS)
    audit = _Named(table.AUDIT)
    installation = _Named(table.INSTALLATION)

    def named(self, row: Topic) -> str:
        """Return the name of a topic of the table."""
        return f"{self.prefix}{row.name}"

    @property
    def of_a_task(self) -> tuple[str, ...]:
        """Topics of which task p owns partition p: their partitions are equal in number."""
        return tuple(self.named(row) for row in table.TOPICS if row.partitions == "tasks")

    @property
    def of_one_partition(self) -> tuple[str, ...]:
        """Topics of one partition: a snapshot stands for one offset of the examples."""
        return tuple(self.named(row) for row in table.TOPICS if row.partitions == "one")

    @property
    def compacted(self) -> tuple[str, ...]:
        """Topics that keep the latest of each key."""
        return tuple(self.named(row) for row in table.TOPICS if row.kept in {"latest", "changelog"})

    def configs(self, label_horizon_days: float = LABEL_HORIZON_DAYS) -> dict[str, dict[str, str]]:
        """Return every topic with the settings it is made with."""
        return {self.named(row): _config(row, label_horizon_days) for row in table.TOPICS}


def _config(row: Topic, label_horizon_days: float) -> dict[str, str]:
    """Return the settings that a topic is made with."""
    config = WRITTEN | _kept(row.kept, label_horizon_days)
    if row.bytes_max is not None:
        config["max.message.bytes"] = str(row.bytes_max)
    if row.segment_bytes is not None:
        config["segment.bytes"] = str(row.segment_bytes)
    return config


def _kept(kept: Kept, label_horizon_days: float) -> dict[str, str]:
    """Return the settings by which a topic keeps what is on it."""
    match kept:
        case "cluster":
            return {}
        case "horizon":
            return {"retention.ms": str(horizon_ms(label_horizon_days))}
        case "week":
            return {"retention.ms": str(INTERNAL_RETENTION_MS)}
        case "months":
            return {"retention.ms": str(MATURED_RETENTION_MS)}
        case "changelog":
            expiring = {"retention.ms": str(CHANGELOG_RETENTION_MS)}
            return {"cleanup.policy": "compact,delete"} | expiring
        case "latest":
            return {"cleanup.policy": "compact"}


@dataclass(frozen=True)
class TopicReport:
    """One topic as `ensure_topics` leaves it; `warning` is empty if it is as it should be."""

    name: str
    partitions: int
    created: bool
    warning: str


def ensure_topics(
    admin: Admin,
    topics: Topics,
    partitions: int | None = None,
    replication: int = CLUSTER_DEFAULT,
    label_horizon_days: float = LABEL_HORIZON_DAYS,
) -> list[TopicReport]:
    """Make the topics that are missing and check all of them; safe to repeat and to race.

    Parameters
    ----------
    admin
        Client of the cluster.
    topics
        Names of the topics.
    partitions
        Partitions of each topic but those of the learner; None for as many as those that exist
        have, and `DEFAULT_PARTITIONS` where there are none.
    replication
        Replicas of each partition of a topic that is made.
    label_horizon_days
        How long charges, disputes and outcomes have to be kept.

    Returns
    -------
    list of TopicReport
        One for each topic.

    Raises
    ------
    NotAllowedError
        If Kafka does not allow it.
    TopicsError
        If Kafka does not answer or refuses, if the partitions do not fit together, or if a topic
        that was made elsewhere would lose what it has to keep.
    """
    configs = topics.configs(label_horizon_days)
    found = _find(admin, configs)
    wanted = _agree(topics, found, partitions)
    missing = [
        NewTopic(name, wanted[name], replication, config=configs[name])
        for name in configs
        if name not in found
    ]
    created: set[str] = set()
    if missing:
        created = _create(admin, missing)
        found = _find_all(admin, configs)
        # Another worker may have made some of them meanwhile, with its own settings.
        _agree(topics, found, partitions)
    warnings = _check_configs(admin, topics, label_horizon_days)
    return [
        TopicReport(name, found[name], name in created, warnings.get(name, "")) for name in configs
    ]


def _agree(topics: Topics, found: Mapping[str, int], partitions: int | None) -> dict[str, int]:
    """Return the number of partitions that every topic should have, given those found."""
    tasks = {name: found[name] for name in topics.of_a_task if name in found}
    if len(set(tasks.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in tasks.items())
        raise TopicsError(
            f"topics with unequal numbers of partitions: {counts}; make anew those that were not "
            "made with the others, or, with all workers and producers stopped, type `chargewatch "
            f"topics --grow {max(tasks.values())}`: it gives all of them as many, or goes on where "
            "it was stopped"
        )
    for name in topics.of_one_partition:
        if found.get(name, 1) != 1:
            raise TopicsError(f"topic {name} has {found[name]} partitions: it must have 1")
    for name, count in tasks.items():
        if partitions not in {None, count}:
            raise TopicsError(f"topic {name} has {count} partitions, not {partitions}")
    common = next(iter(tasks.values()), partitions or DEFAULT_PARTITIONS)
    single = topics.of_one_partition
    return {name: 1 if name in single else common for name in topics.configs()}


def _find(admin: Admin, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of those topics that exist."""
    futures = admin.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_S)
    return {
        name: len(answered(admin, "Describe", name, future).partitions)
        for name, future in futures.items()
        if not _failed_as(KafkaError.UNKNOWN_TOPIC_OR_PART, future)
    }


def partitions_found(admin: Admin, names: Sequence[str]) -> dict[str, int]:
    """Return the number of partitions of topics that have to be there.

    Raises
    ------
    NotAllowedError, TopicsError
        When one is missing or may not be seen, or Kafka does not answer.
    """
    found = _find(admin, names)
    if missing := [name for name in names if name not in found]:
        raise TopicsError(f"topic {missing[0]}: not there; `chargewatch topics` makes it")
    return found


def _find_all(admin: Admin, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of all topics, which brokers hear of a little later."""
    deadline = time.monotonic() + TIMEOUT_S
    while missing := set(names) - (found := _find(admin, names)).keys():
        if time.monotonic() > deadline:
            raise TopicsError(f"made, but not there {TIMEOUT_S:.0f} s later: {', '.join(missing)}")
        time.sleep(0.05)
    return found


def _create(admin: Admin, new: list[NewTopic]) -> set[str]:
    """Create topics; return the names of those that nobody else created first."""
    futures = admin.create_topics(new, operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S)
    own = {
        name: future
        for name, future in futures.items()
        if not _failed_as(KafkaError.TOPIC_ALREADY_EXISTS, future)
    }
    for name, future in own.items():
        answered(admin, "Create", name, future)
    return set(own)


def _check_configs(admin: Admin, topics: Topics, label_horizon_days: float) -> dict[str, str]:
    """Return a warning for each topic that has one, from settings that may be another's choice."""
    compacted = topics.compacted
    inputs = [topics.charges, topics.disputes, topics.outcomes]
    names = [*inputs, topics.rejected, *compacted]
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    configs = {
        resource.name: {
            name: entry.value
            for name, entry in answered(admin, "DescribeConfigs", resource.name, future).items()
            if entry.value is not None
        }
        for resource, future in futures.items()
    }
    for name in compacted:
        policy = configs[name]["cleanup.policy"]
        if "compact" not in policy.split(","):
            raise TopicsError(f"topic {name} has cleanup.policy={policy}: it must be compacted")
    sizes = {name: int(configs[name]["max.message.bytes"]) for name in names}
    warnings = {
        name: warning
        for name in inputs
        if (warning := loss(name, configs[name], label_horizon_days))
    }
    if sizes[topics.rejected] <= max(sizes[name] for name in inputs):
        warnings[topics.rejected] = (
            f"max.message.bytes={sizes[topics.rejected]} leaves no room for the headers of the "
            f"largest rejected input; set {REJECTED_BYTES_MAX}"
        )
    if sizes[topics.models] < MODELS_BYTES_MAX:
        warnings[topics.models] = (
            f"max.message.bytes={sizes[topics.models]} may be too little to promote or freeze a "
            f"model; set {MODELS_BYTES_MAX}"
        )
    return warnings


def _failed_as(code: int, future: "Future[Any]") -> bool:
    error = future.exception()
    return isinstance(error, KafkaException) and error.args[0].code() == code


def answered(admin: Admin, operation: str, name: str, future: "Future[Any]") -> Any:
    """Return what the broker answered about a topic.

    Parameters
    ----------
    admin
        Client of the cluster.
    operation
        What was asked for, as access lists name it.
    name
        Of the topic.
    future
        The answer.

    Raises
    ------
    NotAllowedError, TopicsError
        When there is none.
    """
    try:
        return future.result()
    except KafkaException as error:
        raise_if_refused(error.args[0], admin.config, Right(operation, "topic", name))
        unanswered = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT}
        if error.args[0].code() in unanswered:
            problem = admin.problem() or error.args[0]
            raise TopicsError(f"Kafka does not answer: {problem.str()}") from None
        raise TopicsError(f"topic {name}: {error.args[0].str()}") from None
