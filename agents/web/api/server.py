"""One replica of the API: its parts put together, served until it is stopped, and drained."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from agents.settings.sources import SettingsError
from agents.web.api.access import Access
from agents.web.api.app import create_app
from agents.web.api.charge_desk import ChargeDesk
from agents.web.api.charge_lookup import ChargeLookup
from agents.web.api.events import DEADLINE_MS_MAX, EventCalls
from agents.web.api.link import KafkaLink
from agents.web.api.protocol import GuardedProtocol
from streams.durations import HOUR_S
from streams.errors import OperationalError

if TYPE_CHECKING:
    from agents.settings.schema import Settings
    from agents.web.api.policy_calls import PolicyCalls
    from agents.web.read_model.database import ReadModel
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
_DRAIN_S: Final = DEADLINE_MS_MAX // 1000 + 5
_OPEN_FILES: Final = 12_000


class GatewayError(OperationalError):
    """A replica that cannot go on."""


async def serve(
    settings: Settings,
    topics: Topics,
    config: Config,
    admin: Admin,
    policy: PolicyCalls,
    read_model: ReadModel,
) -> None:
    """Serve until a signal comes, then answer what is under way.

    Parameters
    ----------
    settings, topics
        Of the installation.
    config, admin
        Reach Kafka.
    policy
        Reads and writes what merchants decide.
    read_model
        Has the charges that are asked for.

    Raises
    ------
    AwayError
        When the brokers do not answer at the start.
    SettingsError
        When the address or the certificate cannot be used.
    GatewayError
        When it cannot go on; a supervisor starts it again.
    """
    check_certificate(settings)
    clock = asyncio.get_running_loop().time
    link = KafkaLink(settings, topics, config, admin)
    try:
        window_s = settings.dedup_window_hours * HOUR_S
        desk = ChargeDesk(link, link.fallback_of, clock, settings.api_in_flight_max, window_s)
        await link.start(desk)
        lookup = ChargeLookup(read_model)
        events = EventCalls(settings, link, desk, lookup, clock)
        access = Access(link.keys, settings.api_rate_limit_per_s, clock)
        bytes_max = settings.api_body_bytes_max
        app = create_app((events, lookup, policy), link, desk, access, bytes_max, clock)
        with listen(settings, has_keys=not link.keys.is_empty) as listening:
            _raise_open_files()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: None)  # uvicorn passes it on when it has drained
            await _serve(_server(app, settings), listening, link)
    finally:
        await link.close()
        await policy.close()
        read_model.close()


async def _serve(server: uvicorn.Server, listening: socket.socket, link: KafkaLink) -> None:
    """Serve until a signal comes, or what is needed fails."""
    serving = asyncio.create_task(server.serve([listening]))
    ends: list[asyncio.Future[Any]] = [serving, link.failed]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    if link.failed.done():
        raise GatewayError(link.failed.result())


def check_certificate(settings: Settings) -> None:
    """Refuse files of a certificate that cannot be used.

    Raises
    ------
    SettingsError
        Names the setting.
    """
    if not settings.api_tls_cert:
        if settings.api_tls_key:
            raise SettingsError("api_tls_cert: not set, but api_tls_key is: both or none")
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.api_tls_cert, settings.api_tls_key or None, lambda: "")
    except (OSError, ValueError) as error:
        raise SettingsError(f"api_tls_cert, api_tls_key: cannot be used: {error}") from None


def listen(settings: Settings, *, has_keys: bool) -> socket.socket:
    """Return a socket that listens."""
    host = settings.api_host or ("" if has_keys else LOOPBACK)
    try:
        listening = _socket(host, settings.api_port)
    except OSError as error:
        raise SettingsError(
            f"api_host, api_port: {host or 'any'} {settings.api_port} cannot be used: "
            f"{error.strerror or error}"
        ) from None
    scheme = "https" if settings.api_tls_cert else "http"
    where = f"{scheme}://{host or socket.gethostname()}:{listening.getsockname()[1]}"
    logger.info("HTTP API at %s", where)
    if not has_keys:
        logger.warning(
            "there are no keys: the API is open to this machine alone; `chargewatch keys add` makes"
            " one, and a restart then has it listen on all addresses"
        )
    elif scheme == "http" and host != LOOPBACK:
        logger.warning("without api_tls_cert keys are readable on their way: put TLS before it")
    return listening


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


def _server(app: object, settings: Settings) -> uvicorn.Server:
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
            timeout_graceful_shutdown=_DRAIN_S,
            ssl_certfile=settings.api_tls_cert or None,
            ssl_keyfile=settings.api_tls_key or None,
        )
    )
