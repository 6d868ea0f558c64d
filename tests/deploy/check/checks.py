"""The checks of image, compose and chart; each yields what is wrong, in a line or a few."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from deploy.image.contents import bill_of_materials
from tests.deploy.check.tools import KUBERNETES, Tools
from tests.deploy.commands import of_command, of_settings


def problems(deploy: Path, tools: Tools) -> Iterator[str]:
    """Yield all that is wrong with a directory like `deploy`."""
    yield from of_dockerfile(deploy / "image/Dockerfile", tools)
    yield from of_compose(deploy / "compose/compose.yaml", tools)
    yield from of_chart(deploy / "chart", tools)
    yield from of_bill(bill_of_materials(), tools)


def of_dockerfile(dockerfile: Path, tools: Tools) -> Iterator[str]:
    """Yield what hadolint says."""
    done = _run([tools.hadolint, "--no-color", dockerfile])
    if done.returncode:
        yield f"{dockerfile}: hadolint: {done.stdout}{done.stderr}"


def of_compose(file: Path, tools: Tools) -> Iterator[str]:
    """Yield what the loader of Docker Compose does not take, and mounted files that are missing."""
    done = _run([tools.compose, file.name], cwd=file.parent)
    if done.returncode:
        yield f"{file}: compose: {done.stdout}{done.stderr}"
        return
    for name, service in json.loads(done.stdout)["services"].items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind" and not Path(volume["source"]).exists():
                yield f"{file}: {name}: {volume['source']} is not there"


def of_chart(chart: Path, tools: Tools) -> Iterator[str]:
    """Yield what is wrong with each variant of the values."""
    for variant in sorted(chart.glob("ci/*.yaml")):
        for version in KUBERNETES:
            yield from (
                f"{variant}: {found}" for found in of_variant(chart, variant, version, tools)
            )


def of_variant(chart: Path, variant: Path, version: str, tools: Tools) -> Iterator[str]:
    """Yield what is wrong with one variant for a version of Kubernetes."""
    values = ["--namespace", "fraud", "--values", f"{variant}", "--kube-version", version]
    for command in ("lint --strict --quiet", "template chargewatch"):
        done = _run([tools.helm, *command.split(), chart, *values])
        if done.returncode:
            yield f"helm {command}: {done.stdout}{done.stderr}"
            return
    yield from _of_manifests(done.stdout, version, tools)
    yield from of_containers(done.stdout)


def _of_manifests(manifests: str, version: str, tools: Tools) -> Iterator[str]:
    own = f"{tools.kubernetes}/{version}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    custom = f"{tools.operators}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"
    locations = ["-schema-location", own, "-schema-location", custom]
    command = [f"{tools.kubeconform}", "-strict", "-kubernetes-version", version, *locations]
    done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"Kubernetes {version}: {done.stdout}{done.stderr}"


def of_bill(bill: dict[str, Any], tools: Tools) -> Iterator[str]:
    """Yield what CycloneDX does not take of a bill of materials."""
    schemas = {file.name: json.loads(file.read_text()) for file in tools.cyclonedx.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema, DRAFT7)) for schema in schemas.values()
    )
    schema = schemas["bom-1.6.SNAPSHOT.schema.json"]
    for error in Draft7Validator(schema, registry=registry).iter_errors(bill):
        yield f"bill of materials: {error.json_path}: {error.message}"


def of_containers(manifests: str) -> Iterator[str]:
    """Yield what `chargewatch` would not take of the settings and commands that its pods have."""
    kinds = [kind for kind in yaml.safe_load_all(manifests) if kind]
    [file] = [kind["data"]["chargewatch.toml"] for kind in kinds if kind["kind"] == "ConfigMap"]
    for kind in kinds:
        pod = (
            kind["spec"]["template"]["spec"]
            if kind["kind"] in {"StatefulSet", "Deployment"}
            else {}
        )
        for container in (*pod.get("initContainers", []), *pod.get("containers", [])):
            env = {entry["name"]: entry.get("value", "of-a-secret") for entry in container["env"]}
            waits = "command" in container  # for commands that people give
            wrong = of_settings(env, file) if waits else of_command(container["args"], env, file)
            for problem in wrong:
                yield f"{kind['metadata']['name']}: {container['name']}: {problem}"


def _run(command: list[str | Path], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
