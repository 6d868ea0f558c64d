"""The file of a password: what clients are given of it, and when."""

import gc
import logging
from pathlib import Path

import pytest

from streams.kafka.config import client_config
from streams.kafka.password_file import FiledConfig, PasswordFile

NOWHERE = "127.0.0.1:1"


class Given:
    """A client that notes what it is given."""

    def __init__(self) -> None:
        self.passwords: list[str] = []
        self.is_closed = False

    def set_sasl_credentials(self, username: str, password: str) -> None:
        if self.is_closed:
            raise RuntimeError("Handle has been closed")
        assert username == "teller"
        self.passwords.append(password)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "password"
    made.write_text("one\n")
    return made


def test_every_client_that_is_there_is_given_a_new_password_once(path: Path) -> None:
    file = PasswordFile("teller", path)
    closed, client, gone = Given(), Given(), Given()
    for each in (closed, client, gone):
        file.follow(each)
    closed.is_closed = True
    told = gone.passwords
    del gone, each
    gc.collect()
    file.look()
    path.write_text("two\n")
    file.look()
    file.look()
    assert client.passwords == ["one", "two"]
    assert told == closed.passwords == ["one"]
    late = Given()
    file.follow(late)
    assert late.passwords == ["two"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_file_that_is_just_being_replaced_changes_nothing(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file, client = PasswordFile("teller", path), Given()
    file.follow(client)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    file.look()
    assert client.passwords == [file.password] == ["one"]
    path.write_text("two")
    with caplog.at_level(logging.INFO):
        file.look()
    assert client.passwords == ["one", "two"]
    assert "has another password" in caplog.text
    assert "two" not in caplog.text


def test_settings_with_others_beside_have_the_latest_password(path: Path) -> None:
    env = {"KAFKA_SASL_USERNAME": "teller", "KAFKA_SASL_PASSWORD_FILE": str(path)}
    config = client_config(NOWHERE, env)
    assert isinstance(config, FiledConfig)
    path.write_text("two\n")
    config.file.look()
    more = config | {"linger.ms": 5} | {"acks": "all"}
    assert isinstance(more, FiledConfig)
    assert more["sasl.password"] == "two"
    assert more["linger.ms"] == 5
    assert more["sasl.username"] == "teller"
