"""One replica of the API: its parts put together, served until it is stopped, and drained."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final

from agents.telemetry.certificates import show_certificates
from agents.web.api.access import Access
from agents.web.api.app import create_app
from agents.web.api.charge_desk import ChargeDesk
from agents.web.api.charge_lookup import ChargeLookup
from agents.web.api.events import DEADLINE_MS_MAX, EventCalls
from agents.web.api.link import KafkaLink
from agents.web.serving import LOOPBACK, Address, serve_until, server
from streams.durations import HOUR_S
from streams.errors import OperationalError

if TYPE_CHECKING:
    import socket

    from agents.settings.schema import Settings
    from agents.web.api.policy_calls import PolicyCalls
    from agents.web.read_model.database import ReadModel
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

_DRAIN_S: Final = DEADLINE_MS_MAX // 1000 + 5


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
    show_certificates({"api": settings.api_tls_cert}, os.environ)
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
        address = _address(settings)
        with listen(settings, has_keys=not link.keys.is_empty) as listening:
            await serve_until(server(app, address, _DRAIN_S), listening, link.failed)
        if link.failed.done():
            raise GatewayError(link.failed.result())
    finally:
        await link.close()
        await policy.close()
        read_model.close()


def check_certificate(settings: Settings) -> None:
    """Refuse files of a certificate that cannot be used; raises `SettingsError`."""
    _address(settings).check_certificate()


def listen(settings: Settings, *, has_keys: bool) -> socket.socket:
    """Return a socket that listens."""
    address = _address(settings, "" if has_keys else LOOPBACK)
    listening = address.listen()
    logger.info("HTTP API at %s", address.url(listening))
    if not has_keys:
        logger.warning(
            "there are no keys: the API is open to this machine alone; `chargewatch keys add` makes"
            " one, and a restart then has it listen on all addresses"
        )
    elif address.scheme == "http" and address.host != LOOPBACK:
        logger.warning("without api_tls_cert keys are readable on their way: put TLS before it")
    return listening


def _address(settings: Settings, default_host: str = "") -> Address:
    return Address(
        "api",
        settings.api_host or default_host,
        settings.api_port,
        settings.api_tls_cert,
        settings.api_tls_key,
    )
