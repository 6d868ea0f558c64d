"""The console command as a user meets it, where no Kafka is needed."""

import gzip
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.commands import VERBS, chargewatch
from agents.models.kinds import KINDS
from streams.events.files import read_events

QUICK = ("topics", "simulate", "publish", "watch")


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(
        chargewatch, arguments, env={"KAFKA_BOOTSTRAP_SERVERS": "", **(env or {})}
    )


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_names_every_verb_and_imports_none() -> None:
    code = "import sys; from agents.__main__ import main\ntry: main()\nfinally: print(*sys.modules)"
    arguments = [sys.executable, "-c", code, "--help"]
    shown = subprocess.run(
        arguments, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    ).stdout
    assert [verb for verb in VERBS if f"  {verb} " not in shown] == []
    heavy = {"numpy", "confluent_kafka", "faust", "numba", "river", "agents.settings.schema"}
    assert heavy & set(shown.splitlines()[-1].split()) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_with_an_example(verb: str) -> None:
    result = invoke(verb, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"chargewatch {verb}" in result.output


def test_unknown_verb() -> None:
    result = invoke("scroe")
    assert result.exit_code == 2
    assert "No such command 'scroe'" in result.output


@pytest.mark.parametrize("verb", ["topics", "watch", "simulate", "models"])
def test_no_broker_configured(verb: str) -> None:
    result = invoke(verb)
    assert result.exit_code == 2
    assert result.output.startswith("Error: KAFKA_BOOTSTRAP_SERVERS: not set")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "env", "named"),
    [
        (("topics",), {"CHARGEWATCH_TYPO": "1"}, "CHARGEWATCH_TYPO: there is no such setting"),
        (("topics", "--topic-prefix", "a/b"), {}, "--topic-prefix: expected at most 200"),
        (("topics", "--config", "none.toml"), {}, "none.toml: No such file"),
        (
            ("topics",),
            {"KAFKA_BOOTSTRAP_SERVERS": "localhost:1", "KAFKA_SECURITY_PROTOCOL": "SLS"},
            "KAFKA_SECURITY_PROTOCOL: ",
        ),
    ],
)
def test_wrong_setting_is_one_line(
    arguments: tuple[str, ...], env: dict[str, str], named: str
) -> None:
    result = invoke(*arguments, env=env)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {named}")
    assert result.output.count("\n") == 1


def test_missing_broker_is_named_soon() -> None:
    began = time.monotonic()
    result = invoke("topics", "--bootstrap-servers", "127.0.0.1:1")
    assert time.monotonic() - began < 12
    assert result.exit_code == 1
    assert result.output.startswith("Error: no Kafka answers at 127.0.0.1:1 (")
    assert "KAFKA_BOOTSTRAP_SERVERS" in result.output
    assert result.output.count("\n") == 1


def test_simulated_files_are_those_of_the_seed_and_end_by_now() -> None:
    options = ("--cards", "200", "--merchants", "20", "--days", "6", "--charges-per-day", "500")
    for name, start in (("a", "1.75e9"), ("b", "1.75e9"), ("now", None)):
        given = ("--start", start) if start else ()
        files = ("--charges", f"{name}.jsonl", "--disputes", f"{name}-disputes.jsonl.gz")
        began = time.time()
        result = invoke("simulate", *options, *given, *files)
        assert result.exit_code == 0, result.output
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    assert Path("a-disputes.jsonl.gz").read_bytes() == Path("b-disputes.jsonl.gz").read_bytes()
    created = [
        orjson.loads(line)["created"] for line in Path("now.jsonl").read_bytes().splitlines()
    ]
    assert len(created) > 2000
    assert began - 6 * 86_400 < min(created) < max(created) < time.time()
    assert max(created) > began - 3600
    disputes = gzip.decompress(Path("a-disputes.jsonl.gz").read_bytes()).splitlines()
    assert disputes
    assert all(orjson.loads(line)["charge"] for line in disputes)


@pytest.mark.parametrize(
    ("option", "value"), [("--days", "nan"), ("--charges-per-day", "0"), ("--seed", "-1")]
)
def test_simulate_names_the_option_that_is_out_of_range(option: str, value: str) -> None:
    result = invoke("simulate", option, value, "--charges", "c.jsonl", "--disputes", "d.jsonl")
    assert result.exit_code == 2
    assert f"Error: {option}: expected " in result.output
    assert not Path("c.jsonl").exists()


def test_simulate_takes_its_start_as_a_date() -> None:
    files = ("--charges", "c.jsonl", "--disputes", "d.jsonl")
    assert invoke("simulate", "--days", "0.1", "--start", "2026-01-05", *files).exit_code == 0
    first = orjson.loads(Path("c.jsonl").read_bytes().splitlines()[0])
    assert 0 <= first["created"] - 1_767_571_200 < 600


def test_simulated_files_may_be_parquet() -> None:
    """As the example of its help has it; the first disputes come long after the first charges."""
    options = ("--cards", "200", "--merchants", "20", "--days", "6", "--charges-per-day", "800")
    found = {}
    for suffix in ("jsonl", "parquet"):
        files = {name: Path(f"{name}.{suffix}") for name in ("charges", "disputes")}
        given = [text for name, file in files.items() for text in (f"--{name}", str(file))]
        result = invoke("simulate", *options, "--start", "1.75e9", *given)
        assert result.exit_code == 0, result.output
        found[suffix] = {
            name: [_given(orjson.loads(event)) for event in read_events(file)]
            for name, file in files.items()
        }
    assert found["parquet"] == found["jsonl"]
    assert len(found["parquet"]["charges"]) > 4000
    assert found["parquet"]["disputes"]


def _given(event: dict[str, object]) -> dict[str, object]:
    return {name: content for name, content in event.items() if content is not None}


def test_simulate_to_one_file_only() -> None:
    result = invoke("simulate", "--charges", "c.jsonl")
    assert result.exit_code == 2
    assert "--charges and --disputes go together" in result.output


def test_simulate_acts_on_kafka_alone() -> None:
    result = invoke("simulate", "--act", "--charges", "c.jsonl", "--disputes", "d.jsonl")
    assert result.exit_code == 2
    assert "Error: --act: nobody scores what is written to files" in result.output
    assert "backtest --closed-loop" in " ".join(result.output.split())
    assert not Path("c.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "none.jsonl: No such file or directory"),
        ("f.xlsx", b"", "f.xlsx: expected a name that ends in"),
        ("f.jsonl", b"nonsense\n[]\n{}", "f.jsonl: holds no charge, dispute or outcome"),
        ("f.jsonl.gz", b"nonsense", "f.jsonl.gz: Not a gzipped file"),
    ],
)
def test_file_that_cannot_be_published(name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    result = invoke("publish", name)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {message}")
    assert result.output.count("\n") == 1


def test_a_challenger_that_is_no_model() -> None:
    env = {"CHARGEWATCH_CHALLENGERS": "linear,oracle"}
    result = invoke("worker", "--bootstrap-servers", "localhost:1", env=env)
    assert result.exit_code == 2
    assert (
        result.output == f"Error: challengers: expected some of {', '.join(KINDS)}, got 'oracle'\n"
    )
