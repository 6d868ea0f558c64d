"""Access lists of a cluster: Kafka's own commands carried out, and the authorizer's log read."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from click.testing import CliRunner
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from agents.commands import chargewatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click.testing import Result

    from deploy.kafka_cluster import KafkaCluster

Acl = TypeVar("Acl", bound=AclBinding)

AUTHORIZER_LOG = ("-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug",)
"""Has the nodes log what is allowed and what is not."""

_ASKED = re.compile(
    r"Principal = User:(\S+) is (Allowed|Denied) operation = (\w+) .*?"
    r"on resource = (\w+):LITERAL:(\S+) for request"
)
_KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
}
_TYPES = {"Topic": "topic", "Group": "group", "TransactionalId": "transactional_id"}


class Granted(NamedTuple):
    """A right as a command gives it."""

    principal: str
    operation: str
    kind: str
    name: str
    is_prefix: bool

    def binding(self) -> AclBinding:
        return self._made(AclBinding)

    def filter(self) -> AclBindingFilter:
        return self._made(AclBindingFilter)

    def _made(self, made: type[Acl]) -> Acl:
        pattern = ResourcePatternType.PREFIXED if self.is_prefix else ResourcePatternType.LITERAL
        operation = AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", self.operation).upper()]
        kind, allow = _KINDS[self.kind], AclPermissionType.ALLOW
        return made(kind, self.name, pattern, self.principal, "*", operation, allow)

    def is_needed_for(self, asked: Asked) -> bool:
        """Tell whether this right allows a request, if only as Read and Write allow Describe."""
        fits = asked.name.startswith(self.name) if self.is_prefix else asked.name == self.name
        own = self.operation.upper()
        implied = asked.operation == "DESCRIBE" and own in {"READ", "WRITE"}
        same = asked.operation.replace("_", "") == own
        return asked.kind == self.kind and fits and (same or implied)


class Asked(NamedTuple):
    """A right that the authorizer was asked for."""

    operation: str
    kind: str
    name: str


def granted_by(command: str) -> list[Granted]:
    """Read a line of kafka-acls.sh, by its manual."""
    program, *arguments = shlex.split(command)
    assert program == "kafka-acls.sh"
    options = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("bootstrap-server", "command-config", "allow-principal"):
        options.add_argument(f"--{name}", required=True)
    options.add_argument("--add", action="store_true", required=True)
    options.add_argument("--resource-pattern-type", choices=["prefixed"])
    for name in ("operation", "topic", "group", "transactional-id"):
        options.add_argument(f"--{name}", action="append", default=[])
    found = options.parse_args(arguments)
    return [
        Granted(found.allow_principal, operation, kind, name, bool(found.resource_pattern_type))
        for kind in _KINDS
        for name in getattr(found, kind)
        for operation in found.operation
    ]


def invoke(env: dict[str, str], *arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(chargewatch, arguments, env=env, input=given)


def rights_of(role: str, user: str, env: dict[str, str]) -> list[Granted]:
    """Return what `chargewatch acls` gives a user of a role."""
    printed = invoke(env, "acls", role, f"User:{user}")
    assert printed.exit_code == 0, printed.output
    return [right for line in printed.output.splitlines() for right in granted_by(line)]


def asked_by(kafka: KafkaCluster, user: str) -> tuple[set[Asked], set[Asked]]:
    """Return the rights that a user was asked for, those that were there and those that were not.

    Rights on the cluster are left out: clients ask for some that they can do without.
    """
    allowed, denied = set[Asked](), set[Asked]()
    for name, verdict, asked in _lines(kafka):
        if name == user:
            (allowed if verdict == "Allowed" else denied).add(asked)
    return allowed, denied


def _lines(kafka: KafkaCluster) -> Iterator[tuple[str, str, Asked]]:
    for node in kafka.nodes:
        for user, verdict, operation, kind, name in _ASKED.findall(node.log()):
            if kind in _TYPES:
                yield user, verdict, Asked(operation, _TYPES[kind], name)


def unused(rights: Sequence[Granted], asked: set[Asked]) -> set[tuple[str, str, str]]:
    """Return the operations, kinds and names of rights that no request needed."""
    return {right[1:4] for right in rights if not any(right.is_needed_for(each) for each in asked)}
