"""Charges that are looked up: told of, and found for disputes and outcomes that name them alone."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import jsonschema
import orjson
import pytest

from agents.web.api.charge_lookup import ChargeLookup
from agents.web.read_model.database import ReadModel, ReadModelError
from tests.agents.web.api.replica import DISPUTE, OUTCOME, SCORED, App
from tests.agents.web.api.virtual_loop import run
from tests.agents.web.read_model.building import build
from tests.agents.web.read_model.databases import sqlite_url
from tests.agents.web.read_model.made import make
from tests.agents.web.read_model.reference import charges_in

if TYPE_CHECKING:
    from pathlib import Path

ALONE = ("card", "merchant")


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


def test_a_charge_is_told_as_its_schema_says() -> None:
    async def play() -> None:
        app = App()
        got = await app.ask("GET", "/v1/charges/c1")
        assert got.status == 200
        document = (await app.ask("GET", "/openapi.json")).json
        answer = document["paths"]["/v1/charges/{id}"]["get"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"]
        jsonschema.validate(got.json, {**schema, "components": document["components"]})
        assert got.json == {
            "scored": SCORED, "outcomes": [OUTCOME | {"by": "ann"}], "disputes": [DISPUTE],
        }  # fmt: skip

    run(play())


@pytest.mark.parametrize("charge", ["c2", "c1/", "a/b", "%00", "é", "x" * 3000, "' OR 1=1 --"])
def test_a_charge_that_is_not_known(charge: str) -> None:
    async def play() -> None:
        got = await App().ask("GET", f"/v1/charges/{charge}")
        assert (got.status, got.json["status"]) == (404, 404)

    run(play())


@pytest.mark.parametrize(("is_there", "is_up_to_date"), [(False, True), (True, False)])
def test_a_read_model_that_is_away_or_behind(*, is_there: bool, is_up_to_date: bool) -> None:
    async def play() -> None:
        app = App()
        app.lookup.is_there, app.lookup.is_up_to_date = is_there, is_up_to_date
        for charge in ("c1", "c2"):
            got = await app.ask("GET", f"/v1/charges/{charge}")
            assert (got.status, got.headers["retry-after"]) == (503, "5")
            assert "read model" in got.json["detail"]

    run(play())


@pytest.mark.parametrize("missing", [("card", "merchant"), ("card",), ("merchant",)])
@pytest.mark.parametrize(("path", "event"), [("disputes", DISPUTE), ("outcomes", OUTCOME)])
def test_what_names_its_charge_alone_is_completed(
    path: str, event: dict[str, Any], missing: tuple[str, ...]
) -> None:
    async def play() -> None:
        for nulled in ({}, dict.fromkeys(missing)):
            app = App()
            sent = orjson.dumps(without(event, *missing) | nulled | {"own": 1.50})
            got = await app.ask("POST", f"/v1/{path}", sent + b" \n")
            assert (got.status, got.json) == (202, {"id": event["id"]})
            ((topic, key, value),) = app.link.sent
            assert (topic, key) == (path, b"tok_1")
            assert orjson.loads(value) == event | {"own": 1.5}
            assert value.startswith(sent.removesuffix(b"}"))

    run(play())


def test_what_names_an_unknown_charge_alone_is_refused_and_says_so() -> None:
    async def play() -> None:
        app = App()
        unknown = orjson.dumps(without(DISPUTE, *ALONE) | {"charge": "c2"})
        got = await app.ask("POST", "/v1/disputes", unknown)
        assert (got.status, got.json["reason"], got.json["field"]) == (
            422, "unknown_charge", "charge",
        )  # fmt: skip
        assert "none of this id" in got.json["detail"]
        app.lookup.is_up_to_date = False
        got = await app.ask("POST", "/v1/disputes", unknown)
        assert (got.status, got.json["accepted"]) == (503, "no")
        known = orjson.dumps(without(DISPUTE, *ALONE))
        assert (await app.ask("POST", "/v1/disputes", known)).status == 202
        app.lookup.is_there = False
        got = await app.ask("POST", "/v1/disputes", known)
        assert (got.status, got.json["field"], got.json["reason"]) == (422, "card", "missing")
        assert len(app.link.sent) == 1

    run(play())


def test_the_description_lets_a_label_name_its_charge_alone() -> None:
    async def play() -> None:
        document = (await App().ask("GET", "/openapi.json")).json
        for path, event in (("disputes", DISPUTE), ("outcomes", OUTCOME)):
            taken = document["paths"][f"/v1/{path}"]["post"]["requestBody"]
            schema = taken["content"]["application/json"]["schema"]
            checked = {**schema, "components": document["components"]}
            jsonschema.validate(without(event, *ALONE), checked)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(without(event, "charge"), checked)

    run(play())


def test_a_real_read_model_is_asked(tmp_path: Path) -> None:
    random = Random(3)
    made = make(random, 60)
    url = sqlite_url(tmp_path)
    missing = ReadModel(url)
    with pytest.raises(ReadModelError):
        asyncio.run(ChargeLookup(missing).find("c1"))
    read_model = build(url, made, random)
    for (charge, _), known in charges_in(made).items():
        view, is_up_to_date = asyncio.run(ChargeLookup(read_model).find(charge))
        assert view is not None
        assert view.line.charge == charge
        assert not is_up_to_date, "nobody has said that all is in"
        assert known.scored["charge"] == charge
    read_model.close()
    missing.close()
