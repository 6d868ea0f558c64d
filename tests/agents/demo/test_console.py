"""The console of the demo: a place that is free, and nothing of another installation."""

import socket

from agents.demo.console import of_this_machine
from agents.demo.process import free_port
from agents.settings.schema import Settings

HOST = "127.0.0.1"


def test_another_port_is_taken_where_the_wanted_one_is_not_free() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) not in {0, port}
    assert free_port(port) == port


def test_it_is_apart_from_the_console_that_the_settings_are_of() -> None:
    settings = Settings(
        bootstrap_servers="a:1",
        topic_prefix="demo-1.",
        console_host="0.0.0.0",
        console_url="https://fraud.example.com",
        console_tls_cert="/etc/cert.pem",
        console_oidc_issuer="https://id.example.com",
        console_oidc_client_id="console",
        console_oidc_client_secret="between them",
        read_model_url="postgresql://db/fraud",
    )
    assert of_this_machine(settings, 9) == Settings(
        bootstrap_servers="a:1", topic_prefix="demo-1.", console_port=9
    )
