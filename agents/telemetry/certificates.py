"""When certificates end that a process has loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from prometheus_client import Gauge

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRES = Gauge(
    "chargewatch_certificate_expires_seconds",
    "When the first certificate of a file ends, Unix seconds",
    ["of"],
)


def show_certificates(files: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Show when certificates end; what no certificate can be read from is left out.

    Parameters
    ----------
    files
        Of the process, by what they are for; empty for none.
    environment
        Has those of the Kafka clients.
    """
    of_clients = {
        f"kafka_{kind}": environment.get(f"KAFKA_SSL_{kind.upper()}_LOCATION", "")
        for kind in ("ca", "certificate")
    }
    for of, file in {**files, **of_clients}.items():
        if file and (expires := _expires(Path(file))) is not None:
            EXPIRES.labels(of).set(expires)


def _expires(file: Path) -> float | None:
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):  # whoever uses it says so
        return None
    return min(each.not_valid_after_utc.timestamp() for each in found)
