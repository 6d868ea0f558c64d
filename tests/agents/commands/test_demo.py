"""The demo where it cannot start."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import chargewatch


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)


def errors(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("Error: ")]


def test_without_java_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(chargewatch, ["demo"])
    assert result.exit_code == 1
    assert errors(result.output) == result.output.splitlines()[1:]
    assert result.output.splitlines()[1:] == [
        "Error: no Java on PATH: install Java 17 or newer, or set KAFKA_BOOTSTRAP_SERVERS to use a "
        "Kafka that is already running"
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_configured_kafka_that_does_not_answer(tmp_path: Path) -> None:
    result = CliRunner().invoke(chargewatch, ["demo", "--bootstrap-servers", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert [line.partition(" (")[0] for line in errors(result.output)] == [
        "Error: no Kafka answers at 127.0.0.1:1"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", ["1", "nan", "1e9"])
def test_a_live_part_of_no_sensible_length(seconds: str) -> None:
    result = CliRunner().invoke(chargewatch, ["demo", "--live-seconds", seconds])
    assert result.exit_code == 2
    assert "--live-seconds" in result.output
