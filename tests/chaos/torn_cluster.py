"""A secured Kafka of several nodes, to which more can happen than to processes.

A worker can be cut off from one of its nodes, and the disk of a node can be full: for that each
node has a file system of its own, in memory, which takes the rights of root.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from deploy.broker import HOST
from deploy.kafka_cluster import ADMINISTRATOR, KafkaCluster
from tests.chaos.relay import Relay

if TYPE_CHECKING:
    from pathlib import Path

_DISK: Final = "4g"
_LEFT_BYTES: Final = 64 * 1024
_END_TIMEOUT_S: Final = 60.0
_BY_PASSWORD: Final = "PASSWORD"


class TornCluster(KafkaCluster):
    """As a `KafkaCluster`; its workers reach each node by a relay.

    Attributes
    ----------
    relays
        By the place of the node.
    has_disks
        Whether each node has a file system of its own.
    """

    def __init__(self, brokers: int) -> None:
        super().__init__(brokers)
        self.relays: list[Relay] = []
        self.has_disks = os.geteuid() == 0

    def worker_env(self) -> dict[str, str]:
        """Return the variables of workers, which may do everything."""
        relayed = ",".join(f"{HOST}:{relay.port}" for relay in self.relays)
        return self.add_user(ADMINISTRATOR) | {"KAFKA_BOOTSTRAP_SERVERS": relayed}

    def fill_disk(self, place: int) -> None:
        """Leave a node no space until it has ended of that, and then give it back."""
        data = self.nodes[place].directory / "data"
        process = self.nodes[place].process
        assert process is not None
        used = _used_bytes(data)
        deadline = time.monotonic() + _END_TIMEOUT_S
        try:
            while process.poll() is None:
                # It may have grown meanwhile, and no disk can be made smaller than its content.
                with suppress(subprocess.CalledProcessError):
                    used = max(used, _used_bytes(data))
                    _mount(f"remount,size={used + _LEFT_BYTES}", data)
                assert time.monotonic() < deadline, "a node goes on with a full disk"
                time.sleep(0.1)
        finally:
            _mount(f"remount,size={_DISK}", data)

    def stop(self) -> None:
        """See `Nodes.stop`."""
        disks = [node.directory / "data" for node in self.nodes] if self.has_disks else []
        for disk in filter(os.path.ismount, disks):
            subprocess.run(["umount", "--lazy", disk], check=True)  # it goes with the node
        super().stop()
        self._close_relays()

    def _settings(self, home: Path) -> dict[str, str]:
        if self.has_disks:
            for node in self.nodes:
                (node.directory / "data").mkdir()
                _mount(f"size={_DISK}", node.directory / "data")
        return super()._settings(home)

    def _choose_ports(self, settings: dict[str, str]) -> None:
        self._close_relays()
        super()._choose_ports(settings)

    def _advertised(self, listeners: dict[str, int]) -> dict[str, int]:
        relay = Relay(socket.create_server((HOST, 0)), HOST, listeners[_BY_PASSWORD])
        self.relays.append(relay)
        return listeners | {_BY_PASSWORD: relay.port}

    def _close_relays(self) -> None:
        while self.relays:
            self.relays.pop().close()


def _used_bytes(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _mount(options: str, where: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
    subprocess.run(command, check=True, capture_output=True)
