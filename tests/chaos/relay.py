"""A relay before a node, at which a process can be cut off from it and nobody else."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from socket import socket

_CHUNK: Final = 1 << 16


class Relay:
    """Passes on what connections to its socket say to a port, and back.

    Parameters
    ----------
    listening
        Where it is connected to.
    host, port
        Where it connects to.
    """

    def __init__(self, listening: socket, host: str, port: int) -> None:
        self._listening = listening
        self._host, self._port = host, port
        self._cut_off: int | None = None
        self._open: dict[int, asyncio.Event] = {}
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def port(self) -> int:
        """Where it is connected to."""
        return int(self._listening.getsockname()[1])

    @property
    def held_back(self) -> int:
        """How many connections nothing gets through."""
        return sum(not is_open.is_set() for is_open in list(self._open.values()))

    def close(self) -> None:
        """End it, and all connections."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def cut(self, process_id: int) -> None:
        """Let nothing of a process through, and nothing to it: what is said is held back."""
        self._loop.call_soon_threadsafe(self._cut, process_id)

    def heal(self) -> None:
        """Let everything through, also what was held back."""
        self._loop.call_soon_threadsafe(self._heal)

    def _cut(self, process_id: int) -> None:
        self._cut_off = process_id
        for port in ports_of(process_id) & self._open.keys():
            self._open[port].clear()

    def _heal(self) -> None:
        self._cut_off = None
        for is_open in self._open.values():
            is_open.set()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, sock=self._listening)
        self._started.set()
        await self._stopping.wait()
        server.close()  # what is connected is cancelled with the loop

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        port: int = back.get_extra_info("peername")[1]
        is_open = self._open[port] = asyncio.Event()
        if self._cut_off is None or port not in ports_of(self._cut_off):
            is_open.set()
        try:
            far, forth = await asyncio.open_connection(self._host, self._port)
            await asyncio.gather(_pass(near, forth, is_open), _pass(far, back, is_open))
        except OSError:
            pass  # the node is away, and so is the connection
        finally:
            del self._open[port]
            back.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event
) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await is_open.wait()
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


def ports_of(process_id: int) -> set[int]:
    """Return the local ports of a process's sockets, by Linux's /proc; none once it has ended."""
    owned = set[str]()
    with suppress(OSError):
        for file in Path(f"/proc/{process_id}/fd").iterdir():
            with suppress(OSError):
                owned.add(str(file.readlink()))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(line[1].rpartition(":")[2], 16) for line in lines if f"socket:[{line[9]}]" in owned}
