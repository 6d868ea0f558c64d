"""The relay cuts off one process, and holds back what it says until it is healed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from select import select
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.chaos.relay import Relay, ports_of

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
SAYS = """
import socket, sys
said = socket.create_connection(("127.0.0.1", int(sys.argv[1]))).makefile("rw")
for line in sys.stdin:
    said.write(line)
    said.flush()
    print(said.readline(), end="", flush=True)
"""


class Echo(StreamRequestHandler):
    """Says what it is told."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with ThreadingTCPServer((HOST, 0), Echo) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        made = Relay(socket.create_server((HOST, 0)), HOST, server.server_address[1])
        yield made
        made.close()
        server.shutdown()


def test_only_the_process_that_is_cut_off_waits_until_it_is_healed(relay: Relay) -> None:
    command = [sys.executable, "-c", SAYS, str(relay.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def says(line: bytes) -> None:
            assert other.stdin is not None
            other.stdin.write(line)
            other.stdin.flush()

        says(b"one\n")
        assert other.stdout.readline() == b"one\n"
        relay.cut(other.pid)
        while relay.held_back == 0:
            time.sleep(0.01)
        with socket.create_connection((HOST, relay.port)) as own, own.makefile("rwb") as said:
            said.write(b"own\n")
            said.flush()
            assert said.readline() == b"own\n"
            says(b"two\n")
            assert not select([other.stdout], [], [], 0.3)[0], "it is cut off"
            assert own.getsockname()[1] in ports_of(os.getpid())
        relay.heal()
        assert other.stdout.readline() == b"two\n"
        other.stdin.close()
