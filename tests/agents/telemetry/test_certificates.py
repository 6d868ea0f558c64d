"""When certificates end: the first of those in a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import REGISTRY

from agents.telemetry.certificates import show_certificates

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def certificate(days: int) -> bytes:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chargewatch")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, None)
    )
    return made.public_bytes(serialization.Encoding.PEM)


def shown(of: str) -> float | None:
    return REGISTRY.get_sample_value("chargewatch_certificate_expires_seconds", {"of": of})


def test_the_first_certificate_of_a_chain_to_end_is_shown(tmp_path: Path) -> None:
    chain, authority, nothing = (tmp_path / name for name in ("chain", "authority", "nothing"))
    chain.write_bytes(certificate(90) + certificate(30) + certificate(3650))
    authority.write_bytes(certificate(400))
    nothing.write_text("no certificate")
    show_certificates(
        {"api": str(chain), "console": ""},
        {
            "KAFKA_SSL_CA_LOCATION": str(authority),
            "KAFKA_SSL_CERTIFICATE_LOCATION": str(nothing),
        },
    )
    assert shown("api") == (NOW + timedelta(days=30)).timestamp()
    assert shown("kafka_ca") == (NOW + timedelta(days=400)).timestamp()
    assert shown("console") is None
    assert shown("kafka_certificate") is None
