"""Client settings: what is passed on, and what is said about a wrong one."""

from pathlib import Path

import pytest

from streams.kafka.config import Admin, ClientError, client_config

NOWHERE = "127.0.0.1:1"


def test_security_settings_are_passed_on_and_nothing_else() -> None:
    env = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "fraud_team",
        "KAFKA_SASL_PASSWORD": "a_b.C",
        "KAFKA_SSL_CA_LOCATION": "/certs/ca.pem",
        "KAFKA_ENABLE_SSL_CERTIFICATE_VERIFICATION": "false",
        "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": "",  # empty is unset
        "KAFKA_BOOTSTRAP_SERVERS": "elsewhere:9092",
        "KAFKA_HEAP_OPTS": "-Xmx1g",
        "SASL_USERNAME": "someone",
    }
    assert client_config("kafka:9093", env) == {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "fraud_team",
        "sasl.password": "a_b.C",
        "ssl.ca.location": "/certs/ca.pem",
        "enable.ssl.certificate.verification": "false",
    }


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, ["KAFKA_SECURITY_PROTOCOL"]),
        ({"KAFKA_SSL_FOO": "1"}, ["KAFKA_SSL_FOO"]),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "/nowhere/ca.pem"},
            ["KAFKA_SSL_CA_LOCATION"],
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"},
            ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"],
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-FOO"},
            ["KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM", "SCRAM-FOO"],
        ),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(env: dict[str, str], names: list[str]) -> None:
    with pytest.raises(ClientError) as raised:
        Admin(client_config(NOWHERE, env))
    message = str(raised.value)
    assert [name for name in names if name not in message] == []
    assert "\n" not in message


def test_a_secret_is_never_shown() -> None:
    env = {
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_KEY_PEM": "hush",
        "KAFKA_SASL_PASSWORD": "x",
    }
    with pytest.raises(ClientError, match="KAFKA_SSL_KEY_PEM") as raised:
        Admin(client_config(NOWHERE, env))
    assert "hush" not in str(raised.value)


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a b.C\n")
    config = client_config(NOWHERE, {"KAFKA_SASL_PASSWORD_FILE": str(file)})
    assert config == {"bootstrap.servers": NOWHERE, "sasl.password": "a b.C"}
    kept = {"KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE": "/run/assertion"}  # a setting of librdkafka
    assert client_config(NOWHERE, kept)["sasl.oauthbearer.assertion.file"] == "/run/assertion"
    with pytest.raises(ClientError, match=r"KAFKA_SASL_PASSWORD_FILE: .*/none: No such file"):
        client_config(NOWHERE, {"KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "none")})
    both = {"KAFKA_SASL_PASSWORD_FILE": str(file), "KAFKA_SASL_PASSWORD": "hush"}
    with pytest.raises(ClientError, match="one of them, not both") as raised:
        client_config(NOWHERE, both)
    assert "hush" not in str(raised.value)
