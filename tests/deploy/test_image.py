"""The Dockerfile fits the program, and the bill of materials what is installed."""

from importlib.metadata import distributions
from pathlib import Path

import pytest

from agents.settings.schema import Settings
from agents.settings.sources import load_settings
from deploy.image import contents
from tests.deploy.dockerfile import DOCKERFILE, stages

BUILD, FINAL = stages(DOCKERFILE.read_text())
ENVIRONMENT = FINAL.environment({"PATH": "/usr/bin"})


def _ignore_rules() -> list[str]:
    return Path(f"{DOCKERFILE}.dockerignore").read_text().splitlines()


def test_its_ports_are_the_defaults() -> None:
    settings = Settings()
    ports = [settings.web_port, settings.api_port, settings.console_port]
    assert FINAL.last("EXPOSE").text.split() == [str(port) for port in ports]
    assert ENVIRONMENT["HEALTH_URL"] == f"http://127.0.0.1:{settings.web_port}/healthz"


def test_its_settings_are_known() -> None:
    settings = load_settings({}, ENVIRONMENT)
    assert str(settings.state_dir) == FINAL.last("VOLUME").text


def test_it_runs_as_a_user_without_rights() -> None:
    uid, _, gid = FINAL.last("USER").text.partition(":")
    assert int(uid) >= 10_000
    assert int(gid) >= 10_000
    after = FINAL.instructions[FINAL.instructions.index(FINAL.last("USER")) :]
    assert not [instruction for instruction in after if instruction.name == "RUN"]


def test_kernels_are_of_the_processor_that_is_asked_for_them() -> None:
    compiled_for = BUILD.environment({"PATH": ""})
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        assert compiled_for[name] == ENVIRONMENT[name]


def test_every_package_is_copied_and_let_in() -> None:
    packages = {file.parent.name for file in Path().glob("*/__init__.py")}
    copied = {i.words[0] for i in BUILD.instructions if i.name == "COPY"}
    let_in = {rule.removeprefix("!") for rule in _ignore_rules()}
    assert packages
    assert packages <= copied
    assert packages <= let_in


def test_everything_copied_from_the_repository_is_let_in() -> None:
    rules = _ignore_rules()
    for stage in (BUILD, FINAL):
        for instruction in stage.instructions:
            if instruction.name == "COPY" and "--from" not in instruction.text:
                sources = [word for word in instruction.words if not word.startswith("--")][:-1]
                for source in sources:
                    top = source.partition("/")[0]
                    assert {f"!{top}", "!requirements*.txt"} & set(rules), source
                    assert Path(source).exists()


def test_the_bill_has_every_package_with_its_licence() -> None:
    bill = contents.bill_of_materials()
    parts = {part["purl"]: part for part in [bill["metadata"]["component"], *bill["components"]]}
    for distribution in distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-")
        assert f"pkg:pypi/{name}@{distribution.version}" in parts
    unnamed = [
        purl
        for purl, part in parts.items()
        if purl.startswith("pkg:pypi/") and contents.licences(part) == "not told"
    ]
    assert not unnamed


def test_debian_packages_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libgomp1\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.2.0-14\n"
        "Description: a library\n of many lines\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1:2\n"
    )
    monkeypatch.setattr(contents, "DPKG", status)
    found = [part["purl"] for part in contents.components() if "deb" in part["purl"]]
    assert found == ["pkg:deb/debian/libgomp1@12.2.0-14?arch=amd64"]
