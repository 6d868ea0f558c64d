"""Nodes of Apache Kafka that are started, ended and cleaned up together."""

import shutil
import signal
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.broker import HOST, Broker, free_ports
from deploy.kafka_jars import LocalKafkaError

Made = TypeVar("Made")

BOOT_ATTEMPTS: Final = 5
_IN_SYNC_TIMEOUT_S: Final = 120.0
_ANSWER_S: Final = 10.0


class Nodes(ABC):
    """A Kafka on free ports of the loopback, its data in a temporary directory.

    It ends, and its data goes, with `stop`, with the `with` block or with this process, however
    that ends. Ctrl-C in the terminal does not reach it, so that its clients can finish first.

    Parameters
    ----------
    count
        Of the nodes.
    listeners
        Names of each node's listeners: the last one but one is ours, the last the controllers'.
    heap_mb
        Of each JVM.
    options
        Further ones of the JVMs.

    Attributes
    ----------
    nodes
        The nodes by their place.
    """

    def __init__(
        self, count: int, listeners: tuple[str, ...], heap_mb: int, options: tuple[str, ...] = ()
    ) -> None:
        self.nodes: list[Broker] = []
        self._cluster_id = uuid.uuid4().hex
        self._count = count
        self._listeners = listeners
        self._heap_mb = heap_mb
        self._options = options
        self._home: Path | None = None
        self._ports: list[list[int]] = []

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
    @abstractmethod
    def env(self) -> dict[str, str]:
        """What clients that may do everything reach it by, as environment variables."""

    @abstractmethod
    def _settings(self, home: Path) -> dict[str, str]:
        """Return what all nodes are started with, beside their addresses."""

    def _java_options(self, home: Path) -> tuple[str, ...]:  # noqa: ARG002 # of no use here
        """Return the further options of the JVMs."""
        return self._options

    def _advertised(self, listeners: dict[str, int]) -> dict[str, int]:
        """Return the ports that clients are told of a node's listeners, given their own."""
        return listeners

    @abstractmethod
    def _client(self, addresses: str) -> dict[str, str]:
        """Return the settings of a client that may do everything."""

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
            options = self._java_options(self._home)
            self.nodes = [
                Broker(self._home, number, self._heap_mb, options)
                for number in range(1, self._count + 1)
            ]
            settings = self._settings(self._home)
            self._choose_ports(settings)
            self._each(lambda node: node.format(self._cluster_id))
            self._boot(settings)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all nodes and remove their data; nothing happens when it is not started."""
        # Of several in order, the last ones would wait for a majority.
        how = signal.SIGTERM if len(self.nodes) == 1 else signal.SIGKILL
        for node in self.nodes:
            node.end(how)
        self.nodes = []
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def kill_node(self, place: int) -> None:
        """End a node with `kill -9`; its data and ports stay."""
        self.nodes[place].end(signal.SIGKILL)

    def restart_node(self, place: int) -> None:
        """Start a node again on its data and ports, ending it in order first if it still runs.

        Raises
        ------
        LocalKafkaError
            If the node fails; with the end of its log.
        """
        node = self.nodes[place]
        node.end(signal.SIGTERM)
        for _ in range(BOOT_ATTEMPTS):
            node.launch()
            if self._is_ready(node):
                return
            node.end(signal.SIGKILL)
        raise LocalKafkaError(f"Kafka found its port taken each time\n{node.log_tail()}")

    def wait_until_in_sync(self) -> None:
        """Wait until every copy of every partition is complete, so that another node may go.

        Raises
        ------
        TimeoutError
            When that does not come about.
        """
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

    def admin(self) -> AdminClient:
        """Return a client that may do everything."""
        return AdminClient({**self._client(self._addresses(self._listeners[-2]))})

    def log_tail(self) -> str:
        """Return the ends of the logs."""
        return "\n".join(node.log_tail() for node in self.nodes)

    def _addresses(self, listener: str) -> str:
        assert self.nodes, "not started"
        place = self._listeners.index(listener)
        return ",".join(f"{HOST}:{ports[place]}" for ports in self._ports)

    def _choose_ports(self, settings: dict[str, str]) -> None:
        """Settle on free ports of all nodes; one lost before a node has it shows at its start."""
        count = len(self._listeners)
        ports = free_ports(count * self._count)
        self._ports = [ports[count * place :][:count] for place in range(self._count)]
        nodes = list(zip(self.nodes, self._ports, strict=True))
        voters = ",".join(f"{node.node_id}@{HOST}:{own[-1]}" for node, own in nodes)
        for node, own in nodes:
            listeners = _listed(dict(zip(self._listeners, own, strict=True)))
            told = self._advertised(dict(zip(self._listeners[:-1], own, strict=False)))
            places = {
                "controller.quorum.voters": voters,
                "listeners": listeners,
                "advertised.listeners": _listed(told),
            }
            node.configure(settings | places)

    def _boot(self, settings: dict[str, str]) -> None:
        """Launch all nodes, again on other ports while one is taken."""
        for _ in range(BOOT_ATTEMPTS):
            for node in self.nodes:
                node.launch()
            if all(self._each(self._is_ready)):
                return
            for node in self.nodes:
                node.end(signal.SIGKILL)
            self._choose_ports(settings)
        raise LocalKafkaError(f"Kafka found a port taken each time\n{self.log_tail()}")

    def _is_ready(self, node: Broker) -> bool:
        port = self._ports[node.node_id - 1][-2]
        return node.wait_until_ready(self._cluster_id, self._client(f"{HOST}:{port}"))

    def _each(self, do: Callable[[Broker], Made]) -> list[Made]:
        """Do something with all nodes at once."""
        with ThreadPoolExecutor(self._count) as pool:
            return list(pool.map(do, self.nodes))


def _listed(listeners: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())
