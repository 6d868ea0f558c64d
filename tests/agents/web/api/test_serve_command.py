"""The command `serve` before it reaches Kafka: what is wrong is one line that names it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agents.commands import chargewatch
from agents.settings.schema import Settings
from agents.settings.sources import SettingsError
from agents.web.api.server import listen

if TYPE_CHECKING:
    from pathlib import Path


def serve(*arguments: str, **env: str) -> Result:
    given = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **env}
    return CliRunner().invoke(chargewatch, ["serve", *arguments], env=given)


def test_files_of_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    none = serve("--api-tls-cert", str(tmp_path / "none.pem"))
    assert none.exit_code == 2
    assert none.output.startswith("Error: api_tls_cert, api_tls_key: cannot be used: ")
    (tmp_path / "bad.pem").write_text("no certificate")
    bad = serve(CHARGEWATCH_API_TLS_CERT=str(tmp_path / "bad.pem"))
    assert bad.exit_code == 2
    assert bad.output.count("\n") == 1
    half = serve("--api-tls-key", str(tmp_path / "bad.pem"))
    assert half.output.startswith("Error: api_tls_cert: not set")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--api-port", "99999"), ("--api-deadline-ms", "0"), ("--api-in-flight-max", "none")],
)
def test_a_setting_that_cannot_be(option: str, value: str) -> None:
    result = serve(option, value)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {option}: expected ")


def test_brokers_that_are_not_there() -> None:
    result = serve()
    assert result.exit_code == 1
    assert result.output.startswith("Error: no Kafka answers at 127.0.0.1:1 (")


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1 {port} cannot be used: .*in use"):
            listen(Settings(api_port=port), has_keys=False)


@pytest.mark.parametrize(("host", "has_keys"), [("", False), ("", True), ("127.0.0.1", True)])
def test_without_keys_it_listens_on_the_loopback_alone(host: str, *, has_keys: bool) -> None:
    with listen(Settings(api_host=host, api_port=0), has_keys=has_keys) as listening:
        address = listening.getsockname()[0]
        assert address in ({"::", "0.0.0.0"} if has_keys and not host else {"127.0.0.1"})

        async def reach() -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
            writer.close()

        asyncio.run(reach())
