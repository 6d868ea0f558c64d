"""`chargewatch serve`: one replica of the HTTP API."""

import asyncio
import os
import signal

import click

from agents.process import collecting_rarely
from agents.settings.schema import Settings
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from agents.terminal.rates import warn_of_old_rates
from agents.web.access_log import setup_access_log
from agents.web.api.policy_calls import PolicyCalls
from agents.web.api.server import check_certificate, serve
from agents.web.read_model.database import ReadModel, database_url
from agents.worker.logs import setup_logging
from streams.kafka.topics import Topics


@click.command("serve", epilog="Example: chargewatch serve --api-port 8080")
@with_settings(
    "bootstrap_servers",
    "topic_prefix",
    "api_host",
    "api_port",
    "api_tls_cert",
    "api_tls_key",
    "api_deadline_ms",
    "api_in_flight_max",
    "api_rate_limit_per_s",
    "api_body_bytes_max",
    "state_dir",
    "read_model_url",
    "log_level",
)
def command(settings: Settings) -> None:
    """Serve the HTTP API until it is stopped; any number of replicas may run.

    A charge is answered with its score, or by its deadline with the merchant's fallback. Keys are
    made by `chargewatch keys`; without any it is open to this machine alone. The calls are at
    /openapi.json, and /healthz, /readyz and /metrics beside them.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until there is something to drain
    check_certificate(settings)
    warn_of_old_rates(settings)
    topics = Topics(settings.topic_prefix)
    needed = [topics.charges, topics.disputes, topics.outcomes, topics.scored, topics.keys]
    admin, config = connect(settings, *needed)
    policy, read_model = PolicyCalls(settings), ReadModel(database_url(settings))
    setup_logging(settings.log_level)
    setup_access_log()
    with collecting_rarely():  # else a collection now and then would be seen as latency
        asyncio.run(serve(settings, topics, config, admin, policy, read_model))
