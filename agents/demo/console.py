"""The console of the demo, and who may sign in to it."""

import os
import secrets
import time
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from agents.demo.cluster import Cluster
from agents.demo.process import Process, free_port
from agents.demo.worker import with_horizon
from agents.policy.edits import Signature
from agents.settings.schema import Settings
from agents.web.console.access.user_topic import audited
from agents.web.console.access.users import new_user
from deploy.broker import HOST
from schemas.console_users import ROLES, encode_user
from streams.kafka.clients import Clients
from streams.kafka.editor import Editor, Written

_NICENESS: Final = 10


class DemoConsole(Process):
    """A running `chargewatch console`, which gives way to the worker.

    Parameters
    ----------
    cluster
        Where its topics are; its settings name the port, another one is taken if that is not free.
    directory
        For its read model and its log.
    label_horizon_days
        That of the worker, by which it backtests.

    Attributes
    ----------
    url
        Where browsers find it.
    """

    def __init__(self, cluster: Cluster, directory: Path, label_horizon_days: float) -> None:
        super().__init__("console", cluster.env, directory)
        settings = with_horizon(cluster.settings, label_horizon_days)
        port = free_port(cluster.settings.console_port)
        self.url = f"http://{HOST}:{port}"
        self.start(of_this_machine(settings, port), port)
        os.setpriority(os.PRIO_PROCESS, self.pid, _NICENESS)

    def is_at(self, port: int) -> bool:
        """Return whether it has the port that was wanted, or any was."""
        return port in {0, self._port}


def of_this_machine(settings: Settings, port: int) -> Settings:
    """Return settings of a console with a read model of its own, without TLS and provider."""
    return replace(
        settings,
        console_host=HOST,
        console_port=port,
        console_tls_cert="",
        console_tls_key="",
        console_url="",
        console_oidc_issuer="",
        console_oidc_client_id="",
        console_oidc_client_secret="",
        read_model_url="",
    )


def let_in(cluster: Cluster) -> str:
    """Let a user of each role in, named after it, and return the password of all: a new one."""
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    signed, names = Signature("demo", time.time()), cluster.topics
    users = [new_user(role, role, password, signed) for role in ROLES]
    Editor(Clients(cluster.config), names.users).write(
        [Written(names.users, user.name.encode(), encode_user(user)) for user in users],
        [audited("user_put", signed, f"{user.name}: {user.role}", names) for user in users],
    )
    return password
