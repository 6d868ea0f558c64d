"""The application of a replica without Kafka and without a server: called as a server calls it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, cast

import orjson

from agents.settings.schema import Settings
from agents.web.api.access import Access
from agents.web.api.app import create_app
from agents.web.api.charge_lookup import ChargeLookup
from agents.web.api.endpoints import json_response
from agents.web.api.events import EventCalls
from agents.web.api.keys import KeyRing, new_key
from agents.web.api.sender import Delivered
from agents.web.read_model.database import ReadModelError
from agents.web.read_model.queries.charge_view import ChargeView
from agents.web.read_model.queries.lines import ChargeLine
from schemas.api_keys import ApiKey, encode_api_key
from streams.kafka.clients import Clients
from streams.kafka.topics import Topics
from tests.agents.web.api.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.responses import Response

    from agents.web.api.calls import Call
    from agents.web.api.sender import Delivery
    from schemas.api_keys import Scope

CHARGE = {
    "id": "c1", "created": 1.75e9, "amount": 1999, "currency": "usd", "card": "tok_1",
    "merchant": "shop",
}  # fmt: skip
DISPUTE = {
    "id": "d1", "charge": "c1", "card": "tok_1", "merchant": "shop", "created": 1.75e9,
    "reason": "fraudulent",
}  # fmt: skip
OUTCOME = {
    "id": "o1", "charge": "c1", "card": "tok_1", "merchant": "shop", "created": 1.75e9,
    "outcome": "authorized",
}  # fmt: skip

SCORED = {
    "charge": "c1", "card": "tok_1", "merchant": "shop", "amount": 1999, "currency": "usd",
    "created": 1.75e9, "score": 0.01, "risk": 7, "action": "allow", "reasons": [],
    "model": "prior", "scored_at": 1.75e9, "decided_by": "model", "order": "of the shop's own",
}  # fmt: skip
LINE = ChargeLine(
    charge="c1", card="tok_1", merchant="shop", created=1.75e9, amount=1999, currency="usd",
    usd=19.99, score=0.01, risk=7, action="allow", decided_by="model", given="allow", verdict="",
    is_disputed=True, claimed_by=None, claimed_until=None,
)  # fmt: skip
VIEW = ChargeView(LINE, SCORED, 1.75e9, {}, (OUTCOME | {"by": "ann"},), (DISPUTE,), ())


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class _Policy:
    """Stands for the calls that need Kafka: they answer, and that is all."""

    def __getattr__(self, name: str) -> Callable[[Call], Any]:
        async def answer(_: Call) -> Response:
            return json_response(b"{}")

        answer.__name__ = name
        return answer


class KnownCharges(ChargeLookup):
    """Stands for a read model that has one charge, c1; or for one that is behind, or not there."""

    def __init__(self) -> None:
        self.is_there = self.is_up_to_date = True

    async def find(self, charge: str) -> tuple[ChargeView | None, bool]:
        if not self.is_there:
            raise ReadModelError("there is no read model to ask")
        found = VIEW if charge == CHARGE["id"] else None
        return found, self.is_up_to_date

    async def fresh_as_of(self) -> float | None:
        if not self.is_there:
            raise ReadModelError("there is no read model to ask")
        return time.time() if self.is_up_to_date else None


class _Link:
    """The way to Kafka, which takes everything."""

    topics = Topics()
    is_away = False

    def __init__(self) -> None:
        self.clients = Clients({})
        self.keys = KeyRing()
        self.sent: list[tuple[str, bytes, bytes]] = []

    def send(self, topic: str, card: bytes, value: bytes, told: Callable[[Delivery], None]) -> None:
        self.sent.append((topic, card, value))
        asyncio.get_running_loop().call_later(0.002, told, Delivered(0))


class App:
    """A replica's application; made on a running loop."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.world = World(Random(1))
        self.link = cast("Any", _Link())
        self.replica = self.world.replica()
        self.replica.world = self.world
        clock = asyncio.get_running_loop().time
        self.lookup = KnownCharges()
        events = EventCalls(settings, self.link, self.replica.desk, self.lookup, clock)
        access = Access(self.link.keys, settings.api_rate_limit_per_s, clock)
        policy = cast("Any", _Policy())
        self.app = create_app(
            (events, self.lookup, policy),
            self.link,
            self.replica.desk,
            access,
            settings.api_body_bytes_max,
            clock,
        )

    def add_key(self, *scopes: Scope) -> tuple[ApiKey, str]:
        record, token = new_key("test", scopes, "ann", 1.75e9)
        self.link.keys.take(record.id.encode(), encode_api_key(record))
        return record, token

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        token: str = "",
        headers: Iterable[tuple[str, str]] = (),
        client: str = "127.0.0.1",
        host: str = "127.0.0.1:8080",
    ) -> Answered:
        """Make a request; a body in several parts is sent in chunks."""
        parts = [body] if isinstance(body, bytes) else list(body)
        given = {"host": host, "content-type": "application/json", **dict(headers)}
        if isinstance(body, bytes):
            given.setdefault("content-length", str(len(body)))
        else:
            given["transfer-encoding"] = "chunked"
        if token:
            given["authorization"] = f"Bearer {token}"
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in given.items()],
            "client": (client, 5000), "server": ("127.0.0.1", 8080),
        }  # fmt: skip
        self.read_bytes = 0
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            part = parts.pop(0) if parts else b""
            self.read_bytes += len(part)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answered(sent[0]["status"], told, b"".join(m["body"] for m in sent[1:]))
