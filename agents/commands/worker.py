"""`chargewatch worker`: one worker replica."""

import logging
import os
import signal
import socket
from importlib.util import find_spec

import click
import faust
from msgspec.structs import replace

from agents.models.kinds import KINDS, check_trainable
from agents.settings.schema import Settings
from agents.settings.sources import SettingsError
from agents.stages.tasks import layouts_of
from agents.terminal.connection import connect
from agents.terminal.options import with_settings
from agents.terminal.payloads import mapping_of, with_mapped_signals
from agents.terminal.rates import warn_of_old_rates
from agents.terminal.registry import registry_of
from agents.worker.app import create_app
from agents.worker.logs import LogLevel, setup_logging
from agents.worker.warm_up import rehearse
from streams.kafka.installation import Installation
from streams.kafka.topics import Topics, ensure_topics

logger = logging.getLogger(__name__)


class _Worker(faust.Worker):
    """Faust's, where a signal switches the level of the log; by itself it starts a debugger."""

    log_level: LogLevel

    def _on_sigusr2(self) -> None:
        self.log_level.switch()


@click.command(
    "worker",
    epilog="Example: chargewatch worker --bootstrap-servers localhost:9092 --state-dir /var/lib/cw",
)
@with_settings(
    "bootstrap_servers",
    "topic_prefix",
    "application_id",
    "worker_id",
    "state_dir",
    "processing_guarantee",
    "commit_interval_ms",
    "label_horizon_days",
    "challengers",
    "web_port",
    "log_level",
)
def command(settings: Settings) -> None:
    """Run one worker until it is stopped; as many as there are partitions share the work.

    It makes the topics that are missing. On its web port are /healthz, /readyz (its tasks are
    restored) and /metrics.
    """
    # Faust takes the signal over once there are tasks to give back. Until then nothing needs to be
    # put in order, and what would be raised for it may be lost where Python has nobody to raise to.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _check_challengers(settings)
    if settings.traces_url and find_spec("opentelemetry") is None:
        raise SettingsError("traces_url: OpenTelemetry is not installed: pip install '.[tracing]'")
    warn_of_old_rates(settings)
    registry_of(settings)
    mapping_of(settings)
    settings = with_mapped_signals(settings)
    admin, config = connect(settings)
    topics = Topics(settings.topic_prefix)
    reports = ensure_topics(admin, topics, label_horizon_days=settings.label_horizon_days)
    for report in reports:
        if report.warning:
            click.echo(f"Warning: topic {report.name}: {report.warning}", err=True)
    partitions = reports[0].partitions
    installation = Installation(config, topics)
    installation.hold_partitions(partitions, begins=True)
    installation.hold_layouts(layouts_of(settings))
    settings = replace(settings, web_port=_free_port(settings.web_port))
    log_level = setup_logging(settings.log_level)
    logger.info("worker %s: web port %d", settings.worker_id, settings.web_port)
    logger.info("loading the kernels; the first time they are compiled, for half a minute or so")
    rehearse(settings)
    worker = _Worker(
        create_app(settings, partitions), quiet=True, override_logging=False, redirect_stdouts=False
    )
    worker.log_level = log_level
    worker.spinner = None
    worker.execute_from_commandline()


def _check_challengers(settings: Settings) -> None:
    for kind in settings.challengers:
        if kind not in KINDS:
            raise SettingsError(f"challengers: expected some of {', '.join(KINDS)}, got {kind!r}")
    check_trainable(settings.challengers)


def _free_port(port: int) -> int:
    """Return the web port if it is free, and any free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise SettingsError(f"web_port: {port} cannot be used: {error.strerror}") from None
        return int(probe.getsockname()[1])
