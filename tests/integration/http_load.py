"""Requests on a schedule, in an open loop: what a replica that falls behind makes wait is seen."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request: status 0 where the connection ended before an answer was there.

    Attributes
    ----------
    took_s
        From when it was to be sent.
    """

    status: int
    body: bytes
    took_s: float

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


def request(method: str, path: str, body: bytes = b"", token: str = "", headers: str = "") -> bytes:
    """Return the bytes of a request."""
    key = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{key}{headers}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """A connection that has one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._reply: asyncio.Future[tuple[int, bytes]] | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    async def ask(self, asked: bytes) -> tuple[int, bytes]:
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(asked)  # type: ignore[attr-defined]
        return await self._reply

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, is_whole, rest = self._buffer.partition(b"\r\n\r\n")
        if not is_whole:
            return
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self.is_open = b"connection: close" not in lines
        if self._reply is not None and not self._reply.done():
            self._reply.set_result((int(head.split(None, 2)[1]), rest[:length]))

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        if self._reply is not None and not self._reply.done():
            self._reply.set_result((0, b""))

    def close(self) -> None:
        self._transport.close()


class HttpLoad:
    """Sends requests to a port of this machine, over as many connections as it takes.

    Attributes
    ----------
    behind_s
        The furthest that a request was sent after its time.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Connection] = []
        self.behind_s = 0.0

    def run(self, requests: Sequence[bytes], rate: float) -> list[Reply]:
        """Send so many requests a second, all at once where it is 0; return what came of each."""
        return asyncio.run(self.send(requests, rate))

    async def send(self, requests: Sequence[bytes], rate: float) -> list[Reply]:
        interval_s = 1.0 / rate if rate else 0.0
        start = time.perf_counter() + 0.1
        replies = []
        for number, asked in enumerate(requests):
            due = start + number * interval_s
            if (ahead_s := due - time.perf_counter()) > 0.0:
                await asyncio.sleep(ahead_s)
            elif number % 50 == 0:
                await asyncio.sleep(0)
            self.behind_s = max(self.behind_s, -ahead_s)
            replies.append(asyncio.create_task(self._ask(asked, due)))
        try:
            return await asyncio.gather(*replies)
        finally:
            for connection in self._free:
                connection.close()

    async def _ask(self, asked: bytes, due: float) -> Reply:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = await self._connection()
                status, body = await connection.ask(asked)
        except (OSError, TimeoutError):
            return Reply(0, b"", time.perf_counter() - due)
        took_s = time.perf_counter() - due
        if connection.is_open:
            self._free.append(connection)
        else:
            connection.close()
        return Reply(status, body, took_s)

    async def _connection(self) -> _Connection:
        while self._free:
            if (free := self._free.pop()).is_open:
                return free
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return made
