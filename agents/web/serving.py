"""What every web server of the installation listens by: its socket, its certificate, its limits."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from agents.settings.sources import SettingsError
from agents.web.protocol import GuardedProtocol

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOPBACK: Final = "127.0.0.1"

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
_OPEN_FILES: Final = 12_000


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens.

    Attributes
    ----------
    settings
        How the names of its settings begin, such as `api`.
    host, port
        An address of the machine, empty for all of them; 0 for a free port.
    tls_cert, tls_key
        Files of its certificate and private key, PEM; empty for no TLS.
    """

    settings: str
    host: str
    port: int
    tls_cert: str = ""
    tls_key: str = ""

    @property
    def scheme(self) -> str:
        """`https` where there is a certificate."""
        return "https" if self.tls_cert else "http"

    def check_certificate(self) -> None:
        """Refuse files of a certificate that cannot be used.

        Raises
        ------
        SettingsError
            Names the setting.
        """
        names = f"{self.settings}_tls_cert", f"{self.settings}_tls_key"
        if not self.tls_cert:
            if self.tls_key:
                raise SettingsError(f"{names[0]}: not set, but {names[1]} is: both or none")
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key or None, lambda: "")
        except (OSError, ValueError) as error:
            raise SettingsError(f"{', '.join(names)}: cannot be used: {error}") from None

    def listen(self) -> socket.socket:
        """Return a socket that listens.

        Raises
        ------
        SettingsError
            When the address cannot be used.
        """
        try:
            return _socket(self.host, self.port)
        except OSError as error:
            raise SettingsError(
                f"{self.settings}_host, {self.settings}_port: {self.host or 'any'} {self.port} "
                f"cannot be used: {error.strerror or error}"
            ) from None

    def url(self, listening: socket.socket) -> str:
        """Return where a browser finds it."""
        host = self.host or socket.gethostname()
        shown = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{shown}:{listening.getsockname()[1]}"


def server(app: object, address: Address, drain_s: int) -> uvicorn.Server:
    """Return the server of an application, which answers what is under way for some seconds."""
    return uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who is of this machine is told by the connection alone
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=drain_s,
            ssl_certfile=address.tls_cert or None,
            ssl_keyfile=address.tls_key or None,
        )
    )


async def serve_until(
    serving: uvicorn.Server, listening: socket.socket, failed: asyncio.Future[str]
) -> None:
    """Serve until a signal comes, or what is needed fails, and answer what is under way."""
    _raise_open_files()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn passes it on when it has drained
    task = asyncio.create_task(serving.serve([listening]))
    ends: Sequence[asyncio.Future[Any]] = [task, failed]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    serving.should_exit = True
    await task


def _socket(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        family, is_dual = socket.AF_INET6, True
    else:
        family, is_dual = socket.AF_INET6 if ":" in host else socket.AF_INET, False
    return socket.create_server(
        (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=is_dual
    )


def _raise_open_files() -> None:
    """Let as many connections be open as there may be, if the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
