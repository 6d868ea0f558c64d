"""What the containers on a laptop run is a command of this version, with settings that it has."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kafka_jars import kafka_version
from tests.deploy.commands import of_command

FILE = Path("deploy/compose/compose.yaml")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
OWN = {name: service for name, service in SERVICES.items() if "build" in service}
COMMANDS = {name: service for name, service in OWN.items() if "entrypoint" not in service}


def _settings(service: dict[str, Any]) -> dict[str, str]:
    environment = service["environment"]
    return {name: value for name, value in environment.items() if name != "HEALTH_URL"}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_settings_are_known(name: str) -> None:
    service = COMMANDS[name]
    assert not list(of_command(service["command"], _settings(service)))


@pytest.mark.parametrize(
    ("command", "env", "said"),
    [
        (["work"], {}, "no command work"),
        (["topics", "--partition", "4"], {}, "--partition"),
        (["worker"], {"CHARGEWATCH_API_HOTS": "0.0.0.0"}, "CHARGEWATCH_API_HOTS"),
        (["worker"], {"CHARGEWATCH_WEB_PORT": "web"}, "CHARGEWATCH_WEB_PORT"),
    ],
)
def test_what_is_not_known_is_found(command: list[str], env: dict[str, str], said: str) -> None:
    [problem] = of_command(command, env)
    assert said in problem


def test_each_part_is_there() -> None:
    verbs = [service["command"][0] for service in COMMANDS.values()]
    assert sorted(verbs) == ["console", "serve", "simulate", "topics", "worker", "worker"]
    assert {"kafka", "prometheus", "grafana"} <= set(SERVICES)


def test_workers_share_no_state_and_no_name() -> None:
    workers = [service for service in COMMANDS.values() if service["command"] == ["worker"]]
    for what in ("CHARGEWATCH_INSTANCE_ID", "CHARGEWATCH_WORKER_ID"):
        assert len({worker["environment"][what] for worker in workers}) == len(workers)
    assert len({str(worker["volumes"]) for worker in workers}) == len(workers)


def test_health_pages_are_on_the_port_that_is_published() -> None:
    for name in ("api", "console"):
        service = SERVICES[name]
        [published] = service["ports"]
        port = published.rpartition(":")[2]
        assert f":{port}/healthz" in service["environment"]["HEALTH_URL"]


def test_nothing_is_open_to_others_than_the_laptop() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_our_containers_have_no_rights() -> None:
    for service in OWN.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_kafka_is_the_release_that_is_tested_with() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_one_broker_can_hold_all_topics() -> None:
    command = SERVICES["topics"]["command"]
    assert command[command.index("--replication") + 1] == "1"
