"""The support bundle of hostile values: none of them is in it."""

from __future__ import annotations

import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.settings.schema import FIELDS
from agents.settings.sources import load_settings
from agents.support.bundle import write_bundle
from agents.support.scrubbing import scrubbed_line, scrubbed_metrics
from streams.kafka.config import Admin
from streams.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = (
    "card_DmLsQkStBxHF0p", "tok-9f8e7d", "4242424242424242", "4242 4242 4242 4242",
    "ann@example.org", "10.11.12.13", "2001:db8::17", "broker-7.bank.example:9093",
    "cw_live_5e1f00aa", "Pa55-word", "9999999999", "/home/ann/state", "user:secret", "müller",
    "ee8f0a3c-1f7d-4e4e-9a61-0c8d6a9b7f11",
)  # fmt: skip
LINES = "".join(
    f"2026-11-30 12:00:00,123 WARNING agents.worker.turn: "
    f"got {value}, {value!r}, key={value} ({value})\n"
    for value in HOSTILE
)
METRICS = "".join(
    f'chargewatch_some_total{{topic="charges",what="{value}"}} 3.0\n' for value in HOSTILE
)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(METRICS.encode())

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_nothing_private_is_in_a_bundle(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.support.contents.TIMEOUT_S", 0.2)
    monkeypatch.setattr("streams.kafka.topics.TIMEOUT_S", 0.2)
    secret = "Pa55-word-of-sixteen"
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "KAFKA_SASL_USERNAME": "ann@example.org",
        "KAFKA_SASL_PASSWORD": secret,
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "CHARGEWATCH_HOLDOUT_KEY": secret,
        "CHARGEWATCH_CARD_HASH_KEY": secret,
        "CHARGEWATCH_STATE_DIR": str(tmp_path / "ann"),
        "CHARGEWATCH_READ_MODEL_URL": f"postgresql://ann:{secret}@10.11.12.13/x",
    }
    log, file = tmp_path / "worker.log", tmp_path / "bundle.zip"
    log.write_text(LINES, encoding="utf-8")
    settings = load_settings({}, env)
    missing = write_bundle(
        file, settings, env, Admin({"bootstrap.servers": "127.0.0.1:1"}), Topics(), log, url
    )
    assert [line.partition(":")[0] for line in missing] == [
        "topics.json",
        "group.json",
        "state.json",
    ]
    with zipfile.ZipFile(file) as bundle:
        pages = {name: bundle.read(name).decode() for name in bundle.namelist()}
    everything = "\n".join(pages.values())
    for value in (*HOSTILE, secret, "127.0.0.1:1", str(tmp_path)):
        assert value not in everything
    assert file.stat().st_mode & 0o077 == 0
    shown = msgspec.json.decode(pages["settings.json"])
    assert FIELDS.keys() <= shown.keys()
    assert (shown["holdout_key"], shown["session_timeout_ms"]) == (
        "set",
        settings.session_timeout_ms,
    )
    assert shown["kafka"] == {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_PASSWORD": "set",
                              "KAFKA_SASL_USERNAME": "set"}  # fmt: skip
    assert (
        pages["log.txt"].count("WARNING agents.worker.turn: got …, …, key=… (…)")
        >= len(HOSTILE) - 2  # card numbers are asterisks
    )
    assert pages["metrics.txt"].count(
        'chargewatch_some_total{topic="charges",what="…"} 3.0'
    ) == len(HOSTILE)
    assert "confluent-kafka" in pages["about.json"]


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=9).filter(
    lambda text: not text.isascii() or not text.isalpha()))  # fmt: skip
def test_only_words_and_short_numbers_are_left(token: str) -> None:
    allowed = set(f'{ascii_letters}{digits} .,:;!?%…-+/&*()[]{{}}=<>|"')
    for told in (
        scrubbed_line(f"card {token} came", ()),
        scrubbed_metrics(f'a{{b="{token}"}} 1\n', ()),
    ):
        assert set(told.rstrip("\n")) <= allowed
        if token.isalnum():
            assert token not in told
