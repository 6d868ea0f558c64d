"""The table of roles: on its page, and fit to what topics are for."""

from schemas.topics import TOPICS
from streams.kafka.access import Right, commands
from streams.kafka.document import README, with_table
from streams.kafka.roles import ROLES
from streams.kafka.topics import Topics

US = Topics("us.")


def test_the_page_has_the_table_of_now() -> None:
    page = README.read_text(encoding="utf-8")
    assert with_table(page) == page


def test_no_right_is_given_twice_or_on_anything_of_another_installation() -> None:
    shared = {"chargewatch.partition-reader", "chargewatch.gateway", "chargewatch.read-model"}
    for role in ROLES.values():
        rights = role.rights(US, "fraud")
        assert len(rights) == len(set(rights))
        for right in rights:
            names_us = right.name.startswith("us.")
            assert names_us or right.name in shared or right.name == "subscriber-", right


def test_every_topic_has_who_reads_and_who_writes_it() -> None:
    for operation in ("Read", "Write"):
        served = {
            right.name
            for role in ROLES.values()
            for right in role.rights(US, "fraud")
            if right.operation == operation
        }
        assert {US.named(row) for row in TOPICS} <= served


def test_commands_join_what_has_the_same_operations() -> None:
    rights = [
        Right("Read", "topic", "a"), Right("Read", "topic", "b"), Right("Write", "topic", "b"),
        Right("Read", "topic", "c"), Right("IdempotentWrite", "cluster"),
    ]  # fmt: skip
    tails = [line.partition("User:x ")[2] for line in commands(rights, "User:x", "k:1")]
    assert tails == [
        "--operation Read --topic a --topic c",
        "--operation Read --operation Write --topic b",
        "--operation IdempotentWrite --cluster",
    ]
