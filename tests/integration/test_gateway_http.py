"""The API as a server: hostile clients, TLS, edits by version, and its description tried out."""

from __future__ import annotations

import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.merchants import decode_merchant
from tests.agents.web.read_model.databases import sqlite_url
from tests.integration.follower import FollowerProcess, wait_until_fresh
from tests.integration.gateway import Gateway, ask, charge, charge_request
from tests.integration.http_load import HttpLoad, request
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.kafka import Kafka


HOST = "127.0.0.1"


@pytest.fixture
def gateway(kafka: Kafka, prefix: str, tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(kafka, prefix, tmp_path) as made:
        yield made


def connected(port: int, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection((HOST, port), timeout=20)
    made.sendall(sent)
    return made


def answer_to(port: int, sent: bytes) -> bytes:
    """Return all that comes back until the connection is closed."""
    with connected(port) as made:
        with suppress(OSError):  # it may be refused by now; what was said is there to be read
            made.sendall(sent)
        return _rest(made)


def _rest(made: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionResetError):
        while part := made.recv(65536):
            found += part
    return found


def memory_mb(replica: WorkerProcess) -> float:
    status = Path(f"/proc/{replica.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_slow_half_open_and_hostile_clients_hold_nobody_up(gateway: Gateway) -> None:
    replica = gateway.replica()
    port = replica.port
    ask(port, *(charge_request(charge(f"warm-{number}")) for number in range(5)))
    before_mb = memory_mb(replica)
    head = b"POST /v1/charges HTTP/1.1\r\nHost: localhost\r\n"
    silent = [connected(port) for _ in range(50)]
    halves = [connected(port, head) for _ in range(50)]
    bodies = [connected(port, head + b"Content-Length: 1000\r\n\r\n{") for _ in range(50)]
    began = time.monotonic()
    requests = [charge_request(charge(number), deadline_ms=1000) for number in range(50)]
    served = HttpLoad(port).run(requests, 50)
    assert {reply.status for reply in served} == {200}
    assert max(reply.took_s for reply in served) < 1.25
    assert all(b" 408 " in _rest(made).partition(b"\r\n")[0] for made in halves + bodies)
    assert 5.0 < time.monotonic() - began < 25.0
    for made in (*silent, *halves, *bodies):
        made.close()
    refused = {
        b"413": head + b"Content-Length: 100000000\r\n\r\n" + b"x" * 20_000_000,
        b"431": head + b"X-Long: " + b"y" * 20_000_000,
        b"400": b"\x16\x03\x01" + os.urandom(1000).replace(b"\n", b"\r"),
        b"404": b"GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n\r\n",
    }
    for status, sent in refused.items():
        first, *_ = answer_to(port, sent).split(b"\r\n")
        assert first.startswith(b"HTTP/1.1 " + status), (status, first)
    chunks = b"10000\r\n" + b"z" * 65536 + b"\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks * 200
    assert answer_to(port, chunked).startswith(b"HTTP/1.1 413")
    assert memory_mb(replica) - before_mb < 60
    assert replica.page("/healthz")[0] == 200
    assert "Traceback" not in replica.text()


def test_ten_thousand_requests_at_once(gateway: Gateway) -> None:
    """As many as there may be open files: all get an answer that is documented, and others do."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = 10_000 if most == resource.RLIM_INFINITY or most > 21_000 else most // 2 - 500
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * count + 1000), most))
    try:
        replica = gateway.replica()
        before_mb = memory_mb(replica)
        requests = [charge_request(charge(number), deadline_ms=10_000) for number in range(count)]
        replies = HttpLoad(replica.port).run(requests, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, soft)
    statuses = {reply.status for reply in replies}
    assert statuses <= {200, 429, 503}, statuses
    assert sum(reply.status == 200 for reply in replies) >= 10  # as many as the machine can by then
    assert memory_mb(replica) - before_mb < 250
    [after] = ask(replica.port, charge_request(charge("after"), deadline_ms=5000))
    assert after.status == 200
    answered = {reply.json["charge"] for reply in replies if reply.status == 200}
    assert answered <= gateway.outcomes().keys()


def test_edits_name_the_version_that_they_were_made_from(gateway: Gateway) -> None:
    port = gateway.replica().port
    for path, first, other in (
        ("/v1/rules/*", {"text": "review if :amount: > 5"}, {"text": "", "note": "none"}),
        ("/v1/merchants/m%2F1", {"block_at": 90, "costs": {"margin_share": 0.5}},
         {"costs": {"review_cost_usd": 2.0}, "fallback": "review"}),
        ("/v1/lists/nets/10.0.0.0%2F8", {"from": 5.0}, {"until": 9e9}),
    ):  # fmt: skip
        assert ask(port, request("GET", path))[0].status == 404
        new = "If-None-Match: *\r\n"
        put = [request("PUT", path, orjson.dumps(first), "", new)] * 2
        assert [reply.status for reply in ask(port, *put)] == [200, 412]
        [got] = ask(port, request("GET", path))
        assert got.json["version"] == 1
        assert first.items() <= got.json.items()
        tagged = [
            request("PUT", path, orjson.dumps(other), "", f"If-Match: {tag}\r\n")
            for tag in ('"7"', 'W/"1"', '"1"', '"1"', "*", '"9", "3"')
        ]
        statuses = [reply.status for reply in ask(port, *tagged)]
        assert statuses == [412, 412, 200, 412, 200, 200]
        [end] = ask(port, request("GET", path))
        assert end.json["version"] == 4
        assert other.items() <= end.json.items()
        assert ask(port, request("PUT", path, got.body))[0].status == 200  # as it was read
    messages = gateway.kafka.read_all(gateway.topics.merchants)
    records = [decode_merchant(message.value() or b"") for message in messages]
    assert [(each.merchant, each.version, each.block_at, each.fallback) for each in records] == [
        ("m/1", 1, 90, None), ("m/1", 2, None, "review"), ("m/1", 3, None, "review"),
        ("m/1", 4, None, "review"), ("m/1", 5, 90, None),
    ]  # fmt: skip
    assert records[-1].costs == {"margin_share": 0.5}
    refused = [
        ("/v1/rules/*", b'{"text":"block if :amout: > 5"}', "text"),
        ("/v1/rules/*", b'{"text":5}', "text"),
        ("/v1/rules/*", b"[]", "body"),
        ("/v1/rules/*", b'{"text":"","merchant":"m1"}', "merchant"),
        ("/v1/merchants/m1", b'{"block_att":90}', "body"),
        ("/v1/merchants/m1", b'{"block_at":900}', "block_at"),
        ("/v1/merchants/m1", b'{"costs":{"margn_share":1}}', "costs"),
        ("/v1/lists/a%20b/v", b"{}", None),
        ("/v1/lists/cards/4242424242424242", b"{}", None),
        ("/v1/lists/cards/v", b'{"from":9,"until":5}', None),
    ]
    for path, body, field in refused:
        [reply] = ask(port, request("PUT", path, body))
        assert reply.status == 422, (path, body, reply)
        assert field is None or reply.json["field"] == field, reply
        assert b"4242424242424242" not in reply.body


def test_tls_from_files(gateway: Gateway, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    _, token = gateway.add_key("charges")
    directory = gateway.directory / "tls"
    env = {"CHARGEWATCH_API_TLS_CERT": str(cert), "CHARGEWATCH_API_TLS_KEY": str(key)}

    with WorkerProcess(directory, gateway.env | env, verb="serve") as replica:
        context = ssl.create_default_context(cafile=str(cert))
        deadline = time.monotonic() + 60
        while True:
            try:
                raw = socket.create_connection((HOST, replica.port), timeout=20)
                break
            except OSError:
                assert time.monotonic() < deadline, replica.text()
                time.sleep(0.1)
        with context.wrap_socket(raw, server_hostname="localhost") as made:
            made.sendall(charge_request(charge(1), token))
            assert made.recv(65536).startswith(b"HTTP/1.1 200")
        assert answer_to(replica.port, charge_request(charge(2), token)) == b""  # no TLS


def test_its_description_is_true(gateway: Gateway) -> None:
    """Schemathesis asks what the document allows and what it does not: no 500, nothing unknown."""
    gateway.worker()
    _, token = gateway.add_key()
    url = sqlite_url(gateway.directory)
    replica = gateway.replica(
        CHARGEWATCH_API_RATE_LIMIT_PER_S="0", CHARGEWATCH_READ_MODEL_URL=str(url)
    )
    document = orjson.loads(replica.page("/openapi.json")[1])
    # Schemathesis 4.32 takes the `prefixItems` of a tuple for an error: these two are alike.
    pair = document["components"]["schemas"]["ListEntry"]["properties"]["earlier"]["items"]
    pair["items"], _ = pair.pop("prefixItems")
    file = gateway.directory / "openapi.json"
    file.write_bytes(orjson.dumps(document))
    log = gateway.directory / "follower"
    with FollowerProcess(gateway.kafka, gateway.topics.prefix, url, log):
        wait_until_fresh(url, time.time())
        found = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"), "run", file,
                "--url", f"http://{HOST}:{replica.port}",
                "--header", f"Authorization: Bearer {token}",
                "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,"
                "response_headers_conformance,response_schema_conformance,unsupported_method",
                "--phases", "examples,coverage,fuzzing",
                "--max-examples", "5", "--seed", "1", "--no-color", "--request-timeout", "40",
            ],
            capture_output=True, text=True, check=False, cwd=gateway.directory,
        )  # fmt: skip
    assert found.returncode == 0, found.stdout[-6000:]
    assert "14 passed" in found.stdout, found.stdout[-6000:]
    assert "Traceback" not in replica.text()
    assert token.rpartition("_")[2] not in replica.text()
