"""How payloads are read, as it is set: what is wrong is said at once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agents.commands.worker import command
from agents.settings.schema import Settings
from agents.terminal.payloads import payloads_of
from streams.kafka.clients import Clients

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT = """
import sys
for name in ("fastavro", "httpx2", "httpx", "authlib", "google.protobuf", "cachetools"):
    sys.modules[name] = None
import agents.commands.demo, agents.commands.simulate, agents.commands.watch, agents.commands.worker
from agents.settings.schema import Settings
from agents.terminal.registry import registry_of
from streams.errors import OperationalError
assert registry_of(Settings()) is None
try:
    registry_of(Settings(schema_registry_url="http://127.0.0.1:1"))
except OperationalError as error:
    print(error)
"""


def test_plain_json_needs_nothing() -> None:
    assert payloads_of(Settings(), Clients({})) is None


def test_missing_packages_are_named_where_they_are_needed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("schema_registry_url: needs packages that are not installed")
    assert done.stdout.strip().endswith("pip install '.[registry]'")


PAGE = """
[charge]
id = "r"
created = { from = "t", unit = "s" }
amount = { from = "a", unit = "minor" }
currency = "c"
card = { from = "p", hash = true }
merchant = "m"
"""


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CHARGEWATCH_MAPPING": "nobody"}, "nobody: there is no such mapping"),
        ({"CHARGEWATCH_MAPPING": "PAGE"}, "set the environment variable CHARGEWATCH_MAPPING_KEY"),
        ({"CHARGEWATCH_SCHEMA_REGISTRY_URL": "http://me:secret@host"},
         "CHARGEWATCH_SCHEMA_REGISTRY_URL: expected http or https addresses"),
        ({"CHARGEWATCH_SCHEMA_REGISTRY_URL": "http://host",
          "SCHEMA_REGISTRY_SSL_CA_LOCATION": "/nowhere.pem"}, "SCHEMA_REGISTRY_SSL_CA_LOCATION"),
        ({"CHARGEWATCH_SCORED_FORMAT": "avro"},
         "CHARGEWATCH_SCORED_FORMAT: expected schema_registry_url to be set for avro"),
    ],
)  # fmt: skip
def test_what_is_wrong_ends_a_worker_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)  # this process is no worker
    page = tmp_path / "page.toml"
    page.write_text(PAGE)
    env = {name: value.replace("PAGE", str(page)) for name, value in variables.items()}
    own = {name: None for name in os.environ if name.startswith(("CHARGEWATCH_", "KAFKA_"))}
    result = CliRunner().invoke(command, [], env={**own, **env})
    assert result.exit_code != 0
    assert said in result.output
    assert "secret" not in result.output
