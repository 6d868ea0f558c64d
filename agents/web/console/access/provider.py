"""Who somebody is, by an OpenID Connect provider: the authorization code flow with PKCE.

OpenID Connect Core 1.0, section 3.1; RFC 7636 (proof key for code exchange).
"""

from __future__ import annotations

import base64
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urlencode

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from streams.errors import OperationalError

if TYPE_CHECKING:
    from agents.settings.schema import Settings

_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_ANSWER_S: Final = 10.0
_BYTES_MAX: Final = 1024 * 1024
_LEEWAY_S: Final = 60
_BYTES: Final = 32


class ProviderError(OperationalError):
    """A provider that does not say who somebody is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody was sent to the provider with.

    Attributes
    ----------
    state
        By which what comes back is known.
    nonce
        That the ID token has to have.
    verifier
        That proves to the provider who asked.
    back
        Where the provider sends them.
    """

    state: str
    nonce: str
    verifier: str
    back: str


def new_asked(back: str) -> Asked:
    """Return what to ask with, of secrets that are drawn anew."""
    state, nonce, verifier = (secrets.token_urlsafe(_BYTES) for _ in range(3))
    return Asked(state, nonce, verifier, back)


class Provider:
    """A provider; all calls block.

    Parameters
    ----------
    settings
        Name it, and the console there.
    """

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.console_oidc_issuer
        self._client = settings.console_oidc_client_id
        self._secret = settings.console_oidc_client_secret
        self._claim = settings.console_oidc_claim

    def address(self, asked: Asked) -> str:
        """Return where to send somebody.

        Raises
        ------
        ProviderError
            When the provider does not answer.
        """
        query = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": asked.back,
            "scope": "openid email profile",
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": _base64url(sha256(asked.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return f"{self._known('authorization_endpoint')}?{urlencode(query)}"

    def name(self, asked: Asked, code: str) -> str:
        """Return the name of whoever came back with a code.

        Raises
        ------
        ProviderError
            When the provider does not say who it is, or not to this console, or not now.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.back,
            "code_verifier": asked.verifier,
            "client_id": self._client,
        }
        token = self._ask(self._known("token_endpoint"), form).get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider gives no ID token")
        claims = self._claims(token, asked.nonce)
        if self._claim == "email" and claims.get("email_verified") is False:
            raise ProviderError("the provider has not verified this e-mail address")
        name = claims.get(self._claim)
        if not isinstance(name, str):
            raise ProviderError(f"the provider's ID token has no {self._claim}")
        return name

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """Return what an ID token says, given that it is the provider's, for us, and of now."""
        keys = self._ask(self._known("jwks_uri"))
        rules = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            key_set = KeySet.import_key_set(cast("KeySetSerialization", keys))
            claims = jwt.decode(token, key_set, algorithms=list(_ALGORITHMS)).claims
            rules.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderError(f"the provider's ID token is none: {error}") from None
        if claims.get("azp", self._client) != self._client:
            raise ProviderError("the provider's ID token is for another")
        return claims

    def _known(self, name: str) -> str:
        """Return where something of the provider is, as it says itself."""
        where = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        document = self._ask(where)
        if document.get("issuer") != self._issuer:
            raise ProviderError("the provider calls itself otherwise than console_oidc_issuer")
        address = document.get(name)
        is_secure = isinstance(address, str) and (
            address.startswith("https://") or self._issuer.startswith("http://")
        )
        if not is_secure:
            raise ProviderError(f"the provider has no {name}")
        return str(address)

    def _ask(self, where: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        body = urlencode(form).encode() if form else None
        request = urllib.request.Request(where, body)  # noqa: S310 - http or https, as is checked
        if form and self._secret:
            pair = f"{quote(self._client, safe='')}:{quote(self._secret, safe='')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
                found = orjson.loads(answer.read(_BYTES_MAX))
        except (OSError, ValueError) as error:
            status = f" ({error.code})" if isinstance(error, urllib.error.HTTPError) else ""
            raise ProviderError(f"the provider does not answer as it should{status}") from None
        if not isinstance(found, dict):
            raise ProviderError("the provider does not answer as it should")
        return found


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
