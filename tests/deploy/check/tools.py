"""Tools and schemas of the check, pinned, made once in `build/deploy-tools`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.kafka_jars import java_version

PINS: Final = Path(__file__).with_name("pins")
WHERE: Final = Path("build/deploy-tools").absolute()

KUBERNETES: Final = ("1.30.0", "1.37.0")
"""The oldest that the chart takes, and the newest that is known."""

GO_TOOLS: Final = {
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
    "compose": "./compose",
}

OPERATORS: Final = (
    (
        "github.com/kedacore/keda/v2@v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    ),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_*monitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
)
"""Go modules of operators, what is in them by their sums, and the definitions of their kinds."""

STRIMZI: Final = {
    "kafkatopic": "io.strimzi.api.kafka.model.topic.KafkaTopic",
    "kafkauser": "io.strimzi.api.kafka.model.user.KafkaUser",
}
STRIMZI_JAVA_MIN: Final = 21


class ToolError(RuntimeError):
    """A tool cannot be made; the message says what is missing."""


@dataclass(frozen=True)
class Tools:
    """Paths of what the checks run and read."""

    helm: Path
    kubeconform: Path
    compose: Path
    hadolint: Path
    kubernetes: Path
    operators: Path
    cyclonedx: Path


def tools() -> Tools:
    """Make what is not there yet, or was made from other pins.

    Raises
    ------
    ToolError
        If Go, Java or Maven is missing, or a package is not what it was.
    """
    WHERE.mkdir(parents=True, exist_ok=True)
    for name, package in GO_TOOLS.items():
        if _is_outdated(WHERE / name, "go.mod", "go.sum", "compose/main.go"):
            _run(["go", "build", "-mod=readonly", "-o", WHERE / name, package], cwd=PINS)
    packages = WHERE / "packages"
    if _is_outdated(packages / "done", "requirements.txt", "../tools.py"):
        shutil.rmtree(packages, ignore_errors=True)
        what = ["--no-deps", "--require-hashes", "--requirement", f"{PINS}/requirements.txt"]
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, *what])
        for version in KUBERNETES:
            _write_kubernetes_schemas(packages, version)
        (packages / "done").touch()
    operators = WHERE / "operators"
    if _is_outdated(operators / "done", "pom.xml", "../tools.py"):
        shutil.rmtree(operators, ignore_errors=True)
        operators.mkdir()
        for definition in (*_of_go_modules(), *_of_strimzi()):
            write_schemas(yaml.safe_load(definition.read_text(encoding="utf-8")), operators)
        (operators / "done").touch()
    return Tools(
        helm=WHERE / "helm",
        kubeconform=WHERE / "kubeconform",
        compose=WHERE / "compose",
        hadolint=packages / "bin/hadolint",
        kubernetes=WHERE / "kubernetes",
        operators=operators,
        cyclonedx=packages / "cyclonedx/schema/_res",
    )


def _write_kubernetes_schemas(packages: Path, version: str) -> None:
    """Write the schemas of Kubernetes so that they find each other in their own directory."""
    source = packages / f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict"
    target = WHERE / "kubernetes" / version
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.json"):
        schema = json.loads(file.read_text(encoding="utf-8").replace("/api/_def", "_def"))
        schema.pop("$id", None)
        (target / file.name).write_text(json.dumps(schema), encoding="utf-8")


def write_schemas(definition: dict[str, Any], directory: Path) -> None:
    """Write the JSON Schemas of a CustomResourceDefinition, as kubeconform finds them."""
    kind = definition["spec"]["names"]["kind"].lower()
    for version in definition["spec"]["versions"]:
        schema = closed(version["schema"]["openAPIV3Schema"])
        file = directory / f"{kind}_{version['name']}.json"
        file.write_text(json.dumps(schema), encoding="utf-8")


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that refuses fields it does not name, which a server would drop in silence.

    >>> closed({"properties": {"a": {"type": "string"}}})
    {'properties': {'a': {'type': 'string'}}, 'additionalProperties': False}
    """
    parts = dict(schema)
    if "properties" in schema:
        parts["properties"] = {name: closed(part) for name, part in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            parts.setdefault("additionalProperties", False)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            parts[name] = closed(schema[name])
    return parts


def _of_go_modules() -> Iterator[Path]:
    for module, expected, files in OPERATORS:
        answer = _run(["go", "mod", "download", "-json", module], cwd=WHERE)
        downloaded = json.loads(answer)
        if downloaded["Sum"] != expected:
            raise ToolError(f"{module}: expected the sum {expected}, got {downloaded['Sum']}")
        for pattern in files:
            yield from Path(downloaded["Dir"]).glob(pattern)


def _of_strimzi() -> Iterator[Path]:
    jars, made = WHERE / "strimzi-jars", WHERE / "strimzi"
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
    _run(["mvn", "--quiet", "--batch-mode", "--file", PINS / "pom.xml", *goal])
    made.mkdir(exist_ok=True)
    kinds = [f"{class_}={made / name}.yaml" for name, class_ in STRIMZI.items()]
    generator = "io.strimzi.crdgenerator.CrdGenerator"
    _run([_java(), "-cp", f"{jars}/*", generator, "--yaml", *kinds])
    yield from made.glob("*.yaml")


def _java() -> str:
    """Return a Java that Strimzi's generator runs on: the usual one, or any that is installed."""
    usual = shutil.which(f"{os.environ.get('JAVA_HOME', '/usr')}/bin/java")
    others = map(str, Path("/usr/lib/jvm").glob("*/bin/java"))
    for java in (*filter(None, [usual]), *others):
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        if (java_version(shown.stderr) or 0) >= STRIMZI_JAVA_MIN:
            return java
    raise ToolError(f"no Java {STRIMZI_JAVA_MIN} or newer: install one, or set JAVA_HOME")


def _is_outdated(made: Path, *pins: str) -> bool:
    newest = max((PINS / pin).stat().st_mtime for pin in pins)
    return not made.exists() or made.stat().st_mtime < newest


def _run(command: list[str | Path], cwd: Path | None = None) -> str:
    program = str(command[0])
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise ToolError(f"no {program} on PATH: install it") from None
    except subprocess.CalledProcessError as error:
        raise ToolError(f"{program}: {error.stderr or error.stdout}") from None
    return done.stdout
