"""A real Apache Kafka of one node on this machine, for the demo and the tests.

Start to ready, on two cores with the jars already copied, takes about 4 s; a restart about as long.
"""

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.kafka_jars import LocalKafkaError, find_java, kafka_jars

__all__ = ["LocalKafka", "LocalKafkaError"]

HOST = "127.0.0.1"
# Below every system's ephemeral ports: from those, a client that keeps knocking while the broker
# is down can be given the broker's own port, connect to itself, and keep the broker from coming
# back.
PORTS = range(20_000, 32_000)
BOOT_ATTEMPTS = 5
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
LOG_TAIL_LINES = 25
JVM_OPTIONS = [
    "-Xmx512m",
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
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    # One node: nothing to replicate to.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Few partitions to make before the first commit and the first transaction.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker may register again only when its session is over: 3 s for the default 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
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
        self._ports = (0, 0)
        self._java: list[str] = []
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients; a restart keeps it."""
        assert self._directory is not None, "not started"
        return f"{HOST}:{self._ports[0]}"

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
        assert self._directory is None, "already started"
        self._java = [find_java(), *JVM_OPTIONS, "-cp", f"{kafka_jars()}/*"]
        self._directory = Path(tempfile.mkdtemp(prefix="chargewatch-kafka-"))
        try:
            self._choose_ports()
            self._format()
            self._boot(move=True)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the broker in order and remove its data; nothing happens when it is not started."""
        self._end(signal.SIGTERM)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """End the broker with `kill -9`; its data and ports stay for `restart`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start the broker again on its data and ports, ending it in order first if it still runs.

        Raises
        ------
        LocalKafkaError
            If the broker fails; with the end of its log.
        """
        self._end(signal.SIGTERM)
        self._boot(move=False)

    def _choose_ports(self) -> None:
        """Settle on two free ports; one lost before the broker has it shows at its start."""
        with socket.socket() as broker, socket.socket() as controller:
            self._ports = (_bind(broker), _bind(controller))
        port, controller_port = self._ports
        settings = SETTINGS | {
            "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "log.dirs": str(self._path("data")),
        }
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        self._path("server.properties").write_text("".join(lines), encoding="utf-8")

    def _format(self) -> None:
        # The ports are no part of what is formatted: the quorum's voters are in the settings.
        config = str(self._path("server.properties"))
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", self._cluster_id, "--config"]
        with self._path("log").open("wb") as log:
            run = subprocess.run(
                [*self._java, *tool, config], stdout=log, stderr=subprocess.STDOUT, check=False
            )
        if run.returncode != 0:
            raise LocalKafkaError(f"Kafka could not format its data\n{self.log_tail()}")

    def _boot(self, *, move: bool) -> None:
        """Launch the broker, again while a port is taken: on other ports if it may `move`."""
        for _ in range(BOOT_ATTEMPTS):
            self._launch()
            if self._wait_until_ready():
                return
            self._end(signal.SIGKILL)
            if move:
                self._choose_ports()
        raise LocalKafkaError(f"Kafka found a port taken each time\n{self.log_tail()}")

    def _launch(self) -> None:
        broker = [*self._java, "kafka.Kafka", str(self._path("server.properties"))]
        with self._path("log").open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", WATCHED, str(self._directory), *broker],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def _wait_until_ready(self) -> bool:
        """Wait until the broker answers as itself; False if it ended because a port was taken."""
        assert self._process is not None
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,  # its refused connections are expected
            }
        )
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self._process.poll() is None:
            if self._answers(admin):
                return True
            if time.monotonic() > deadline:
                raise LocalKafkaError(
                    f"Kafka was not ready after {READY_TIMEOUT_S} s\n{self.log_tail()}"
                )
        tail = self.log_tail()
        if "Address already in use" in self._path("log").read_text(errors="replace"):
            return False
        raise LocalKafkaError(f"Kafka ended with code {self._process.returncode}\n{tail}")

    def _answers(self, admin: AdminClient) -> bool:
        """Ask for the cluster: an open port, or another broker that got it, is not enough."""
        try:
            cluster = admin.describe_cluster(request_timeout=1).result()
        except KafkaException:
            return False
        # A broker is listed once the controller lets it serve clients.
        return bool(cluster.cluster_id == self._cluster_id and cluster.nodes)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
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

    def _path(self, name: str) -> Path:
        assert self._directory is not None, "not started"
        return self._directory / name

    def log_tail(self) -> str:
        """Return the end of the broker's log."""
        lines = self._path("log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def _bind(holder: socket.socket) -> int:
    """Bind a socket to a free port of `PORTS`, as a server would, and return the port."""
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError):
            holder.bind((HOST, port))
            holder.listen()  # else the next one could be bound to the same
            return port
