"""What is missing on the machine is said in one message that helps."""

import threading
from pathlib import Path

import pytest

from deploy import kafka_jars
from deploy.kafka_jars import LocalKafkaError, find_java


def _program(directory: Path, name: str, script: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one directory on PATH, empty; the cache is empty as well."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return directory


@pytest.mark.usefixtures("programs")
def test_no_java() -> None:
    with pytest.raises(LocalKafkaError, match=r"no Java on PATH: install Java 17.*KAFKA_BOOTSTRAP"):
        find_java()


@pytest.mark.parametrize(
    "script",
    ["echo 'openjdk version \"11.0.2\"' >&2", "echo 'No Java runtime present.' >&2; exit 1"],
)
def test_java_too_old_or_no_java_at_all(programs: Path, script: str) -> None:
    _program(programs, "java", script)
    with pytest.raises(LocalKafkaError, match=r"no Java 17 or newer: install one.*KAFKA_BOOTSTRAP"):
        find_java()


def test_java_home_comes_first(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(programs, "java", "echo 'openjdk version \"11.0.2\"' >&2")
    home = programs.parent / "home"
    _program(home / "bin", "java", "echo 'openjdk version \"21\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert find_java() == f"{home}/bin/java"


@pytest.mark.usefixtures("programs")
def test_no_maven() -> None:
    with pytest.raises(LocalKafkaError, match=r"no Maven \(mvn\) on PATH: install it.*KAFKA_BOOTS"):
        kafka_jars.kafka_jars()


def test_failing_maven_shows_what_it_said_and_leaves_no_jars(programs: Path) -> None:
    _program(programs, "mvn", "echo '[ERROR] no route'; exit 1")
    for _ in range(2):
        with pytest.raises(LocalKafkaError, match=r"KAFKA_BOOTSTRAP_SERVERS(.|\n)*no route"):
            kafka_jars.kafka_jars()


def test_concurrent_starters_copy_once(programs: Path) -> None:
    runs = programs.parent / "runs"
    # Its last argument names the directory; it takes long enough for the others to arrive.
    script = f"""
    echo run >> {runs}
    for argument; do :; done
    directory=${{argument#-DoutputDirectory=}}
    /bin/mkdir "$directory" && /bin/sleep 0.2 && echo jar > "$directory/kafka.jar"
    """
    _program(programs, "mvn", script)
    seen: list[str] = []

    def start() -> None:
        seen.append((kafka_jars.kafka_jars() / "kafka.jar").read_text())

    starters = [threading.Thread(target=start) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert seen == ["jar\n"] * 4
    assert runs.read_text() == "run\n"
    assert kafka_jars.kafka_version() in kafka_jars.kafka_jars().name
