"""The follower of the read model, as an operator runs it: a process, used by several tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from agents.web.read_model.database import ReadModel, ReadModelError, fresh_as_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from sqlalchemy.engine import URL

    from tests.integration.kafka import Kafka

WAIT_S = 60.0


class FollowerProcess:
    """`chargewatch read-model`, as an operator runs it."""

    def __init__(self, kafka: Kafka, prefix: str, url: URL, log: Path, *arguments: str) -> None:
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CHARGEWATCH_TOPIC_PREFIX": prefix,
            "CHARGEWATCH_READ_MODEL_URL": url.render_as_string(hide_password=False),
        }
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agents", "read-model", *arguments],
                env=os.environ | env, stdout=file, stderr=file,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"The follower's log:\n{self.text()[-4000:]}")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")


def wait_until_fresh(url: URL, since: float, timeout_s: float = WAIT_S) -> None:
    """Wait until all is in that was committed before a time."""
    read_model, deadline = ReadModel(url), time.monotonic() + timeout_s
    at = None
    while at is None or at < since:
        assert time.monotonic() < deadline, "the read model is not brought up to date"
        time.sleep(0.05)
        try:
            with read_model.reading() as connection:
                at = fresh_as_of(connection)
        except ReadModelError:
            at = None
    read_model.close()
