"""An installation under a real Prometheus: what panels ask for is there, and alerts fire and end.

`python -m tests.deploy.monitoring.live`; needs `prometheus` on the path, and some minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from deploy.local_kafka import LocalKafka
from deploy.monitoring.check import FOLDER
from deploy.monitoring.dashboards import DASHBOARDS
from deploy.monitoring.panels import expressions
from streams.kafka.config import client_config
from tests.integration.gateway import Gateway, ask, charge, charge_request
from tests.integration.kafka import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.integration.worker import WorkerProcess

SIMULATED = ("--days", "45", "--charges-per-day", "1500", "--cards", "2000", "--merchants", "100",
             "--act")  # fmt: skip
RULES = (
    "# large: large\nblock if :amount_usd: > 400\n# watched: watched\nshadow review if :amount: > 9"
)

EMPTY: Final = {
    "a week ago": r"offset 7d",
    "no challengers, no signals": r"chargewatch_signals_missing",
    "nothing has drifted": r"chargewatch_drift_total",
    "no certificate is loaded": r"certificate_expires",
    "nothing is restored": r"deriv\(chargewatch_restored_records\[2m\]\)\) > 0",
}
"""Why an expression may give nothing here, and what is in it then."""


class Prometheus:
    """A Prometheus that asks processes every second, with alerts that do not wait."""

    def __init__(self, directory: Path, jobs: Mapping[str, list[int]]) -> None:
        directory.mkdir()
        self._port = _free_port()
        alerts = re.sub(r"for: \w+", "for: 0s", (FOLDER / "alerts.yml").read_text("utf-8"))
        (directory / "alerts.yml").write_text(alerts, "utf-8")
        self._directory = directory
        for job, ports in jobs.items():
            self.watch(job, ports)
        asked = [
            {
                "job_name": f"chargewatch-{job}",
                "file_sd_configs": [{"files": [f"{job}.json"], "refresh_interval": "1s"}],
            }
            for job in jobs
        ]
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        settings = {"global": every, "rule_files": ["alerts.yml"], "scrape_configs": asked}
        (directory / "prometheus.yml").write_text(json.dumps(settings), "utf-8")
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={directory / 'prometheus.yml'}",
                 f"--storage.tsdb.path={directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self._port}"],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30.0)

    def watch(self, job: str, ports: list[int]) -> None:
        """Ask the processes at these ports from now on."""
        targets = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
        written = self._directory / f"{job}.new"
        written.write_text(json.dumps(targets), "utf-8")
        written.replace(self._directory / f"{job}.json")

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now; none while it does not answer."""
        asked = urllib.parse.urlencode({"query": expression.replace("$__rate_interval", "1m")})
        address = f"http://127.0.0.1:{self._port}/api/v1/query?{asked}"
        try:
            with urllib.request.urlopen(address, timeout=30.0) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except OSError as error:
            if getattr(error, "code", 503) != 503:
                raise
            return []
        return found

    def firing(self) -> set[str]:
        """Return the alerts that fire now."""
        return {each["metric"]["alertname"] for each in self.ask('ALERTS{alertstate="firing"}')}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(is_so: Callable[[], object], what: str, timeout_s: float = 600.0) -> None:
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() < began + timeout_s, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.5)
    click.echo(f"{what}: after {time.monotonic() - began:.0f} s")


def chargewatch(gateway: Gateway, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "agents", *arguments], env=os.environ | gateway.env,
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip


def traffic(gateway: Gateway, api: WorkerProcess, directory: Path) -> None:
    """Send what makes every counter count."""
    rules = directory / "rules"
    rules.write_text(RULES, "utf-8")
    chargewatch(gateway, "rules", "put", str(rules))
    gateway.kafka.produce(gateway.topics.charges, [(b"tok_1", b"no JSON")])
    gateway.kafka.produce(gateway.topics.rules, [(b"shop", b"no JSON")])
    chargewatch(gateway, "simulate", *SIMULATED)
    for number in range(20):
        asked = charge(number, funding="gold")
        gateway.kafka.produce(gateway.topics.charges, [(b"tok_x", orjson.dumps(asked))])
        ask(api.port, charge_request(charge(f"api_{number}"), deadline_ms=1 + 500 * (number % 2)))


def empty_panels(prometheus: Prometheus) -> list[str]:
    """Return the expressions that give nothing for a minute, and have no reason to."""
    asked = [each for dashboard in DASHBOARDS for each in expressions(dashboard)]
    excused = {e for e in asked if any(re.search(why, e) for why in EMPTY.values())}
    deadline = time.monotonic() + 60.0
    while True:
        nothing = [each for each in asked if not prometheus.ask(each)]
        empty = [each for each in nothing if each not in excused]
        if not empty or time.monotonic() > deadline:
            click.echo(f"{len(asked) - len(nothing)} of {len(asked)} expressions give something")
            return empty
        time.sleep(1.0)


def run(directory: Path) -> list[str]:
    """Run all of it; return the expressions that gave nothing."""
    with ExitStack() as running:
        local = running.enter_context(LocalKafka())
        kafka = Kafka(client_config(local.bootstrap_servers, {}))
        gateway = running.enter_context(Gateway(kafka, f"live-{uuid.uuid4().hex[:8]}.", directory))
        gateway.env["CHARGEWATCH_READ_MODEL_URL"] = f"sqlite:///{directory / 'read-model'}"
        workers = [gateway.worker(CHARGEWATCH_CHALLENGERS="linear") for _ in range(2)]
        api, console = gateway.replica(), gateway.console()
        ports = {"worker": [each.port for each in workers], "api": [api.port],
                 "console": [console.port]}  # fmt: skip
        prometheus = running.enter_context(Prometheus(directory / "prometheus", ports))
        until(lambda: len(prometheus.ask("up == 1")) == 4, "Prometheus sees all processes")
        traffic(gateway, api, directory)
        until(lambda: not prometheus.ask("chargewatch_lag_messages > 0"), "everything is scored")
        until(lambda: prometheus.ask("chargewatch_kafka_round_trip_seconds > 0"), "clients tell")
        click.echo(f"alerts: {sorted(prometheus.firing())}")
        empty = empty_panels(prometheus)
        _kill_and_come_back(gateway, workers, prometheus)
    return empty


def _kill_and_come_back(
    gateway: Gateway, workers: list[WorkerProcess], prometheus: Prometheus
) -> None:
    """Kill one worker, then the other; what fires has to say so, and to end."""
    workers[0].kill()
    until(lambda: "ChargewatchProcessDown" in prometheus.firing(), "one is told to be down")
    assert "ChargewatchNoWorker" not in prometheus.firing()
    workers[1].kill()
    until(lambda: "ChargewatchNoWorker" in prometheus.firing(), "no worker is told")
    prometheus.watch("worker", [gateway.worker().port])
    until(lambda: "ChargewatchNoWorker" not in prometheus.firing(), "a worker is told to be back")


def main() -> int:
    """Return 0 when every panel had something, and the alerts came and went."""
    assert shutil.which("prometheus"), "prometheus is not there: apt-get install prometheus"
    with TemporaryDirectory(prefix="chargewatch-live-") as directory:
        empty = run(Path(directory))
    for expression in empty:
        click.echo(f"nothing: {expression}")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
