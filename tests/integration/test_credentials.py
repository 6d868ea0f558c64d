"""Tokens, and passwords that are changed while their users run, on a secured Kafka."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from confluent_kafka import KafkaException

from streams.kafka.config import Admin, client_config
from streams.kafka.password_file import FiledConfig
from streams.kafka.publisher import Publisher
from streams.kafka.subscriber import Subscriber
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.access_lists import rights_of
from tests.integration.gateway import charge
from tests.integration.test_access import told_by_a_command
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.kafka_cluster import KafkaCluster
    from deploy.token_issuer import TokenIssuer

CHARGES = 20
IDLE_MS = 1000
NOTICED_S = 60.0
"""Within which a client connects anew, on a machine that is busy."""


def test_a_worker_with_a_token_needs_no_more_rights_than_one_with_a_password(
    secured: KafkaCluster, prefix: str, tmp_path: Path
) -> None:
    admin = client_config(secured.env["KAFKA_BOOTSTRAP_SERVERS"], secured.env)
    topics = Topics(prefix)
    ensure_topics(Admin(admin), topics, 2)
    user = f"{prefix}worker"
    env = secured.add_token_user(user) | {"CHARGEWATCH_TOPIC_PREFIX": prefix}
    secured.allow([right.binding() for right in rights_of("worker", user, env)])
    with Subscriber(admin, [topics.scored]) as subscriber, WorkerProcess(tmp_path, env) as worker:
        worker.wait_until_ready()
        publisher = Publisher(admin)
        events = [charge(str(number)) for number in range(CHARGES)]
        keyed = [(event["card"].encode(), orjson.dumps(event)) for event in events]
        publisher.publish(topics.charges, keyed)
        publisher.flush()
        scored = 0
        while scored < CHARGES:
            found = len(subscriber.read(30.0))
            assert found, worker.text()
            scored += found
        assert worker.stop() == 0
    assert "waiting for Kafka" not in worker.text()


def _other_secret(issuer: TokenIssuer) -> None:
    issuer.add_client("teller")


def _other_audience(issuer: TokenIssuer) -> None:
    issuer.audience = "another-system"


def _expired(issuer: TokenIssuer) -> None:
    issuer.lifetime = timedelta(minutes=-1)


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        (_other_secret, "wrong secret"),
        (_expired, "Must supply an unexpired token"),
        (_other_audience, "mend KAFKA_SASL_OAUTHBEARER_SCOPE or the issuer"),
    ],
)
def test_who_has_no_good_token_reads_why(
    secured: KafkaCluster,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[TokenIssuer], None],
    told: str,
) -> None:
    issuer = secured.issuer
    for name in ("audience", "lifetime"):
        monkeypatch.setattr(issuer, name, getattr(issuer, name))
    env = secured.add_token_user("teller")
    happens(issuer)
    line = told_by_a_command(env)
    assert "refuses us" in line
    assert told in line
    assert env["KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"] not in line


def test_who_reaches_no_issuer_reads_so(secured: KafkaCluster) -> None:
    env = secured.add_token_user("teller")
    away = {"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": "https://127.0.0.1:1/token"}
    assert "mend KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL" in told_by_a_command(env | away)


def test_who_shows_a_password_where_tokens_are_asked_for_reads_so(secured: KafkaCluster) -> None:
    by_token, env = secured.add_token_user("teller"), secured.add_user("teller")
    elsewhere = {"KAFKA_BOOTSTRAP_SERVERS": by_token["KAFKA_BOOTSTRAP_SERVERS"]}
    assert "mend KAFKA_SASL_MECHANISM" in told_by_a_command(env | elsewhere)


def _is_let_in(admin: Admin) -> bool:
    try:
        admin.list_topics(timeout=5.0)
    except KafkaException:
        return False
    return True


def _comes_to_be_let_in(admin: Admin, *, is_let_in: bool) -> bool:
    """Ask now and then; in between, connections that are to be closed when idle are."""
    deadline = time.monotonic() + NOTICED_S
    while _is_let_in(admin) is not is_let_in:
        if time.monotonic() > deadline:
            return False
        time.sleep(3 * IDLE_MS / 1e3)
    return True


def test_a_client_that_runs_goes_on_with_the_password_that_its_file_gets(
    secured: KafkaCluster, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("the-first\n")
    env = secured.add_user("rotated", "the-first")
    del env["KAFKA_SASL_PASSWORD"]
    config = client_config(
        env["KAFKA_BOOTSTRAP_SERVERS"], env | {"KAFKA_SASL_PASSWORD_FILE": str(file)}
    )
    assert isinstance(config, FiledConfig)
    lives = Admin(config)
    renews = Admin(config | {"connections.max.idle.ms": IDLE_MS})
    assert _is_let_in(lives)
    assert _is_let_in(renews)
    secured.add_user("rotated", "the-second")
    assert _comes_to_be_let_in(renews, is_let_in=False)
    assert "mend KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD" in renews.remedy()
    assert _is_let_in(lives), "connections live on"
    file.write_text("the-second\n")
    config.file.look()
    assert _comes_to_be_let_in(renews, is_let_in=True), renews.problem()
    assert _is_let_in(Admin(config | {})), "clients that are made later show it, too"
