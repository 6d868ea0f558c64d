"""Certificates of a test cluster, its brokers and its clients, by an authority made on the spot."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_VALID = timedelta(days=7)
_SINCE = timedelta(minutes=5)  # clocks differ


class Issued(NamedTuple):
    """Files of a certificate and its key, in PEM; `both` has the one after the other."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """A certificate authority that trusts nobody for longer than a week.

    Parameters
    ----------
    directory
        Where its files are written; keys can be read by this user alone.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("chargewatch test authority")
        made = (
            _certificate(self._name, self._name, self._key.public_key(), _VALID)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = directory / "authority.pem"
        self.certificate.write_bytes(made.public_bytes(Encoding.PEM))

    def issue(self, name: str, hosts: Sequence[str] = (), valid: timedelta = _VALID) -> Issued:
        """Return a new certificate for a name; a negative `valid` is one that has expired.

        Parameters
        ----------
        name
            Its common name, which is the user to Kafka.
        hosts
            Addresses that its owner is reached at.
        valid
            For how long from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(self._name, _name(name), key.public_key(), valid)
        if hosts:
            addresses = [x509.IPAddress(ip_address(host)) for host in hosts]
            made = made.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        certificate = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files = Issued(*(self._directory / f"{name}.{kind}.pem" for kind in Issued._fields))
        for file, content in zip(files, (certificate, secret, secret + certificate), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(content)
        return files


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now + valid
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - _SINCE)
        .not_valid_after(end)
    )
