"""HTTP connections that cannot hold a replica up: heads, waits and numbers are bounded."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agents.web.problems import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    import asyncio
    from asyncio import TimerHandle

HEAD_BYTES_MAX: Final = 64 * 1024
"""Of a request's line and headers, which the parser keeps until they are complete."""

REQUEST_TIMEOUT_S: Final = 10.0
"""From a connection, or a request's first byte, until all of the request is there."""

WRITE_TIMEOUT_S: Final = 10.0
"""For which a response may wait for its reader."""

CONNECTIONS_MAX: Final = 10_000


class GuardedProtocol(HttpToolsProtocol):
    """One connection; uvicorn's own, with limits."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse one connection too many."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._has_head = self._is_whole = False
        self._writing: TimerHandle | None = None
        self._reading = self.loop.call_later(REQUEST_TIMEOUT_S, self._on_slow_request)
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._reading.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless a request's head becomes too long."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._has_head or self.parser is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"expected a head of at most {HEAD_BYTES_MAX} bytes",
            )

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._has_head, self._head_bytes = False, 0
        self._reading.cancel()
        self._reading = self.loop.call_later(REQUEST_TIMEOUT_S, self._on_slow_request)

    def on_headers_complete(self) -> None:
        """Have a request answered."""
        super().on_headers_complete()
        self._has_head = True

    def on_message_complete(self) -> None:
        """Wait no more: all of the request is there."""
        self._reading.cancel()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for a reader that is slow, but not for long."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it has read."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as a problem."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _on_slow_request(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer what never becomes a request, unless something is answered already, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            body = Problem(status, detail).response().body
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + bytes(body))
        self.transport.close()
