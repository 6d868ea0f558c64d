"""The check finds what is wrong: each mistake is planted in a copy of `deploy`, alone.

`make check-deploy` runs these; they need its tools.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.image.contents import bill_of_materials
from tests.deploy.check.checks import of_bill, of_chart, of_compose, of_dockerfile, of_variant
from tests.deploy.check.tools import KUBERNETES, Tools, tools


@dataclass(frozen=True)
class Mistake:
    """A text of a file in the place of another, and words of what is said of it."""

    file: str
    right: str
    wrong: str
    said: str
    variant: str = "autoscaled"


DOCKERFILE = [
    Mistake("image/Dockerfile", "USER 10001:10001", "USER root", "DL3002"),
    Mistake("image/Dockerfile", "FROM ${PYTHON}\n\n", "FROM python\n\n", "DL3006"),
    Mistake("image/Dockerfile", "  && rm -rf /var/lib/apt/lists/* \\\n", "", "DL3009"),
    Mistake("image/Dockerfile", "WORKDIR /build", "RUN cd /build", "DL3003"),
]
COMPOSE = [
    Mistake("compose/compose.yaml", "\n  read-model:\n", "\n", "read-model"),
    Mistake("compose/compose.yaml", "command: [serve]", "comand: [serve]", "comand"),
    Mistake("compose/compose.yaml", "127.0.0.1:9092:9092", "127.0.0.1:9092:port", "port"),
    Mistake(
        "compose/compose.yaml", "condition: service_healthy", "condition: healthy", "condition"
    ),
    Mistake("compose/compose.yaml", "\n  kafka:\n    image", "\n  broker:\n    image", "kafka"),
    Mistake(
        "compose/compose.yaml", "datasources.yaml", "sources.yaml", "sources.yaml is not there"
    ),
]
CHART = [
    Mistake("chart/templates/worker.yaml", "podManagementPolicy", "podManagment", "podManagment"),
    Mistake("chart/templates/worker.yaml", "containerPort: 6066", "containerPort: web", "integer"),
    Mistake("chart/templates/api.yaml", "maxSurge: 1", "maxSurplus: 1", "maxSurplus"),
    Mistake("chart/templates/api.yaml", "seconds: 5", "second: 5", "second"),
    Mistake("chart/templates/worker.yaml", "args: [worker]", "args: [work]", "no command work"),
    Mistake("chart/templates/worker.yaml", "CHARGEWATCH_WEB_PORT", "CHARGEWATCH_PORT", "no such"),
    Mistake("chart/templates/worker.yaml", "--partitions,", "--partition,", "--partition"),
    Mistake(
        "chart/templates/worker.yaml", "{{- $context :=", "{{- $contest :=", "undefined variable"
    ),
    Mistake("chart/templates/scaledobject.yaml", "maxReplicaCount", "maxReplicas", "maxReplicas"),
    Mistake("chart/templates/scaledobject.yaml", "  triggers:", "  trigger:", "triggers"),
    Mistake("chart/files/alerts.yml", "    rules:\n", "    rule:\n", "rule"),
    Mistake("chart/templates/monitoring.yaml", "podMetricsEndpoints", "endpoints", "endpoints"),
    Mistake(
        "chart/templates/kafkatopics.yaml",
        "  partitions: {{",
        "  partitions: x{{",
        "partitions",
        "strimzi",
    ),
    Mistake(
        "chart/templates/kafkausers.yaml", "type: simple", "type: acl", "authorization", "strimzi"
    ),
    Mistake("chart/templates/networkpolicy.yaml", "protocol: UDP", "protocoll: UDP", "protocoll"),
    Mistake("chart/values.yaml", "  lagSeconds: 5", "  lagSecond: 5", "lagSecond"),
    Mistake("chart/ci/autoscaled.yaml", "standby_replicas: 1", "standby: 1", "standby"),
    Mistake(
        "chart/ci/autoscaled.yaml", "account_age_days: number", "account_age_days: text", "signals"
    ),
    Mistake(
        "chart/ci/autoscaled.yaml",
        "  enabled: true\n  prom",
        "  maxReplicas: 13\n  enabled: true\n  prom",
        "no work",
    ),
    Mistake(
        "chart/ci/autoscaled.yaml", "  kafkaUser: chargewatch-api\n", "", "api.kafkaUser: not set"
    ),
    Mistake(
        "chart/ci/plain.yaml",
        "  url: https://fraud.example",
        "  url: ''",
        "passwords need TLS",
        "plain",
    ),
    Mistake("chart/ci/plain.yaml", "replicas: 2", "replicas: 5", "no work", "plain"),
]


@pytest.fixture(scope="module")
def made() -> Tools:
    return tools()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    deploy = tmp_path / "deploy"
    for folder in ("image", "compose", "chart"):
        shutil.copytree(Path("deploy") / folder, deploy / folder)
    return deploy


def _plant(copy: Path, mistake: Mistake) -> None:
    file = copy / mistake.file
    text = file.read_text()
    assert mistake.right in text
    file.write_text(text.replace(mistake.right, mistake.wrong))


def _said(mistake: Mistake) -> str:
    return f"{mistake.file}: {mistake.wrong}"


def test_nothing_is_found_where_nothing_is_wrong(copy: Path, made: Tools) -> None:
    assert not list(of_dockerfile(copy / "image/Dockerfile", made))
    assert not list(of_chart(copy / "chart", made))


@pytest.mark.parametrize("mistake", DOCKERFILE, ids=_said)
def test_of_the_dockerfile(copy: Path, made: Tools, mistake: Mistake) -> None:
    _plant(copy, mistake)
    assert mistake.said in "\n".join(of_dockerfile(copy / "image/Dockerfile", made))


@pytest.mark.parametrize("mistake", COMPOSE, ids=_said)
def test_of_compose(copy: Path, made: Tools, mistake: Mistake) -> None:
    _plant(copy, mistake)
    assert mistake.said in "\n".join(of_compose(copy / "compose/compose.yaml", made))


def test_of_the_bill_of_materials(made: Tools) -> None:
    bill = bill_of_materials()
    assert not list(of_bill(bill, made))
    bill["components"][0]["licenses"] = [{"license": {"nam": "MIT"}}]
    assert "$.components[0].licenses" in "\n".join(of_bill(bill, made))


@pytest.mark.parametrize("mistake", CHART, ids=_said)
def test_of_the_chart(copy: Path, made: Tools, mistake: Mistake) -> None:
    _plant(copy, mistake)
    variant = copy / f"chart/ci/{mistake.variant}.yaml"
    found = of_variant(copy / "chart", variant, KUBERNETES[-1], made)
    assert mistake.said in "\n".join(found)
