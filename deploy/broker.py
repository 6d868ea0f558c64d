"""One node of Apache Kafka on this machine: a process, its settings, data and log."""

import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.kafka_jars import LocalKafkaError, find_java, kafka_jars

HOST = "127.0.0.1"
# Below every system's ephemeral ports: from those, a client that keeps knocking while the broker
# is down can be given the broker's own port, connect to itself, and keep the broker from coming
# back.
PORTS = range(20_000, 32_000)
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
LOG_TAIL_LINES = 25
JVM_OPTIONS = [
    "-XX:ActiveProcessorCount=2",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
]
# The shell becomes the broker, and leaves a child behind that reads a pipe held open by us alone.
# The pipe closes however we end, kill -9 included; a line in it means that we ended the broker.
WATCHED = """
exec 3<&0
{ read -r _ <&3 || { kill -9 $$; rm -rf "$0"; }; } &
exec "$@" 3<&- </dev/null
"""
COMMON_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    # Few partitions to make before the first commit and the first transaction.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker may register again only when its session is over: 3 s for the default 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
"""Of every node here, whatever it is secured and replicated like."""


class Broker:
    """One node, controller and broker in one process, which ends with this one however it ends.

    Parameters
    ----------
    home
        Directory that goes when this process ends without having ended the node.
    node_id
        Names the node in its cluster, and its directory in `home`.
    heap_mb
        Of the JVM.
    options
        Further ones of the JVM.

    Raises
    ------
    LocalKafkaError
        When there is no Java or no Maven.
    """

    def __init__(
        self, home: Path, node_id: int, heap_mb: int = 512, options: tuple[str, ...] = ()
    ) -> None:
        self.node_id = node_id
        self.directory = home / f"node-{node_id}"
        self.directory.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self._home = home
        self._log_start = 0
        heap = f"-Xmx{heap_mb}m"
        self._java = [find_java(), heap, *JVM_OPTIONS, *options, "-cp", f"{kafka_jars()}/*"]

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write what the node is started with; its id and data are added."""
        own = {"node.id": str(self.node_id), "log.dirs": str(self._path("data"))}
        lines = [
            f"{name}={value}\n" for name, value in {**COMMON_SETTINGS, **own, **settings}.items()
        ]
        self._path("server.properties").write_text("".join(lines), encoding="utf-8")

    def format(self, cluster_id: str) -> None:
        """Make the node one of a cluster, without data; raises `LocalKafkaError`.

        The ports are no part of what is formatted: the quorum's voters are in the settings.
        """
        config = str(self._path("server.properties"))
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", config]
        with self._path("log").open("wb") as log:
            run = subprocess.run(
                [*self._java, *tool], stdout=log, stderr=subprocess.STDOUT, check=False
            )
        if run.returncode != 0:
            raise LocalKafkaError(f"Kafka could not format its data\n{self.log_tail()}")

    def launch(self) -> None:
        """Start the process."""
        broker = [*self._java, "kafka.Kafka", str(self._path("server.properties"))]
        with self._path("log").open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", WATCHED, str(self._home), *broker],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def wait_until_ready(self, cluster_id: str, client: Mapping[str, str]) -> bool:
        """Wait until the node serves clients; False if it ended because a port was taken.

        Parameters
        ----------
        cluster_id
            What it has to answer as: an open port, or another broker that got it, is not enough.
        client
            Settings of a client of this node.

        Raises
        ------
        LocalKafkaError
            If the node fails; with the end of its log.
        """
        assert self.process is not None
        # Its refused connections are expected.
        quiet = {"reconnect.backoff.max.ms": 100, "log_level": 0}
        admin = AdminClient({**client, **quiet})
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.process.poll() is None:
            if self._is_listed(admin, cluster_id):
                return True
            if time.monotonic() > deadline:
                raise LocalKafkaError(
                    f"Kafka was not ready after {READY_TIMEOUT_S} s\n{self.log_tail()}"
                )
        if "Address already in use" in self.log():
            return False
        raise LocalKafkaError(f"Kafka ended with code {self.process.returncode}\n{self.log_tail()}")

    def end(self, how: signal.Signals) -> None:
        """End the process, if it runs, and wait until it has; its data stays."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as watchdog:
            watchdog.write(b"ended\n")

    def log(self) -> str:
        """Return what the latest process has logged."""
        with self._path("log").open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        """Return the end of the log."""
        lines = self._path("log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _is_listed(self, admin: AdminClient, cluster_id: str) -> bool:
        """Ask for the cluster: a node is listed once the controller lets it serve clients."""
        try:
            cluster = admin.describe_cluster(request_timeout=1).result()
        except KafkaException:
            return False
        return cluster.cluster_id == cluster_id and self.node_id in {
            node.id for node in cluster.nodes
        }

    def _path(self, name: str) -> Path:
        return self.directory / name


def free_ports(count: int) -> list[int]:
    """Return so many free ports; one lost before a broker has it shows at its start."""
    with ExitStack() as held:
        return [_bind(held.enter_context(socket.socket())) for _ in range(count)]


def _bind(holder: socket.socket) -> int:
    """Bind a socket to a free port of `PORTS`, as a server would, and return the port."""
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError):
            holder.bind((HOST, port))
            holder.listen()  # else the next one could be bound to the same
            return port
