"""The one table of who may do what on Kafka: least rights of each part of an installation.

`chargewatch acls` prints the commands, `deploy/security/README.md` the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.topics import (
    AUDIT,
    BY_ENTITY,
    BY_MERCHANT,
    CHANGELOG,
    CHANGES,
    CHARGES,
    DISPUTES,
    DRIFT,
    EXAMPLES,
    INSTALLATION,
    KEYS,
    LISTS,
    MATURED,
    MERCHANTS,
    MODELS,
    OUTCOMES,
    PROPOSALS,
    REJECTED,
    REVIEWS,
    RULES,
    SCORED,
    TOPICS,
    USERS,
    Topic,
)
from streams.kafka.access import Right
from streams.kafka.topics import Topics

PARTITION_READER: Final = "chargewatch.partition-reader"
GATEWAY: Final = "chargewatch.gateway"
READ_MODEL: Final = "chargewatch.read-model"
SUBSCRIBER: Final = "subscriber-"
"""Groups that clients name, as they have to, and never join; the last one begins so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A part of an installation.

    Attributes
    ----------
    does
        What it is.
    reads, writes, makes
        Topics, by operation.
    looks_at
        Topics of which it only asks what partitions they have.
    checks
        Topics whose settings it checks.
    groups
        That its clients name and never join.
    is_member
        Whether it is in the group of the workers, and has a transactional id of theirs.
    watches_group
        Whether it asks how far the workers are.
    edits
        Topics edited by one editor at a time: their names are transactional ids.
    records
        Topics that begin the name of a transactional id.
    """

    does: str
    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    makes: tuple[Topic, ...] = ()
    looks_at: tuple[Topic, ...] = ()
    checks: tuple[Topic, ...] = ()
    groups: tuple[str, ...] = ()
    is_member: bool = False
    watches_group: bool = False
    edits: tuple[Topic, ...] = ()
    records: tuple[Topic, ...] = ()

    def rights(self, topics: Topics, group: str) -> list[Right]:
        """Return the rights of it in an installation.

        Parameters
        ----------
        topics
            Names of the topics.
        group
            Of the workers, behind the prefix of the topics.
        """
        return [*self._on_topics(topics), *self._on_groups(topics, group)]

    def _on_topics(self, topics: Topics) -> Iterator[Right]:
        operations = {
            "Read": self.reads,
            "Write": self.writes,
            "Create": self.makes,
            "Describe": self.looks_at,
            "DescribeConfigs": self.checks,
        }
        for operation, rows in operations.items():
            for row in rows:
                yield Right(operation, "topic", topics.named(row))

    def _on_groups(self, topics: Topics, group: str) -> Iterator[Right]:
        for name in self.groups:
            yield Right("Describe", "group", name, is_prefix=name == SUBSCRIBER)
        member = f"{topics.prefix}{group}"
        if self.is_member:
            yield Right("Read", "group", member)
            yield Right("Write", "transactional-id", f"{member}-", is_prefix=True)
        if self.watches_group:
            yield Right("Describe", "group", member)
        for row in self.edits:
            yield Right("Write", "transactional-id", topics.named(row))
        for row in self.records:
            yield Right("Write", "transactional-id", f"{topics.named(row)}.", is_prefix=True)


_INPUTS: Final = (CHARGES, DISPUTES, OUTCOMES)
_POLICY: Final = (RULES, LISTS, MERCHANTS, CHANGES)
_SHOWN: Final = (SCORED, *_INPUTS, REJECTED, REVIEWS)
_CHECKED: Final = tuple(
    row for row in TOPICS if row in {*_INPUTS, REJECTED} or row.kept in {"latest", "changelog"}
)
_WORKER_READS: Final = (
    *_INPUTS,
    BY_MERCHANT,
    BY_ENTITY,
    CHANGELOG,
    EXAMPLES,
    MODELS,
    *_POLICY,
    INSTALLATION,
)
_WORKER_WRITES: Final = (
    SCORED,
    REJECTED,
    MODELS,
    DRIFT,
    BY_MERCHANT,
    BY_ENTITY,
    CHANGELOG,
    EXAMPLES,
    MATURED,
    INSTALLATION,
)
_OPERATOR_READS: Final = (*_INPUTS, *_POLICY, KEYS, USERS, MODELS, MATURED, INSTALLATION)
_OPERATOR_WRITES: Final = (*_POLICY, KEYS, USERS, AUDIT, MODELS)


def _others(*known: Topic) -> tuple[Topic, ...]:
    return tuple(row for row in TOPICS if row not in known)


ROLES: Final[dict[str, Role]] = {
    "worker": Role(
        does="`chargewatch worker`, on topics that are there",
        reads=_WORKER_READS,
        writes=_WORKER_WRITES,
        looks_at=_others(*_WORKER_READS, *_WORKER_WRITES),
        checks=_CHECKED,
        groups=(PARTITION_READER,),
        is_member=True,
    ),
    "serve": Role(
        does="`chargewatch serve`, the HTTP API",
        reads=(SCORED, OUTCOMES, KEYS, *_POLICY),
        writes=(*_INPUTS, *_POLICY),
        groups=(GATEWAY, PARTITION_READER),
        edits=(CHANGES,),
    ),
    "console": Role(
        does="`chargewatch console`, which keeps its read model",
        reads=(
            *_SHOWN,
            *_POLICY,
            PROPOSALS,
            USERS,
            AUDIT,
            DRIFT,
            MODELS,
            MATURED,
            CHANGELOG,
            INSTALLATION,
        ),
        writes=(*_INPUTS, *_POLICY, PROPOSALS, USERS, AUDIT, MODELS, REVIEWS),
        looks_at=(BY_MERCHANT, BY_ENTITY),
        groups=(GATEWAY, READ_MODEL, PARTITION_READER),
        watches_group=True,
        edits=(CHANGES, USERS),
        records=(AUDIT,),
    ),
    "read-model": Role(
        does="`chargewatch read-model`",
        reads=_SHOWN,
        groups=(READ_MODEL,),
    ),
    "producer": Role(
        does="whoever publishes charges, disputes and outcomes; `chargewatch publish`",
        writes=_INPUTS,
    ),
    "subscriber": Role(
        does="whoever reads the scored charges; `chargewatch watch`",
        reads=(SCORED,),
        groups=(SUBSCRIBER,),
    ),
    "operator": Role(
        does="the other commands: `topics`, `rules`, `lists`, `merchants`, `keys`, `users`, "
        "`models`",
        reads=_OPERATOR_READS,
        writes=_OPERATOR_WRITES,
        makes=TOPICS,
        looks_at=_others(*_OPERATOR_READS, *_OPERATOR_WRITES),
        checks=_CHECKED,
        groups=(PARTITION_READER,),
        edits=(CHANGES, KEYS, USERS),
    ),
}
