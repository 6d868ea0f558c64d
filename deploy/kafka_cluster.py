"""A secured Apache Kafka on this machine: several nodes, TLS, passwords, access lists.

For tests of what a lone, open broker cannot show. Each node is controller and broker, every topic
is on all of them, and a majority has to have a message before it counts. Nobody may do anything
but the cluster's administrator, until rights are given.
"""

import secrets
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.broker import HOST, Broker, free_ports
from deploy.certificates import Authority
from deploy.kafka_jars import LocalKafkaError

Made = TypeVar("Made")

BROKERS: Final = 3
HEAP_MB: Final = 256
ADMINISTRATOR: Final = "administrator"

_BROKER_USER: Final = "broker"
_BOOT_ATTEMPTS: Final = 5
_IN_SYNC_TIMEOUT_S: Final = 120.0
_ANSWER_S: Final = 10.0
_SCRAM_ITERATIONS: Final = 4096
_LISTENERS: Final = ("PASSWORD", "CERTIFICATE", "CONTROLLER")
_SETTINGS: Final = {
    "listener.security.protocol.map": "PASSWORD:SASL_SSL,CERTIFICATE:SSL,CONTROLLER:SSL",
    "inter.broker.listener.name": "CERTIFICATE",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.password.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "listener.name.certificate.ssl.client.auth": "required",
    "listener.name.controller.ssl.client.auth": "required",
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
    # The user of a certificate is its common name.
    "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{_BROKER_USER};User:{ADMINISTRATOR}",
}


