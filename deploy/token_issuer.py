"""An issuer of tokens for a test cluster: OAuth 2 client credentials, JSON Web Tokens."""

import base64
import json
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from deploy.certificates import Issued

AUDIENCE: Final = "kafka"
NAME: Final = "chargewatch-test-issuer"
KEYS_FILE: Final = "jwks.json"

_CURVE: Final = ec.SECP256R1()
_COORDINATE_BYTES: Final = 32
_REQUEST_MAX_BYTES: Final = 10_000


class TokenIssuer:
    """Gives clients that show their secret a token, over TLS.

    A client is the user of its name to Kafka (claim ``sub``).

    Parameters
    ----------
    directory
        Gets the public key that tokens are checked by (`KEYS_FILE`), as a JSON Web Key Set.
    host
        The address that it listens on.
    files
        Its certificate, and the key of that.

    Attributes
    ----------
    clients
        Secrets by client; who is not in it gets no token.
    lifetime
        Of the tokens that are given from now on.
    audience
        For whom they are; brokers refuse those that are for others.
    url
        Where clients ask.
    """

    def __init__(self, directory: Path, host: str, files: Issued) -> None:
        self.clients: dict[str, str] = {}
        self.lifetime = timedelta(minutes=15)
        self.audience = AUDIENCE
        self._key = ec.generate_private_key(_CURVE)
        point = self._key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "kid": NAME, "alg": "ES256", "use": "sig"}
        key |= {"x": _number(point.x), "y": _number(point.y)}
        (directory / KEYS_FILE).write_text(json.dumps({"keys": [key]}), encoding="utf-8")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self._server = ThreadingHTTPServer((host, 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{host}:{self._server.server_port}/token"
        Thread(target=self._server.serve_forever, name="token issuer", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def add_client(self, name: str) -> str:
        """Make a client, or change its secret; return the secret."""
        self.clients[name] = secrets.token_urlsafe(16)
        return self.clients[name]

    def token(self, client: str) -> str:
        """Return a new token of a client."""
        now = datetime.now(UTC)
        claims = {
            "iss": NAME,
            "sub": client,
            "aud": self.audience,
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
        }
        head = {"alg": "ES256", "typ": "JWT", "kid": NAME}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, claims))
        signature = self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        pair = [n.to_bytes(_COORDINATE_BYTES, "big") for n in decode_dss_signature(signature)]
        return f"{signed}.{_text(b''.join(pair))}"

    def answer(self, authorization: str) -> tuple[HTTPStatus, dict[str, object]]:
        """Return the answer to a request by what it shows: RFC 6749, 4.4 and 5.2."""
        shown = base64.b64decode(authorization.removeprefix("Basic ")).decode(errors="replace")
        client, _, secret = shown.partition(":")
        if not secrets.compare_digest(self.clients.get(client, ""), secret) or not secret:
            return HTTPStatus.UNAUTHORIZED, {
                "error": "invalid_client",
                "error_description": "unknown client or wrong secret",
            }
        return HTTPStatus.OK, {
            "access_token": self.token(client),
            "token_type": "Bearer",
            "expires_in": int(self.lifetime.total_seconds()),
        }


def _handler(issuer: TokenIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _REQUEST_MAX_BYTES))
            status, answer = issuer.answer(self.headers.get("Authorization", ""))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: requests have secrets in them."""

    return Handler


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes(_COORDINATE_BYTES, "big"))
