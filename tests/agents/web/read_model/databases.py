"""Databases of their own: a file of SQLite, a server of PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from sqlalchemy.engine import URL


def sqlite_url(directory: Path) -> URL:
    return make_url(f"sqlite:///{directory / 'read_model.sqlite'}")


def postgresql_binaries() -> Path | None:
    """Return where the server's programs are, as Debian has them or the path; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class PostgreSQL:
    """A server that is reached by a socket alone; gone at the end of the `with` block."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._user = _user()
        self._directory = Path(tempfile.mkdtemp(prefix="cw-pg-", dir="/tmp"))
        self._data = str(self._directory / "data")
        self.url = make_url(f"postgresql+psycopg://postgres@/postgres?host={self._directory}")
        if self._user:
            shutil.chown(self._directory, self._user["user"])

    def __enter__(self) -> Self:
        options = ("-U", "postgres", "-E", "UTF8", "--no-sync")
        arguments = [str(self._binaries / "initdb"), "-D", self._data, *options]
        subprocess.run(arguments, check=True, capture_output=True, cwd="/", **self._user)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    def start(self) -> None:
        settings = ("listen_addresses=", f"unix_socket_directories={self._directory}", "fsync=off")
        options = [each for setting in settings for each in ("-c", setting)]
        server = [str(self._binaries / "postgres"), "-D", self._data, *options]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(server, stdout=log, stderr=log, cwd="/", **self._user)
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._directory), "-t", "1"]
        while subprocess.run(ready, check=False, cwd="/", **self._user).returncode:
            assert self._process.poll() is None, (self._directory / "log").read_text()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # it waits for no client then
        self._process.wait(30)


def _user() -> dict[str, Any]:
    """Return as whom it runs: it refuses to as root."""
    if os.geteuid() != 0:
        return {}
    names = {each.pw_name for each in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody", "extra_groups": []}
