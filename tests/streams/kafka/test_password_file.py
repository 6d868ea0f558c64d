"""The file of a password: when it is read again, and from when on clients show it."""

import logging
from pathlib import Path

import pytest

from streams.kafka import password_file
from streams.kafka.config import client_config
from streams.kafka.password_file import FiledConfig, PasswordFile, Showing, shows_password

NOWHERE = "127.0.0.1:1"


class Client:
    """A client that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str]] = []

    def set_sasl_credentials(self, username: str, password: str) -> None:
        self.given.append((username, password))

    def poll(self, timeout: float) -> float:
        return timeout


@shows_password("poll")
class Following(Showing, Client):
    """One that shows a password of a file."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "password"
    made.write_text("one\n")
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(password_file, "monotonic", lambda: now[0])
    return now


def test_a_client_shows_a_new_password_from_its_next_call_on(
    path: Path, clock: list[float]
) -> None:
    config = FiledConfig({}, PasswordFile("teller", path))
    clients = [Following(), Following()]
    for client in clients:
        client.show(config)
    path.write_text("two\n")
    assert [client.poll(0.5) for client in clients] == [0.5, 0.5]
    assert [client.given for client in clients] == [[], []], "it is read now and then"
    clock[0] += 5.0
    for _ in range(2):
        assert clients[0].poll(0.5) == 0.5
    assert [client.given for client in clients] == [[("teller", "two")], []]
    late = Following()
    late.show(config | {"linger.ms": 5})
    late.poll(0.5)
    assert late.given == []


def test_a_client_whose_password_is_in_no_file_is_left_alone() -> None:
    client = Following()
    client.show({"sasl.password": "one"})
    assert client.poll(0.5) == 0.5
    assert client.given == []


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_file_that_is_just_being_replaced_changes_nothing(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = PasswordFile("teller", path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    file.look()
    assert file.password == "one"
    path.write_text("two")
    with caplog.at_level(logging.INFO):
        file.look()
    assert file.password == "two"
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
    again = client_config(NOWHERE, env)
    assert isinstance(again, FiledConfig)
    assert again.file is config.file
