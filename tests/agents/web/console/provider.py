"""An OpenID Connect provider on this machine, which can be made to say anything."""

from __future__ import annotations

import base64
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Provider:
    """A provider.

    `claims` are laid over those of a right ID token; `key` signs it by `algorithm`; `document` is
    laid over what it says of itself.
    """

    def __init__(self) -> None:
        self.own = RSAKey.generate_key(2048, {"kid": "one"})
        self.key: Any = self.own
        self.published: list[Any] = [self.own]
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self._asked: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def do_POST(self) -> None:
                provider.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def code(self, address: str) -> str:
        """Sign in whoever was sent here, and return the code that they go back with."""
        query = {name: value for name, [value] in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == "console"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = f"code-{len(self._asked)}"
        self._asked[code] = query
        return code

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        status, told = 200, dict[str, Any]()
        if request.path == "/.well-known/openid-configuration":
            told = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **self.document,
            }
        elif request.path == "/keys":
            told = {"keys": [_published(key) for key in self.published]}
        elif request.path == "/token":
            body = request.rfile.read(int(request.headers["content-length"]))
            status, told = self._token(request, body)
        else:
            status = 404
        payload = orjson.dumps(told)
        request.send_response(status)
        request.send_header("Content-Length", str(len(payload)))
        request.end_headers()
        request.wfile.write(payload)

    def _token(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, Any]]:
        form = {name: value for name, [value] in parse_qs(body.decode()).items()}
        asked = self._asked.pop(form["code"], None)  # once
        proof = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest())
        pair = base64.b64encode(b"console:between%20them").decode()
        is_right = (
            asked is not None
            and form["grant_type"] == "authorization_code"
            and form["redirect_uri"] == asked["redirect_uri"]
            and proof.decode().rstrip("=") == asked["code_challenge"]
            and request.headers["authorization"] == f"Basic {pair}"
        )
        if asked is None or not is_right:
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.issuer, "aud": "console", "sub": "1", "nonce": asked["nonce"],
            "iat": int(time.time()), "exp": int(time.time()) + 300, "email": "ann@example.com",
            "email_verified": True, **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        token = jwt.encode(header, claims, self.key, algorithms=[self.algorithm])
        return 200, {"id_token": token, "token_type": "Bearer"}


def _published(key: Any) -> dict[str, Any]:
    told: dict[str, Any] = key.as_dict(private=isinstance(key, OctKey))
    return told
