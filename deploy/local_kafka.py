"""A real Apache Kafka of one node on this machine, for the demo and the tests.

Start to ready, on two cores with the jars already copied, takes about 4 s; a restart about as long.
"""

from pathlib import Path
from typing import Final

from deploy.kafka_jars import LocalKafkaError
from deploy.nodes import Nodes

__all__ = ["LocalKafka", "LocalKafkaError"]

_HEAP_MB: Final = 512
SETTINGS: Final = {
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


class LocalKafka(Nodes):
    """One node, without security.

    Examples
    --------
    ::

        with LocalKafka() as kafka:
            producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    """

    def __init__(self) -> None:
        super().__init__(1, ("BROKER", "CONTROLLER"), _HEAP_MB)

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients; a restart keeps it."""
        return self._addresses("BROKER")

    @property
    def env(self) -> dict[str, str]:
        """See `Nodes.env`."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}

    def kill(self) -> None:
        """End the broker with `kill -9`; its data and ports stay for `restart`."""
        self.kill_node(0)

    def restart(self) -> None:
        """Start the broker again; see `restart_node`."""
        self.restart_node(0)

    def _settings(self, home: Path) -> dict[str, str]:  # noqa: ARG002 # nothing is kept there
        return SETTINGS

    def _client(self, addresses: str) -> dict[str, str]:
        return {"bootstrap.servers": addresses}
