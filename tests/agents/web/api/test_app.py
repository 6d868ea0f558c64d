"""Requests as clients make them: who may make which, what is refused, and in which words."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import orjson
import pytest

from agents.settings.schema import Settings
from agents.web.api.keys import revoked
from schemas.api_keys import SCOPES, encode_api_key
from tests.agents.web.api.replica import CHARGE, DISPUTE, OUTCOME, Answered, App
from tests.agents.web.api.virtual_loop import run
from tests.docs.exported import lacking

if TYPE_CHECKING:
    from schemas.api_keys import Scope

CALLS: dict[tuple[str, str], tuple[Scope, dict[str, Any] | None]] = {
    ("POST", "/v1/charges"): ("charges", CHARGE),
    ("POST", "/v1/disputes"): ("labels", DISPUTE),
    ("POST", "/v1/outcomes"): ("labels", OUTCOME),
    ("GET", "/v1/charges/c1"): ("read", None),
    ("GET", "/v1/rules/*"): ("read", None),
    ("PUT", "/v1/rules/*"): ("rules", {"text": ""}),
    ("GET", "/v1/lists/blocked/tok_1"): ("read", None),
    ("PUT", "/v1/lists/blocked/tok_1"): ("rules", {}),
    ("GET", "/v1/merchants/shop"): ("read", None),
    ("PUT", "/v1/merchants/shop"): ("rules", {}),
}
OPEN = ("/healthz", "/readyz", "/metrics", "/openapi.json")


def charge(**changed: object) -> bytes:
    return orjson.dumps({**CHARGE, **changed})


def test_each_call_needs_its_own_scope_and_no_other() -> None:
    async def play() -> None:
        app = App()
        tokens = {scope: app.add_key(scope)[1] for scope in SCOPES}  # type: ignore[arg-type]
        for (method, path), (needed, body) in CALLS.items():
            payload = b"" if body is None else orjson.dumps(body)
            for scope, token in tokens.items():
                got = await app.ask(method, path, payload, token)
                expected = {200, 202} if scope == needed else {403}
                assert got.status in expected, (method, path, scope, got.body)
                if scope != needed:
                    assert f"no scope '{needed}'" in got.json["detail"]

    run(play())


def test_what_is_no_key_in_force_opens_nothing() -> None:
    async def play() -> None:
        app = App()
        record, token = app.add_key(*SCOPES)  # type: ignore[arg-type]
        wrong = ["", token[:-1] + "x", token.upper(), "x", "cw_000000000000_" + "0" * 64]
        for (method, path), (_, body) in CALLS.items():
            payload = b"" if body is None else orjson.dumps(body)
            for each in wrong:
                got = await app.ask(method, path, payload, each)
                assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer")
            basic = await app.ask(
                method, path, payload, headers=[("authorization", f"Basic {token}")]
            )
            assert basic.status == 401
        for path in OPEN:
            assert (await app.ask("GET", path)).status == 200
        assert (await app.ask("POST", "/v1/charges", charge(), token)).status == 200
        gone = encode_api_key(revoked(record, record.id, 1.75e9))
        app.link.keys.take(record.id.encode(), gone)
        # The last key is gone, and nothing is open to anybody for that.
        for each in (token, ""):
            assert (await app.ask("POST", "/v1/charges", charge(), each)).status == 401

    run(play())


@pytest.mark.parametrize(
    ("client", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8080", 200),
        ("127.0.0.1", "localhost", 200),
        ("::1", "[::1]:8080", 200),
        ("::ffff:127.0.0.1", "LOCALHOST:8080", 200),
        ("10.0.0.7", "127.0.0.1:8080", 401),
        ("::ffff:10.0.0.7", "localhost", 401),
        ("127.0.0.1", "evil.example:8080", 401),
        ("127.0.0.1", "", 401),
    ],
)
def test_without_keys_it_is_open_to_this_machine_alone(client: str, host: str, status: int) -> None:
    async def play() -> Answered:
        return await App().ask("POST", "/v1/charges", charge(), client=client, host=host)

    assert run(play()).status == status


def test_a_key_has_so_many_requests_a_second_and_others_have_theirs() -> None:
    async def play() -> None:
        app = App(Settings(api_rate_limit_per_s=5.0))
        _, one = app.add_key("labels")
        _, other = app.add_key("labels")
        got = [await app.ask("POST", "/v1/disputes", orjson.dumps(DISPUTE), one) for _ in range(8)]
        assert [each.status for each in got] == [202] * 5 + [429] * 3
        assert got[-1].headers["retry-after"] == "1"
        assert (await app.ask("POST", "/v1/disputes", orjson.dumps(DISPUTE), other)).status == 202

    run(play())


def test_answers_are_as_their_schemas_say() -> None:
    async def play() -> None:
        app = App()
        document = (await app.ask("GET", "/openapi.json")).json
        answer = document["paths"]["/v1/charges"]["post"]["responses"]["200"]
        schema = {**answer["content"]["application/json"]["schema"]}
        schema["components"] = document["components"]
        app.world.works = False
        fallback = (await app.ask("POST", "/v1/charges", charge())).json
        jsonschema.validate(fallback, schema)
        assert fallback.pop("took_ms") > 200
        assert fallback == {
            "charge": "c1", "card": "tok_1", "merchant": "shop", "amount": 1999, "currency": "usd",
            "created": 1.75e9, "action": "review", "source": "fallback",
        }  # fmt: skip
        app.world.works = True
        scored = (await app.ask("POST", "/v1/charges", charge(id="c2"))).json
        assert scored["source"] == "scored"
        assert scored["action"] == "block"
        assert 30 <= scored["took_ms"] <= 80
        accepted = await app.ask("POST", "/v1/outcomes", orjson.dumps(OUTCOME))
        assert (accepted.status, accepted.json) == (202, {"id": "o1"})
        assert app.link.sent == [("outcomes", b"tok_1", orjson.dumps(OUTCOME))]

    run(play())


def test_the_document_names_every_call_with_its_scope() -> None:
    async def play() -> None:
        document = (await App().ask("GET", "/openapi.json")).json
        assert document["openapi"] == "3.1.0"
        found = {
            (method.upper(), path): operation.get("security", [{"key": [None]}])[0]["key"][0]
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }
        filled = {
            (method, path.replace("*", "{merchant}").replace("shop", "{merchant}")
                         .replace("blocked/tok_1", "{list}/{value}").replace("c1", "{id}")): scope
            for (method, path), (scope, _) in CALLS.items()
        }  # fmt: skip
        assert found == {**filled, **{("GET", path): None for path in OPEN}}
        page = Path("agents/web/api/README.md").read_text(encoding="utf-8")
        assert [path for path in document["paths"] if f"{path}`" not in page] == []
        for reference in _references(document):
            *_, name = reference.split("/")
            assert name in document["components"]["schemas"]

    run(play())


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for child in node.values() for each in _references(child)]
    if isinstance(node, list):
        return [each for child in node for each in _references(child)]
    return []


@pytest.mark.parametrize(
    ("path", "body", "field", "reason"),
    [
        ("/v1/charges", b"", "payload", "json"),
        ("/v1/charges", b"{", "payload", "json"),
        ("/v1/charges", b"[1]", "payload", "json"),
        ("/v1/charges", b"\xff\xfe", "payload", "json"),
        ("/v1/charges", b'{"a":' * 10_000, "payload", "nesting"),
        ("/v1/charges", charge(amount=-1), "amount", "range"),
        ("/v1/charges", charge(amount=19.99), "amount", "type"),
        ("/v1/charges", charge(card=None), "card", "missing"),
        ("/v1/charges", charge(card="4242424242424242"), "card", "card_number"),
        ("/v1/charges", charge(created=9e9), "created", "future"),
        ("/v1/charges", charge(currency="zzz"), "currency", "range"),
        ("/v1/charges", b'{"id":"\\ud800"}', "payload", "json"),
        ("/v1/disputes", orjson.dumps({**DISPUTE, "reason": None}), "reason", "missing"),
        ("/v1/outcomes", orjson.dumps({**OUTCOME, "outcome": "answered"}), "action", "missing"),
        ("/v1/outcomes", orjson.dumps({**OUTCOME, "outcome": "paid"}), "outcome", "range"),
    ],
)
def test_what_is_no_event_is_refused_by_the_field_as_workers_would(
    path: str, body: bytes, field: str, reason: str
) -> None:
    async def play() -> None:
        app = App()
        got = await app.ask("POST", path, body)
        assert got.status == 422
        assert got.headers["content-type"] == "application/problem+json"
        problem = got.json
        assert (problem["field"], problem["reason"]) == (field, reason)
        assert problem["detail"].startswith(f"{field}: ")
        assert b"4242" not in got.body
        assert not app.link.sent
        assert not app.world.charges

    run(play())


@pytest.mark.parametrize("deadline", ["0", "-1", "10001", "1e3", "fast", "", "\xb2", "9" * 5000])
def test_a_deadline_that_cannot_be(deadline: str) -> None:
    async def play() -> None:
        headers = [("Chargewatch-Deadline-Ms", deadline)]
        got = await App().ask("POST", "/v1/charges", charge(), headers=headers)
        assert got.status == 422
        assert got.json["field"] == "Chargewatch-Deadline-Ms"

    run(play())


def test_a_deadline_is_kept() -> None:
    async def play() -> None:
        app = App()
        app.world.works = False
        for deadline_ms in (40, 1000, 3000):
            headers = [("Chargewatch-Deadline-Ms", str(deadline_ms))]
            body = charge(id=f"c{deadline_ms}", card="t")
            app.replica.desk.lag = type(app.replica.desk.lag)()
            got = await app.ask("POST", "/v1/charges", body, headers=headers)
            assert got.json["source"] == "fallback"
            assert deadline_ms / 2 <= got.json["took_ms"] <= deadline_ms + 15

    run(play())


def test_large_bodies_are_refused_without_reading_them() -> None:
    async def play() -> None:
        app = App()
        told = await app.ask("POST", "/v1/charges", headers=[("content-length", str(10**8))])
        assert (told.status, told.json["reason"]) == (413, "too_large")
        assert told.headers["connection"] == "close"
        assert app.read_bytes == 0
        chunked = await app.ask("POST", "/v1/charges", [b"x" * 10_000] * 10_000)
        assert chunked.status == 413
        assert app.read_bytes < 100_000
        edge = charge(note="x" * (64 * 1024 - len(charge(note=""))))
        assert len(edge) == 64 * 1024
        assert (await app.ask("POST", "/v1/charges", edge)).status == 200
        assert (await app.ask("POST", "/v1/charges", edge + b" ")).status == 413

    run(play())


def test_other_media_types_paths_and_methods() -> None:
    async def play() -> None:
        app = App()
        form = await app.ask(
            "POST", "/v1/charges", charge(), headers=[("content-type", "text/plain")]
        )
        assert (form.status, form.json["field"]) == (415, "Content-Type")
        for path in ("/", "/v1", "/v1/charges/", "/v1/charges/c2", "/docs", "/v1/lists/a"):
            got = await app.ask("GET", path)
            assert (got.status, got.json["status"]) == (404, 404)
        wrong = await app.ask("DELETE", "/v1/rules/*")
        assert wrong.status == 405
        assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD", "PUT"}
        assert wrong.headers["content-type"] == "application/problem+json"

    run(play())


def test_brokers_that_are_away() -> None:
    async def play() -> None:
        app = App()
        app.link.is_away = app.world.is_away = True
        for path, body in (("/v1/charges", charge()), ("/v1/disputes", orjson.dumps(DISPUTE))):
            got = await app.ask("POST", path, body)
            assert (got.status, got.json["accepted"], got.headers["retry-after"]) == (
                503,
                "no",
                "1",
            )
        assert (await app.ask("GET", "/readyz")).status == 503
        assert (await app.ask("GET", "/healthz")).status == 200

    run(play())


def test_metrics_tell_how_far_the_read_model_is_behind() -> None:
    async def play() -> None:
        app = App()
        for is_there, is_up_to_date in ((True, True), (True, False), (False, True)):
            app.lookup.is_there, app.lookup.is_up_to_date = is_there, is_up_to_date
            text = (await app.ask("GET", "/metrics")).body.decode()
            [value] = re.findall(r"\nchargewatch_read_model_behind_seconds (\S+)", text)
            assert (float(value) < 30.0) == (is_there and is_up_to_date)
        assert lacking(text, "agents/web/api/README.md") == set()

    run(play())


def test_a_mistake_of_ours_is_logged_and_told_without_its_cause(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> Answered:
        app = App()

        async def fail(_: object) -> None:
            raise RuntimeError("secret of the house")

        monkeypatch.setattr(app.replica.desk, "answer", fail)
        return await app.ask("POST", "/v1/charges", charge())

    got = run(play())
    assert got.status == 500
    assert b"secret" not in got.body
    assert "secret of the house" in caplog.text


def test_no_key_token_or_number_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> list[str]:
        app = App()
        _, token = app.add_key(*SCOPES)  # type: ignore[arg-type]
        secrets = [token, token.rpartition("_")[2], "tok_secret", "4242424242424242", "shop_secret"]
        bodies = [
            charge(card="tok_secret", merchant="shop_secret"),
            charge(amount="tok_secret"),
            charge(card="4242424242424242"),
            b"{",
        ]
        for body in bodies:
            await app.ask("POST", "/v1/charges", body, token)
        for path in ("/v1/lists/a/tok_secret", "/v1/rules/shop_secret", "/tok_secret"):
            await app.ask("GET", path, b"", token)
        await app.ask("POST", "/v1/charges", charge(), token + "tok_secret")
        return secrets

    with caplog.at_level(logging.DEBUG):
        secrets = run(play())
    lines = [record.getMessage() for record in caplog.records if record.name != "asyncio"]
    assert len(lines) >= 7
    assert [s for s in secrets if s in json.dumps(lines)] == []
