"""A real Apache Kafka of one node on this machine, for the demo and the tests.

Start to ready, on two cores with the jars already copied, takes about 4 s; a restart about as long.
"""

import shutil
import signal
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.broker import HOST, Broker, free_ports
from deploy.kafka_jars import LocalKafkaError

__all__ = ["LocalKafka", "LocalKafkaError"]

BOOT_ATTEMPTS = 5
SETTINGS = {
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    # One node: nothing to replicate to.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # There is nobody to hand partitions over to. Trying it, a lone broker (seen with 4.4.0) takes
    # more often a transaction for complete whose markers it wrote nowhere: it then hangs for good.
    "controlled.shutdown.enable": "false",
}


class LocalKafka:
    """Apache Kafka of one node, on free ports of the loopback, its data in a temporary directory.

    It ends, and its data goes, with `stop`, with the `with` block or with this process, however
    that ends. Ctrl-C in the terminal does not reach it, so that its clients can finish first.

    Examples
    --------
    ::

        with LocalKafka() as kafka:
            producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    """

    def __init__(self) -> None:
        self._cluster_id = uuid.uuid4().hex
        self._port = 0
        self._home: Path | None = None
        self._broker: Broker | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients; a restart keeps it."""
        assert self._broker is not None, "not started"
        return f"{HOST}:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """What clients reach it by, as environment variables."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}

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

    def start(self) -> None:
        """Start a broker with no data and wait until it answers clients.

        Raises
        ------
        LocalKafkaError
            If Java or Maven is missing, or the broker fails; then with the end of its log.
        """
        assert self._home is None, "already started"
        self._home = Path(tempfile.mkdtemp(prefix="chargewatch-kafka-"))
        try:
            self._broker = Broker(self._home, node_id=1)
            self._choose_ports()
            self._broker.format(self._cluster_id)
            self._boot(move=True)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the broker in order and remove its data; nothing happens when it is not started."""
        if self._broker is not None:
            self._broker.end(signal.SIGTERM)
            self._broker = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def kill(self) -> None:
        """End the broker with `kill -9`; its data and ports stay for `restart`."""
        self.broker.end(signal.SIGKILL)

    def restart(self) -> None:
        """Start the broker again on its data and ports, ending it in order first if it still runs.

        Raises
        ------
        LocalKafkaError
            If the broker fails; with the end of its log.
        """
        self.broker.end(signal.SIGTERM)
        self._boot(move=False)

    def log_tail(self) -> str:
        """Return the end of the broker's log."""
        return self.broker.log_tail()

    @property
    def broker(self) -> Broker:
        """The node."""
        assert self._broker is not None, "not started"
        return self._broker

    def _choose_ports(self) -> None:
        self._port, controller = free_ports(2)
        addresses = {
            "listeners": f"BROKER://{HOST}:{self._port},CONTROLLER://{HOST}:{controller}",
            "controller.quorum.voters": f"{self.broker.node_id}@{HOST}:{controller}",
        }
        self.broker.configure(SETTINGS | addresses)

    def _boot(self, *, move: bool) -> None:
        """Launch the broker, again while a port is taken: on other ports if it may `move`."""
        for _ in range(BOOT_ATTEMPTS):
            self.broker.launch()
            client = {"bootstrap.servers": self.bootstrap_servers}
            if self.broker.wait_until_ready(self._cluster_id, client):
                return
            self.broker.end(signal.SIGKILL)
            if move:
                self._choose_ports()
        raise LocalKafkaError(f"Kafka found a port taken each time\n{self.log_tail()}")
