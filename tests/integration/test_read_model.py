"""The read model on a real Kafka: whatever is killed, it is what brute force says."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING

import orjson
import pytest
from confluent_kafka import Producer
from sqlalchemy import select

from agents.web.read_model import tables
from agents.web.read_model.database import ReadModel, has_reached
from agents.web.read_model.queries.charge_view import charge_view
from agents.web.read_model.queries.overview import overview
from agents.web.read_model.queries.rejected_inputs import count_by_reason
from streams.kafka.config import Admin
from streams.kafka.topics import Topics, ensure_topics
from tests.agents.web.read_model.databases import PostgreSQL, postgresql_binaries, sqlite_url
from tests.agents.web.read_model.made import PARTITIONS, Made, make
from tests.agents.web.read_model.reference import charges_in
from tests.integration.follower import WAIT_S, FollowerProcess, wait_until_fresh
from tests.integration.gateway import Gateway, ask, charge, charge_request
from tests.integration.http_load import request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from tests.integration.kafka import Kafka

SEED = int(os.environ.get("READ_MODEL_SEED", "20261130"))


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL: `apt-get install postgresql` has its programs")
    with PostgreSQL(binaries) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: PostgreSQL = request.getfixturevalue("server")
    return server.url


def publish(kafka: Kafka, made: Made, share: slice) -> None:
    """Publish a share of each partition."""
    for (topic, partition), log in sorted(made.partitions.items()):
        for headers, messages in groupby(log[share], key=lambda each: each.made_headers):
            contents = [(partition, each.made_key, each.made_value) for each in messages]
            kafka.publish(topic, contents, headers=list(headers or []))


def abort_some(kafka: Kafka, made: Made, prefix: str) -> None:
    """Put what was made into transactions that are given up."""
    producer = Producer(kafka.config | {"transactional.id": f"{prefix}aborting"})
    producer.init_transactions()
    producer.begin_transaction()
    for message in made.of(f"{prefix}scored")[:50]:
        value = (message.made_value or b"").replace(b'"charge":"', b'"charge":"never-')
        producer.produce(
            message.made_topic, value, message.made_key, partition=message.made_partition
        )
    producer.flush()
    producer.abort_transaction()


def assert_like_brute_force(url: URL, made: Made, prefix: str) -> None:
    expected = charges_in(made, prefix)
    read_model = ReadModel(url)
    with read_model.reading() as connection:
        columns = tables.charges.c
        found = connection.execute(
            select(columns.charge, columns.card, columns.given, columns.verdict,
                   columns.is_disputed)
        )  # fmt: skip
        assert {(row[0], row[1]): tuple(row[2:]) for row in found} == {
            key: (charge.given, charge.verdict, charge.is_disputed)
            for key, charge in expected.items()
        }
        for key, charge in list(expected.items())[::10]:
            view = charge_view(connection, *key)
            assert view is not None
            assert view.scored == charge.scored
            assert view.line.claimed_by == (charge.claim["by"] if charge.claim else None)
            assert len(view.outcomes) == len(charge.outcomes)
            assert len(view.notes) == len(charge.notes)
        seen = overview(connection, 0.0, 4e9)
        assert sum(day.charges for day in seen.days) == len(expected)
        assert sum(day.usd for day in seen.days) == pytest.approx(
            sum(charge.cents for charge in expected.values()) / 100
        )
        assert sum(day.disputed for day in seen.days) == sum(
            charge.is_disputed for charge in expected.values()
        )
        rejected = made.of(f"{prefix}charges.rejected")
        assert sum(each.count for each in count_by_reason(connection)) == len(rejected)
        assert_all_reached(connection, made)
    read_model.close()


def assert_all_reached(connection: Connection, made: Made) -> None:
    for (topic, partition), log in made.partitions.items():
        assert has_reached(connection, topic, partition, len(log) - 1)
        assert not has_reached(connection, topic, partition, 10**6)


def test_kill_and_go_on_and_be_what_brute_force_says(
    kafka: Kafka, prefix: str, url: URL, tmp_path: Path
) -> None:
    print(f"READ_MODEL_SEED={SEED}")  # noqa: T201 # shown where it fails
    random = Random(SEED)
    made = make(random, 1200, prefix)
    ensure_topics(Admin(kafka.config), Topics(prefix), PARTITIONS)
    log = tmp_path / "log"
    rounds = 6
    for number in range(rounds):
        with FollowerProcess(kafka, prefix, url, log) as follower:
            share = slice(number * 200, None if number == rounds - 1 else (number + 1) * 200)
            publish(kafka, made, share)
            # anywhere: before it begins, in the middle of a batch, when it waits for more
            time.sleep(random.random() * 3.0)
            assert follower.process.poll() is None
    abort_some(kafka, made, prefix)
    published = time.time()
    with FollowerProcess(kafka, prefix, url, log) as follower:
        wait_until_fresh(url, published)
        assert_like_brute_force(url, made, prefix)
        with FollowerProcess(kafka, prefix, url, tmp_path / "second") as second:
            deadline = time.monotonic() + WAIT_S
            while "waits to take over" not in second.text():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            follower.kill()
            wait_until_fresh(url, time.time())
            assert second.stop() == 0
    assert_like_brute_force(url, made, prefix)


def test_a_database_that_goes_away_is_waited_for(
    kafka: Kafka, prefix: str, server: PostgreSQL, tmp_path: Path
) -> None:
    ensure_topics(Admin(kafka.config), Topics(prefix), PARTITIONS)
    made = make(Random(SEED + 2), 300, prefix)
    with FollowerProcess(kafka, prefix, server.url, tmp_path / "log") as follower:
        for number in range(3):
            publish(kafka, made, slice(number * 70, None if number == 2 else (number + 1) * 70))
            wait_until_fresh(server.url, time.time())
            said = follower.text().count("cannot be written")
            server.stop()
            deadline = time.monotonic() + WAIT_S
            while follower.text().count("cannot be written") == said:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            server.start()
        wait_until_fresh(server.url, time.time())
        assert "Traceback" not in follower.text()
    assert_like_brute_force(server.url, made, prefix)


def test_built_again_when_it_is_told_to_and_when_the_topics_are_others(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path)
    admin, topics = Admin(kafka.config), Topics(prefix)
    ensure_topics(admin, topics, PARTITIONS)
    made = make(Random(SEED + 1), 300, prefix)
    publish(kafka, made, slice(None))
    with ExitStack() as stack:
        log = tmp_path / "log"
        follower = stack.enter_context(FollowerProcess(kafka, prefix, url, log))
        wait_until_fresh(url, time.time())
        assert follower.stop() == 0
        assert "the read model is up to date" in follower.text()
        rebuilt = stack.enter_context(FollowerProcess(kafka, prefix, url, log, "--rebuild"))
        wait_until_fresh(url, time.time())
        assert rebuilt.stop() == 0
        assert_like_brute_force(url, made, prefix)
    for answer in admin.delete_topics([topics.scored]).values():
        answer.result()
    deadline = time.monotonic() + WAIT_S
    while topics.scored in admin.list_topics(timeout=5).topics:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kafka.create(topics.scored, PARTITIONS)
    fewer = Made(
        {place: log for place, log in made.partitions.items() if place[0] != topics.scored}
    )
    with FollowerProcess(kafka, prefix, url, tmp_path / "other") as follower:
        wait_until_fresh(url, time.time())
        assert "it is built again" in follower.text()
        assert_like_brute_force(url, fewer, prefix)


def test_the_read_model_of_another_installation_is_left_alone(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path)
    for each in (prefix, f"{prefix}other."):
        ensure_topics(Admin(kafka.config), Topics(each), PARTITIONS)
    with FollowerProcess(kafka, prefix, url, tmp_path / "log") as follower:
        wait_until_fresh(url, time.time())
        follower.stop()
    with FollowerProcess(kafka, f"{prefix}other.", url, tmp_path / "other") as other:
        assert other.process.wait(WAIT_S) == 1
        assert "holds the read model of another installation" in other.text()
        assert "Traceback" not in other.text()


def test_a_charge_is_told_by_the_api_and_found_for_a_dispute_that_names_it_alone(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path)
    with Gateway(kafka, prefix, tmp_path) as gateway:
        gateway.worker()
        replica = gateway.replica(CHARGEWATCH_READ_MODEL_URL=str(url))
        (scored,) = ask(replica.port, charge_request(charge(1), deadline_ms=10_000))
        assert scored.status == 200
        (away,) = ask(replica.port, request("GET", "/v1/charges/ch_1"))
        assert away.status == 503
        alone = {"id": "d1", "charge": "ch_1", "created": time.time(), "reason": "fraudulent"}
        (refused,) = ask(replica.port, request("POST", "/v1/disputes", orjson.dumps(alone)))
        assert (refused.status, refused.json["field"]) == (422, "card")
        with FollowerProcess(kafka, prefix, url, tmp_path / "log"):
            wait_until_fresh(url, time.time())
            (taken,) = ask(replica.port, request("POST", "/v1/disputes", orjson.dumps(alone)))
            assert taken.status == 202
            wait_until_fresh(url, time.time())
            (found,) = ask(replica.port, request("GET", "/v1/charges/ch_1"))
            assert found.status == 200
            answer = {n: v for n, v in scored.json.items() if n not in {"source", "took_ms"}}
            assert found.json["scored"] == answer
            (dispute,) = found.json["disputes"]
            assert dispute == {**alone, "card": "tok_1", "merchant": "shop"}
            (unknown,) = ask(replica.port, request("GET", "/v1/charges/ch_2"))
            assert unknown.status == 404
