"""An installation with an API before it: topics, workers, replicas, and a balancer."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, suppress
from itertools import cycle
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import orjson

from agents.settings.schema import Settings
from agents.web.api.key_topic import KeyTopic
from agents.web.api.keys import new_key, revoked
from schemas.api_keys import SCOPES
from streams.kafka.config import Admin
from streams.kafka.topics import Topics, ensure_topics
from tests.integration.http_load import HttpLoad, Reply, request
from tests.integration.worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from schemas.api_keys import ApiKey, Scope
    from tests.integration.kafka import Kafka

PARTITIONS = 2


class Gateway:
    """Topics of its own, and what runs on them until it ends."""

    def __init__(self, kafka: Kafka, prefix: str, directory: Path) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.directory = directory
        self.env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
            "CHARGEWATCH_SESSION_TIMEOUT_MS": "6000",
        }
        self.processes: list[WorkerProcess] = []
        self._running = ExitStack()
        ensure_topics(Admin(kafka.config), self.topics, PARTITIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.__exit__(kind, error, trace)

    def worker(self, **env: str) -> WorkerProcess:
        return self._start("worker", env)

    def replica(self, **env: str) -> WorkerProcess:
        return self._start("serve", env)

    def console(self, **env: str) -> WorkerProcess:
        return self._start("console", env)

    def _start(self, verb: str, env: dict[str, str]) -> WorkerProcess:
        directory = self.directory / f"{verb}-{len(self.processes)}"
        made = WorkerProcess(directory, self.env | env, verb=verb)
        self.processes.append(self._running.enter_context(made))
        made.wait_until_ready()
        return made

    @property
    def keys(self) -> KeyTopic:
        servers, prefix = self.kafka.bootstrap_servers, self.topics.prefix
        return KeyTopic(Settings(bootstrap_servers=servers, topic_prefix=prefix))

    def add_key(self, *scopes: Scope) -> tuple[ApiKey, str]:
        record, token = new_key("test", scopes or SCOPES, "ann", time.time())  # type: ignore[arg-type]
        self.keys.edit(lambda _: record)
        return record, token

    def revoke(self, key: ApiKey) -> None:
        self.keys.edit(lambda ring: revoked(ring.records[key.id], key.id, time.time()))

    def scored(self) -> dict[str, list[dict[str, Any]]]:
        """Return all scored events by charge."""
        return self._by_charge(self.topics.scored)

    def scored_of(self, charge: str) -> list[dict[str, Any]]:
        """Wait until a charge is scored, and return its scored events."""
        deadline = time.monotonic() + 60.0
        while charge not in (found := self.scored()):
            assert time.monotonic() < deadline, charge
            time.sleep(0.05)
        return found[charge]

    def outcomes(self) -> dict[str, list[dict[str, Any]]]:
        """Return all outcomes by charge."""
        return self._by_charge(self.topics.outcomes)

    def wait_until_scored(self, count: int) -> None:
        """Wait until so many charges are scored."""
        self.kafka.consume(self.topics.scored, count)

    def _by_charge(self, topic: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for message in self.kafka.read_all(topic):
            event = orjson.loads(message.value() or b"")
            found.setdefault(event["charge"], []).append(event)
        return found

    def logs(self) -> str:
        return "".join(process.text() for process in self.processes)


def charge(number: int | str, **changed: object) -> dict[str, Any]:
    return {
        "id": f"ch_{number}", "created": time.time(), "amount": 1999, "currency": "usd",
        "card": f"tok_{number}", "merchant": "shop", **changed,
    }  # fmt: skip


def charge_request(body: dict[str, Any], token: str = "", deadline_ms: int | None = None) -> bytes:
    headers = f"Chargewatch-Deadline-Ms: {deadline_ms}\r\n" if deadline_ms else ""
    return request("POST", "/v1/charges", orjson.dumps(body), token, headers)


def ask(port: int, *requests: bytes) -> list[Reply]:
    """Make requests one after the other."""
    return [HttpLoad(port).run([each], 0)[0] for each in requests]


class Balancer:
    """Connects each new connection to the next of some ports, and knows nothing of HTTP."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = cycle(ports)
        self._started = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        async with server:
            await self._stopping.wait()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", next(self._ports))
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        finally:  # also when it is closed in between
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
