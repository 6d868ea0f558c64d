"""The topics as a real broker makes them, checks them and refuses them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, TopicsError, ensure_topics
from tests.integration.kafka import Kafka


@pytest.fixture
def admin(kafka: Kafka) -> Admin:
    return Admin(kafka.config)


def test_made_once_and_then_found(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    first = ensure_topics(admin, topics, partitions=3)
    edited = {topics.rules, topics.lists, topics.merchants, topics.changes}
    edited |= {topics.keys, topics.users, topics.audit, topics.proposals}
    of_one = edited | {topics.models, topics.examples, topics.matured, topics.installation}
    assert {report.name: report.partitions for report in first} == {
        name: 1 if name in of_one else 3 for name in topics.configs()
    }
    assert all(report.created and not report.warning for report in first)
    again = ensure_topics(admin, topics)
    assert [(report.partitions, report.created) for report in again] == [
        (report.partitions, False) for report in first
    ]
    assert kafka.topic_config(topics.models)["cleanup.policy"] == "compact"
    matured = kafka.topic_config(topics.matured)
    assert int(matured["retention.ms"]) == 60 * 86_400_000
    changelog = kafka.topic_config(topics.changelog)
    assert set(changelog["cleanup.policy"].split(",")) == {"compact", "delete"}
    assert int(changelog["retention.ms"]) == 200 * 86_400_000


def test_racing_workers_agree(kafka: Kafka, prefix: str) -> None:
    def worker(_: int) -> list[tuple[str, int, bool]]:
        reports = ensure_topics(Admin(kafka.config), Topics(prefix), partitions=2)
        return [(report.name, report.partitions, report.created) for report in reports]

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(worker, range(4)))
    names = [(name, partitions) for name, partitions, _ in reports[0]]
    for report in reports:
        assert [(name, partitions) for name, partitions, _ in report] == names
    # Each topic was created by exactly one of them.
    assert sorted(name for report in reports for name, _, created in report if created) == sorted(
        name for name, _ in names
    )


def test_topics_follow_those_that_exist(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    kafka.create(topics.charges, partitions=5)
    made = {report.name: report for report in ensure_topics(admin, topics)}
    assert made[topics.disputes].partitions == made[topics.changelog].partitions == 5
    assert not made[topics.charges].created
    with pytest.raises(TopicsError, match=f"{prefix}charges has 5 partitions, not 6"):
        ensure_topics(admin, topics, partitions=6)


def test_unequal_partitions(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    kafka.create(topics.charges, partitions=2)
    kafka.create(topics.disputes, partitions=3)
    with pytest.raises(TopicsError) as raised:
        ensure_topics(admin, topics)
    assert str(raised.value) == (
        "topics with unequal numbers of partitions: "
        f"{topics.charges} has 2, {topics.disputes} has 3; make anew those that were not made with "
        "the others, or, with all workers and producers stopped, type `chargewatch topics --grow "
        "3`: it gives all of them as many, or goes on where it was stopped"
    )
    assert kafka.partitions(topics.scored) == 0, "nothing is made when something is wrong"


def test_examples_of_more_than_one_partition(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    kafka.create(topics.examples, partitions=2)
    with pytest.raises(TopicsError, match="examples has 2 partitions: it must have 1"):
        ensure_topics(admin, topics)


def test_models_that_would_be_forgotten(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    kafka.create(topics.models)
    with pytest.raises(TopicsError, match=r"models has cleanup\.policy=delete: it must be comp"):
        ensure_topics(admin, topics)


def test_small_rejected_topic_is_a_warning(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    kafka.create(topics.rejected, config={"max.message.bytes": "100000"})
    warnings = {report.name: report.warning for report in ensure_topics(admin, topics)}
    assert [name for name, warning in warnings.items() if warning] == [topics.rejected]


def test_small_topic_of_models_is_a_warning(kafka: Kafka, admin: Admin, prefix: str) -> None:
    topics = Topics(prefix)
    kafka.create(topics.models, config={"cleanup.policy": "compact"})
    warnings = {report.name: report.warning for report in ensure_topics(admin, topics)}
    assert [name for name, warning in warnings.items() if warning] == [topics.models]
    assert warnings[topics.models].endswith("promote or freeze a model; set 8388608")


def test_more_replicas_than_brokers(admin: Admin, prefix: str) -> None:
    with pytest.raises(TopicsError, match=rf"topic {prefix}charges: .*replication factor"):
        ensure_topics(admin, Topics(prefix), replication=99)


def test_events_are_kept_from_when_they_were_written(
    kafka: Kafka, admin: Admin, prefix: str
) -> None:
    topics = Topics(prefix)
    ensure_topics(admin, topics, partitions=1)
    in_2018_ms = 1_526_342_400_000
    kafka.produce(topics.charges, [(b"card", b"{}")], timestamp_ms=in_2018_ms)
    (message,) = kafka.consume(topics.charges, 1)
    assert message.timestamp()[1] > in_2018_ms


def test_no_answer_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.topics.TIMEOUT_S", 1.0)
    admin = Admin(client_config("127.0.0.1:1", {}))
    with pytest.raises(TopicsError, match=r"^Kafka does not answer: .*Connection refused"):
        ensure_topics(admin, Topics())
