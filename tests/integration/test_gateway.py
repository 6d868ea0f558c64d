"""The API on a real Kafka with real workers: charges are answered once, whatever ends meanwhile."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from msgspec.structs import replace

from agents.web.api.answer_types import ScoredAnswer
from agents.web.api.client import ApiClient, ApiError
from deploy.local_kafka import LocalKafka
from streams.kafka.config import client_config
from tests.integration.gateway import Balancer, Gateway, ask, charge, charge_request
from tests.integration.http_load import HttpLoad, Reply, request
from tests.integration.kafka import Kafka
from tests.integration.test_membership import markers_written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENT_MS = 10_000


@pytest.fixture
def gateway(kafka: Kafka, prefix: str, tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(kafka, prefix, tmp_path) as made:
        yield made


def without(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


def test_a_charge_is_answered_by_its_score_and_again_at_another_replica(gateway: Gateway) -> None:
    gateway.worker()
    key, token = gateway.add_key()
    replicas = [gateway.replica(), gateway.replica()]
    balancer = Balancer([replica.port for replica in replicas])
    bodies = [charge(number, note="carried along") for number in range(20)]
    requests = [charge_request(body, token, PATIENT_MS) for body in bodies]
    first = ask(balancer.port, *requests)
    again = ask(balancer.port, requests[0], *requests)  # one more: each goes to the other replica
    balancer.close()
    scored = gateway.scored()
    for body, one, other in zip(bodies, first, again[1:], strict=True):
        assert (one.status, one.json["source"], one.json["note"]) == (200, "scored", body["note"])
        [event] = scored[body["id"]]
        assert without(one.json, "source", "took_ms") == event
        assert without(one.json, "took_ms") == without(other.json, "took_ms")
    assert not gateway.outcomes()
    gateway.revoke(key)
    time.sleep(1.0)  # which is what is promised
    for replica in replicas:
        assert ask(replica.port, requests[0])[0].status == 401
        assert replica.stop() == 0
    secret = token.rpartition("_")[2]
    assert secret not in gateway.logs()
    assert "tok_1" not in gateway.logs()


def test_without_workers_charges_are_answered_by_fallback_and_scored_all_the_same(
    gateway: Gateway,
) -> None:
    replicas = [gateway.replica(), gateway.replica()]
    put = request("PUT", "/v1/merchants/strict", b'{"fallback":"review"}')
    assert ask(replicas[0].port, put)[0].status == 200
    merchants = ["shop", "strict"]
    bodies = [charge(number, merchant=merchants[number % 2]) for number in range(40)]
    requests = [charge_request(body, deadline_ms=1500) for body in bodies]
    first = HttpLoad(replicas[0].port).run(requests, 100)
    assert [reply.status for reply in first] == [200] * 40
    again = ask(replicas[1].port, *requests)
    outcomes = gateway.outcomes()
    for body, one, other in zip(bodies, first, again, strict=True):
        assert one.json["source"] == "fallback"
        action = "review" if body["merchant"] == "strict" else "allow"
        assert one.json["action"] == action
        assert without(one.json, "took_ms") == without(other.json, "took_ms")
        [outcome] = outcomes[body["id"]]
        assert (outcome["outcome"], outcome["action"]) == ("answered", action)
        assert (outcome["card"], outcome["merchant"]) == (body["card"], body["merchant"])
    gateway.worker()
    gateway.wait_until_scored(len(bodies))
    scored = gateway.scored()
    assert {body["id"] for body in bodies} == set(scored)
    assert all(len(events) == 1 for events in scored.values())
    # What was answered stays answered, though it is scored by now; also of a replica that is new.
    late = gateway.replica()
    for body, asked, reply in zip(bodies, requests, ask(late.port, *requests), strict=True):
        assert reply.json["source"] == "fallback", (body, asked)
    # And workers take the outcomes for what they are.
    group = f"{gateway.topics.prefix}chargewatch"
    gateway.kafka.wait_until_taken(group, gateway.topics.outcomes)
    assert not gateway.kafka.read_all(gateway.topics.rejected)


def test_workers_that_are_killed_under_load(gateway: Gateway) -> None:
    workers = [gateway.worker(), gateway.worker()]
    replica = gateway.replica()
    bodies = [charge(number, card=f"tok_{number % 97}") for number in range(1200)]
    replies: list[Reply] = []
    load = HttpLoad(replica.port)
    requests = [charge_request(body, deadline_ms=1000) for body in bodies]
    sending = Thread(target=lambda: replies.extend(load.run(requests, 80)))
    sending.start()
    time.sleep(5.0)  # of the fifteen seconds of load
    workers[0].kill()
    sending.join()
    accepted = [
        body["id"] for body, reply in zip(bodies, replies, strict=True) if reply.status == 200
    ]
    assert {reply.status for reply in replies} <= {200, 503}
    assert len(accepted) > 1000
    gateway.wait_until_scored(len(accepted))
    scored, outcomes = gateway.scored(), gateway.outcomes()
    sources = {"scored": 0, "fallback": 0}
    for body, reply in zip(bodies, replies, strict=True):
        if reply.status != 200:
            continue
        answer = reply.json
        sources[answer["source"]] += 1
        [event] = [each for each in scored[body["id"]] if not each.get("duplicate")]
        told = {outcome["action"] for outcome in outcomes.get(body["id"], [])}
        if answer["source"] == "scored":
            assert without(answer, "source", "took_ms") == event
            assert not told
        else:
            assert told == {answer["action"]}
    assert min(sources.values()) > 50, sources


def test_brokers_that_stop_and_come_back(tmp_path: Path, prefix: str) -> None:
    with LocalKafka() as local:
        kafka = Kafka(client_config(local.bootstrap_servers, {}))
        with Gateway(kafka, prefix, tmp_path) as gateway:
            gateway.worker()
            replica = gateway.replica()
            port = replica.port
            [before] = ask(port, charge_request(charge("before"), deadline_ms=PATIENT_MS))
            assert before.json["source"] == "scored"
            local.kill()
            began = time.monotonic()
            [meanwhile] = ask(port, charge_request(charge("meanwhile")))
            assert time.monotonic() - began < 1.0
            assert (meanwhile.status, meanwhile.json["accepted"]) == (503, "unknown")
            _wait_for(lambda: replica.page("/readyz")[0] == 503)
            began = time.monotonic()
            dispute = {"id": "d1", "charge": "ch_before", "card": "tok_before", "merchant": "shop",
                       "created": time.time(), "reason": "fraudulent"}  # fmt: skip
            told = request("POST", "/v1/disputes", orjson.dumps(dispute))
            refused = ask(port, charge_request(charge("refused")), told)
            assert time.monotonic() - began < 1.0
            for reply in refused:
                assert (reply.status, reply.json["accepted"]) == (503, "no")
            local.restart()
            with markers_written(local, prefix):
                _wait_for(lambda: replica.page("/readyz")[0] == 200)
                requests = [charge_request(charge(n), deadline_ms=PATIENT_MS) for n in range(20)]
                after = ask(port, *requests, told)
                assert [reply.status for reply in after] == [200] * 20 + [202]
                # The worker may be longer away than the API: see `GroupOffsets.committed_offsets`.
                accepted = {"ch_before"} | {f"ch_{number}" for number in range(20)}
                _wait_for(lambda: gateway.scored().keys() >= accepted)
                scored = gateway.scored()
                assert "ch_refused" not in scored
                assert all(len(scored[charge_id]) == 1 for charge_id in accepted)


def test_the_python_client(gateway: Gateway) -> None:
    gateway.worker()
    _, token = gateway.add_key("charges", "labels")
    replica = gateway.replica()
    url = f"http://127.0.0.1:{replica.port}"
    made = charge("1")
    with ApiClient(url, token, deadline_ms=PATIENT_MS) as client:
        answer = client.score(made)
        assert isinstance(answer, ScoredAnswer)
        [event] = gateway.scored()["ch_1"]
        assert (answer.charge, answer.action, answer.score) == (
            "ch_1",
            event["action"],
            event["score"],
        )
        about = {"charge": "ch_1", "card": made["card"], "merchant": "shop", "created": time.time()}
        assert client.dispute({**about, "id": "d1", "reason": "fraudulent"}) == "d1"
        assert client.outcome({**about, "id": "o1", "outcome": "authorized"}) == "o1"
        with pytest.raises(ApiError, match="422 Unprocessable Entity: amount: expected") as refused:
            client.score(charge("2", amount=-1))
        assert refused.value.problem.field == "amount"
    with ApiClient(url, "cw_wrong") as other, pytest.raises(ApiError, match="401 Unauthorized"):
        other.score(made)
    with ApiClient(url, token, deadline_ms=1) as hasty:
        again = hasty.score(made)
        assert again == replace(answer, took_ms=again.took_ms)
    replica.kill()
    with ApiClient(url, token) as gone, pytest.raises(OSError, match="refused"):
        gone.score(made)


def test_what_is_under_way_is_answered_when_a_replica_stops(gateway: Gateway) -> None:
    replica = gateway.replica()
    replies: list[Reply] = []
    requests = [charge_request(charge(number), deadline_ms=PATIENT_MS) for number in range(50)]
    sending = Thread(target=lambda: replies.extend(HttpLoad(replica.port).run(requests, 0)))
    sending.start()
    _wait_for(lambda: replica.metric("chargewatch_api_in_flight") == 50)
    assert replica.stop() == 0
    sending.join()
    assert [(reply.status, reply.json["source"]) for reply in replies] == [(200, "fallback")] * 50
    assert len(gateway.outcomes()) == 50


def _wait_for(met: Any) -> None:
    deadline = time.monotonic() + 60.0
    while not met():
        assert time.monotonic() < deadline, "what was waited for has not come"
        time.sleep(0.05)
