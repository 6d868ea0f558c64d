"""Databases of their own: a file of SQLite, a server of PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL


def sqlite_url(directory: Path) -> URL:
    return make_url(f"sqlite:///{directory / 'read_model.sqlite'}")


def postgresql_binaries() -> Path | None:
    """Return where the server's programs are, as Debian has them or the path; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(binaries: Path) -> Iterator[URL]:
    """Run a server that is reached by a socket alone."""
    directory = Path(tempfile.mkdtemp(prefix="cw-pg-", dir="/tmp"))
    user = _user()
    data = directory / "data"
    if user:
        shutil.chown(directory, user["user"])
    arguments = [
        str(binaries / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run(arguments, check=True, capture_output=True, cwd="/", **user)
    settings = ("listen_addresses=", f"unix_socket_directories={directory}", "fsync=off")
    options = [each for setting in settings for each in ("-c", setting)]
    server = [str(binaries / "postgres"), "-D", str(data), *options]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(server, stdout=log, stderr=log, cwd="/", **user)
    try:
        _wait(binaries, directory, process, user)
        yield make_url(f"postgresql+psycopg://postgres@/postgres?host={directory}")
    finally:
        process.send_signal(signal.SIGINT)  # it waits for no client then
        process.wait(30)
        shutil.rmtree(directory)


def _user() -> dict[str, Any]:
    """Return as whom it runs: it refuses to as root."""
    if os.geteuid() != 0:
        return {}
    names = {each.pw_name for each in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody", "extra_groups": []}


def _wait(
    binaries: Path, directory: Path, process: subprocess.Popen[bytes], user: dict[str, Any]
) -> None:
    ready = [str(binaries / "pg_isready"), "-q", "-h", str(directory), "-t", "1"]
    while subprocess.run(ready, check=False, cwd="/", **user).returncode:
        assert process.poll() is None, (directory / "log").read_text()
