"""One console: its parts put together, served until it is stopped, and drained."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.settings.sources import SettingsError
from agents.stages.tasks import features_of
from agents.telemetry.certificates import show_certificates
from agents.terminal.kept_vectors import KeptVectors
from agents.terminal.matured_charges import MaturedTopic
from agents.terminal.model_topic import ModelTopic
from agents.terminal.policy_topics import PolicyTopics
from agents.web.console.access.guard import Guard
from agents.web.console.access.lockout import Lockout
from agents.web.console.access.provider import Provider
from agents.web.console.access.sessions import Sessions
from agents.web.console.access.user_topic import UserTopic
from agents.web.console.app import create_app
from agents.web.console.backtests import Backtests
from agents.web.console.link import ConsoleLink
from agents.web.console.pages.aggregates import AggregatePages
from agents.web.console.pages.audit import AuditPages
from agents.web.console.pages.charges import ChargePages
from agents.web.console.pages.health import HealthPages
from agents.web.console.pages.lists import ListPages
from agents.web.console.pages.merchants import MerchantPages
from agents.web.console.pages.models import ModelPages
from agents.web.console.pages.overview import OverviewPages
from agents.web.console.pages.password import PasswordPages
from agents.web.console.pages.provider import ByProvider
from agents.web.console.pages.rejected import RejectedPages
from agents.web.console.pages.reviews import Reviews
from agents.web.console.pages.rule_backtests import RuleBacktestPages
from agents.web.console.pages.rule_proposals import ProposalPages
from agents.web.console.pages.rules import DAYS, RulePages
from agents.web.console.pages.signing_in import SigningIn
from agents.web.console.pages.static_files import StaticFiles
from agents.web.console.pages.users import UserPages
from agents.web.console.reader import DatabaseReader
from agents.web.console.rendering import Templates
from agents.web.console.worker_lag import WorkerLag
from agents.web.read_model.database import ReadModel, database_url
from agents.web.serving import Address, serve_until, server
from agents.web.turns import Turns
from streams.errors import OperationalError
from streams.kafka.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agents.settings.schema import Settings
    from agents.web.console.app import Pages
    from agents.web.console.backtests import Backtest
    from agents.web.console.reader import Reader
    from agents.web.read_model.keeping.follower import Follower
    from streams.kafka.config import Admin, Config
    from streams.kafka.topics import Topics

logger = logging.getLogger(__name__)

_DRAIN_S: Final = 15


class ConsoleError(OperationalError):
    """A console that cannot go on."""


async def serve(
    settings: Settings,
    topics: Topics,
    config: Config,
    admin: Admin,
    follower: Follower,
    backtest: Backtest,
) -> None:
    """Serve until a signal comes, then answer what is under way.

    Parameters
    ----------
    settings, topics
        Of the installation.
    config, admin
        Reach Kafka.
    follower
        Keeps the read model.
    backtest
        Tries rules on what the topics hold.

    Raises
    ------
    AwayError
        When the brokers do not answer at the start.
    SettingsError
        When the address or the certificate cannot be used.
    ConsoleError
        When it cannot go on; a supervisor starts it again.
    """
    address = checked_address(settings)
    show_certificates({"console": settings.console_tls_cert}, os.environ)
    clock = asyncio.get_running_loop().time
    link = ConsoleLink(topics, config, admin)
    policy, models = Turns(PolicyTopics(settings)), Turns(ModelTopic(settings))
    turns = (
        policy,
        Turns(MaturedTopic(Clients(config), topics, DAYS)),
        models,
        Turns(KeptVectors(Clients(config), admin, topics, settings)),
        Turns(UserTopic(settings)),
    )
    # Nobody has to wait for what is read before; pages tell what goes wrong.
    ahead = asyncio.gather(
        policy.run(PolicyTopics.read), models.run(ModelTopic.book), return_exceptions=True
    )
    reader = DatabaseReader(ReadModel(database_url(settings)))
    backtests = Backtests(backtest)
    following = asyncio.get_running_loop().run_in_executor(None, follower.run)
    following.add_done_callback(partial(_end, link.failed))
    try:
        await link.start()
        idle_s = settings.console_idle_minutes * 60.0
        sessions = Sessions(link.users, idle_s, clock)
        guard = Guard(sessions, lambda: link.is_away, is_secure=_is_secure(settings))
        has_provider = bool(settings.console_oidc_issuer)
        templates = Templates(settings.input_rules.rates, link.users, has_provider=has_provider)
        console = Console(settings, templates, guard, link, reader)
        app = create_app(console.pages(*turns, backtests, clock), guard, templates, clock)
        with address.listen() as listening:
            logger.info("console at %s", settings.console_url or address.url(listening))
            if not link.users.records:
                logger.warning(
                    "there are no users yet: `chargewatch users add NAME --role administrator`"
                )
            await serve_until(server(app, address, _DRAIN_S), listening, link.failed)
        if link.failed.done():
            raise ConsoleError(link.failed.result())
    finally:
        follower.stop()
        await asyncio.gather(asyncio.to_thread(backtests.close), asyncio.wait([following]))
        await link.close()
        for each in turns:
            await each.close()
        await ahead
        reader.close()


def _end(failed: asyncio.Future[str], following: asyncio.Future[None]) -> None:
    """Note that the read model is not kept any more, save where that was wanted."""
    if (error := following.exception()) is not None and not failed.done():
        failed.set_result(f"the read model cannot be kept: {error}")


class Console(NamedTuple):
    """What all pages are made of."""

    settings: Settings
    templates: Templates
    guard: Guard
    link: ConsoleLink
    reader: Reader

    def pages(
        self,
        policy: Turns[PolicyTopics],
        matured: Turns[MaturedTopic],
        models: Turns[ModelTopic],
        vectors: Turns[KeptVectors],
        users: Turns[UserTopic],
        backtests: Backtests,
        clock: Callable[[], float],
    ) -> Iterable[Pages]:
        """Return them."""
        settings, templates, guard, link, reader = self
        recorder, names, lockout = link.recorder, link.topics, Lockout(clock)
        lag = WorkerLag(link, settings.group_id)
        url, issuer = settings.console_url, settings.console_oidc_issuer
        by_provider = (
            [ByProvider(Provider(settings), guard, link.users, recorder, names, url, clock)]
            if issuer
            else []
        )
        return [
            *by_provider,
            StaticFiles(templates),
            SigningIn(templates, guard, link.users, lockout, recorder, names),
            PasswordPages(templates, guard, lockout, users),
            OverviewPages(templates, reader, lag),
            ChargePages(templates, reader),
            AggregatePages(templates, reader, vectors, features_of(settings)),
            Reviews(templates, reader, recorder, names, settings.costs.review_hours),
            RulePages(templates, policy, matured, backtests, four_eyes=settings.console_four_eyes),
            RuleBacktestPages(templates, backtests),
            ProposalPages(templates, policy, backtests),
            ListPages(templates, policy),
            MerchantPages(templates, policy),
            ModelPages(templates, models, matured, recorder, names, link.log),
            RejectedPages(templates, reader, recorder, names, settings, link.log),
            AuditPages(templates, link.log),
            HealthPages(templates, link, reader, lag),
            UserPages(templates, link.users, users),
        ]


def checked_address(settings: Settings) -> Address:
    """Return where the console listens.

    Raises
    ------
    SettingsError
        When its certificate cannot be used, passwords would be readable on their way, or its
        provider is named by half.
    """
    address = Address(
        "console",
        settings.console_host,
        settings.console_port,
        settings.console_tls_cert,
        settings.console_tls_key,
    )
    address.check_certificate()
    if bool(settings.console_oidc_issuer) != bool(settings.console_oidc_client_id):
        raise SettingsError("console_oidc_issuer, console_oidc_client_id: both or none")
    if not _is_secure(settings) and not _is_loopback(address.host):
        raise SettingsError(
            f"console_host: {address.host or 'all addresses'}, but passwords would be readable on "
            "their way: set console_tls_cert, or console_url where a proxy has TLS"
        )
    return address


def _is_secure(settings: Settings) -> bool:
    return bool(settings.console_tls_cert or settings.console_url)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