class KafkaCluster:
    """A cluster on free ports of the loopback, its data and keys in a temporary directory.

    As `LocalKafka` it ends with this process, however that ends.

    Parameters
    ----------
    brokers
        How many nodes.
    options
        Further ones of their JVMs.

    Attributes
    ----------
    nodes
        The nodes by their place.
    authority
        Issues certificates that the cluster trusts.

    Examples
    --------
    ::

        with KafkaCluster() as kafka:
            env = kafka.add_user("worker")
            kafka.allow([...])
    """

    def __init__(self, brokers: int = BROKERS, options: tuple[str, ...] = ()) -> None:
        self._cluster_id = uuid.uuid4().hex
        self._count = brokers
        self._options = options
        self._home: Path | None = None
        self._ports: list[list[int]] = []
        self.nodes: list[Broker] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """Addresses for clients with a password; a restart keeps them."""
        return self._addresses("PASSWORD")

    @property
    def env(self) -> dict[str, str]:
        """What the administrator's clients reach it by, as environment variables."""
        return self.certificate_env(ADMINISTRATOR)

    def start(self) -> None:
        """Start all nodes without data, and wait until they answer clients.

        Raises
        ------
        LocalKafkaError
            If Java or Maven is missing, or a node fails; then with the end of its log.
        """
        assert self._home is None, "already started"
        self._home = Path(tempfile.mkdtemp(prefix="chargewatch-kafka-"))
        try:
            self.authority = Authority(self._home / "certificates")
            self._of_brokers = self.authority.issue(_BROKER_USER, [HOST])
            self.authority.issue(ADMINISTRATOR)
            self.nodes = [
                Broker(self._home, number + 1, HEAP_MB, self._options)
                for number in range(self._count)
            ]
            self._choose_ports()
            self._each(lambda node: node.format(self._cluster_id))
            self._boot()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all nodes and remove their data; nothing happens when it is not started."""
        for node in self.nodes:
            node.end(signal.SIGKILL)  # in order, the last ones would wait for a majority
        self.nodes = []
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def stop_node(self, place: int) -> None:
        """End a node in order: it hands its partitions over first."""
        self.nodes[place].end(signal.SIGTERM)

    def kill_node(self, place: int) -> None:
        """End a node with `kill -9`."""
        self.nodes[place].end(signal.SIGKILL)

    def start_node(self, place: int) -> None:
        """Start a node again that has ended, on its data and ports; raises `LocalKafkaError`."""
        node = self.nodes[place]
        node.launch()
        if not self._is_ready(node):
            raise LocalKafkaError(f"Kafka found its port taken\n{node.log_tail()}")

    def restart_node(self, place: int) -> None:
        """End a node in order and start it again."""
        self.stop_node(place)
        self.start_node(place)

    def wait_until_in_sync(self) -> None:
        """Wait until every partition is on all nodes: so another may go; raises `TimeoutError`."""
        admin = self.admin()
        deadline = time.monotonic() + _IN_SYNC_TIMEOUT_S
        while time.monotonic() < deadline:
            with suppress(KafkaException):
                topics = admin.list_topics(timeout=_ANSWER_S).topics.values()
                partitions = [each for topic in topics for each in topic.partitions.values()]
                if all(len(each.isrs) == len(each.replicas) for each in partitions):
                    return
            time.sleep(0.1)
        raise TimeoutError(f"partitions are not in sync after {_IN_SYNC_TIMEOUT_S:.0f} s")

    def log_tail(self) -> str:
        """Return the ends of the nodes' logs."""
        return "\n".join(f"node {node.node_id}:\n{node.log_tail()}" for node in self.nodes)

    def admin(self) -> AdminClient:
        """Return a client that may do everything."""
        return AdminClient(self._client(self._addresses("CERTIFICATE")))

    def add_user(self, name: str, password: str | None = None) -> dict[str, str]:
        """Make a user, or change the password; return the variables for the user's clients.

        They are what the commands of `chargewatch` take.
        """
        password = password or secrets.token_urlsafe(16)
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
        change = UserScramCredentialUpsertion(name, credential, password.encode())
        for changed in self.admin().alter_user_scram_credentials([change]).values():
            changed.result()
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": name,
            "KAFKA_SASL_PASSWORD": password,
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
        }

    def certificate_env(self, name: str, valid: timedelta = timedelta(days=1)) -> dict[str, str]:
        """Return the variables of clients that show a certificate in place of a password."""
        files = self.authority.issue(name, valid=valid)
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self._addresses("CERTIFICATE"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_LOCATION": str(self.authority.certificate),
            "KAFKA_SSL_CERTIFICATE_LOCATION": str(files.certificate),
            "KAFKA_SSL_KEY_LOCATION": str(files.key),
        }

    def allow(self, rights: Sequence[AclBinding]) -> None:
        """Add to the access lists; nodes heed it a moment later."""
        for allowed in self.admin().create_acls(list(rights)).values():
            allowed.result()

    def take_away(self, rights: Sequence[AclBindingFilter]) -> None:
        """Remove from the access lists."""
        for removed in self.admin().delete_acls(list(rights)).values():
            removed.result()

    def _choose_ports(self) -> None:
        """Settle on free ports of all nodes; one lost before a node has it shows at its start."""
        assert self._home is not None
        count = len(_LISTENERS)
        ports = free_ports(count * self._count)
        self._ports = [ports[place * count :][:count] for place in range(self._count)]
        quorum = zip(self.nodes, self._ports, strict=True)
        shared = _SETTINGS | {
            "controller.quorum.voters": ",".join(
                f"{node.node_id}@{HOST}:{ports[-1]}" for node, ports in quorum
            ),
            "ssl.keystore.location": str(self._of_brokers.both),
            "ssl.truststore.location": str(self.authority.certificate),
            **_replication(self._count),
        }
        for node, own in zip(self.nodes, self._ports, strict=True):
            listeners = zip(_LISTENERS, own, strict=True)
            addresses = [f"{listener}://{HOST}:{port}" for listener, port in listeners]
            node.configure(shared | {"listeners": ",".join(addresses)})

    def _boot(self) -> None:
        """Launch all nodes, again on other ports while one is taken."""
        for _ in range(_BOOT_ATTEMPTS):
            for node in self.nodes:
                node.launch()
            if all(self._each(self._is_ready)):
                return
            for node in self.nodes:
                node.end(signal.SIGKILL)
            self._choose_ports()
        raise LocalKafkaError(f"Kafka found a port taken each time\n{self.log_tail()}")

    def _is_ready(self, node: Broker) -> bool:
        port = self._ports[node.node_id - 1][_LISTENERS.index("CERTIFICATE")]
        return node.wait_until_ready(self._cluster_id, self._client(f"{HOST}:{port}"))

    def _each(self, do: Callable[[Broker], Made]) -> list[Made]:
        """Do something with all nodes at once."""
        with ThreadPoolExecutor(self._count) as pool:
            return list(pool.map(do, self.nodes))

    def _addresses(self, listener: str) -> str:
        place = _LISTENERS.index(listener)
        return ",".join(f"{HOST}:{ports[place]}" for ports in self._ports)

    def _client(self, addresses: str) -> dict[str, str]:
        """Return the settings of the administrator's clients."""
        assert self._home is not None, "not started"
        directory = self.authority.certificate.parent
        return {
            "bootstrap.servers": addresses,
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.certificate),
            "ssl.certificate.location": str(directory / f"{ADMINISTRATOR}.certificate.pem"),
            "ssl.key.location": str(directory / f"{ADMINISTRATOR}.key.pem"),
        }


def _replication(brokers: int) -> dict[str, str]:
    """Return settings by which a message counts once a majority of the nodes has it."""
    copies, majority = str(brokers), str(brokers // 2 + 1)
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": majority,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": majority,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": majority,
    }
