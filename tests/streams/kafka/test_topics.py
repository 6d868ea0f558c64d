"""Names and settings of the topics."""

import pytest

from streams.kafka.topics import Topics


def test_names_are_those_of_the_contract() -> None:
    topics = Topics("eu-1.")
    assert list(topics.configs()) == [
        "eu-1.charges",
        "eu-1.disputes",
        "eu-1.outcomes",
        "eu-1.scored",
        "eu-1.charges.rejected",
        "eu-1.models",
        "eu-1.rules",
        "eu-1.lists",
        "eu-1.merchants",
        "eu-1.drift",
        "eu-1.chargewatch.by-merchant",
        "eu-1.chargewatch.by-entity",
        "eu-1.chargewatch.changelog",
        "eu-1.chargewatch.examples",
        "eu-1.chargewatch.matured",
        "eu-1.chargewatch.changes",
        "eu-1.chargewatch.proposals",
        "eu-1.chargewatch.reviews",
        "eu-1.chargewatch.keys",
        "eu-1.chargewatch.users",
        "eu-1.chargewatch.audit",
        "eu-1.chargewatch.installation",
    ]
    assert Topics().charges == "charges"


@pytest.mark.parametrize("prefix", ["a b", "über.", "x/", "p" * 201, "line\n"])
def test_a_prefix_that_kafka_would_refuse(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"topic_prefix: expected .* got"):
        Topics(prefix)


def test_a_rejected_copy_has_more_room_than_its_input() -> None:
    configs = Topics().configs()
    room = {name: int(config.get("max.message.bytes", 0)) for name, config in configs.items()}
    assert room["charges.rejected"] > max(room["charges"], room["disputes"], room["outcomes"]) > 0
