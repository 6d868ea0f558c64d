"""Signing in by a provider: who it names is let in if they are a user, and nobody else."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey

from agents.policy.edits import Signature
from agents.settings.schema import Settings
from agents.settings.sources import SettingsError
from agents.web.console.access.users import new_user
from agents.web.console.server import checked_address
from schemas.console_users import encode_user
from tests.agents.web.console.browser import HOST, Answer, Browser
from tests.agents.web.console.installation import Installation
from tests.agents.web.console.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "ann@example.com"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture
def organised(tmp_path: Path, provider: Provider) -> Iterator[Installation]:
    made = Installation(tmp_path, issuer=provider.issuer)
    user = new_user(NAME, "manager", None, Signature("root", 1.0))
    made.users.take(NAME.encode(), encode_user(user))
    yield made
    made.close()


async def sent(browser: Browser, then: str = "/") -> str:
    """Return where a browser is sent, to the provider."""
    page = await browser.get("/sign-in")
    assert "/sign-in/provider" in page.text
    got = await browser.get(f"/sign-in/provider?next={then}")
    assert got.status == 303
    return got.header("location")


async def come_back(browser: Browser, address: str, code: str) -> Answer:
    state = parse_qs(urlsplit(address).query)["state"][0]
    return await browser.get(f"/sign-in/back?state={state}&code={code}")


def test_who_the_provider_names_is_let_in(organised: Installation, provider: Provider) -> None:
    async def play() -> None:
        browser = Browser(organised.app())
        address = await sent(browser, "/rules?merchant=m1")
        assert address.startswith(f"{provider.issuer}/authorize?")
        query = parse_qs(urlsplit(address).query)
        assert query["redirect_uri"] == [f"http://{HOST}/sign-in/back"]
        got = await come_back(browser, address, provider.code(address))
        assert (got.status, got.header("location")) == (303, "/rules?merchant=m1")
        assert (await browser.get("/audit")).status == 200
        act = organised.log.acts[-1]
        assert (act.by, act.action, act.note) == (NAME, "sign_in", "by the provider")
        for password in ("", "anything at all"):
            assert (await Browser(organised.app()).sign_in(NAME, password)).status == 401

    asyncio.run(play())


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"email": "eve@example.com"}, "eve@example.com is no user of this console"),
        ({"email": "<script>alert(1)</script>"}, "is no user of this console"),
        ({"email": None}, "has no email"),
        ({"email": ["ann@example.com"]}, "has no email"),
        ({"email_verified": False}, "has not verified"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["console", "another"], "azp": "another"}, "for another"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"exp": int(time.time()) - 600}, "expired"),
        ({"exp": None}, "exp"),
    ],
)
def test_an_id_token_that_is_not_right_lets_nobody_in(
    organised: Installation, provider: Provider, claims: dict[str, Any], told: str
) -> None:
    async def play() -> None:
        browser = Browser(organised.app())
        address = await sent(browser)
        provider.claims = claims
        got = await come_back(browser, address, provider.code(address))
        assert got.status == 403
        assert told in got.text
        assert "<script>alert" not in got.text
        assert (await browser.get("/rules")).status == 303

    asyncio.run(play())


@pytest.mark.parametrize("kind", ["another key", "a shared secret"])
def test_a_token_that_others_have_signed_lets_nobody_in(
    organised: Installation, provider: Provider, kind: str
) -> None:
    async def play() -> None:
        if kind == "another key":
            provider.key = RSAKey.generate_key(2048, {"kid": "one"})
        else:  # even one that the provider publishes: whoever reads it could sign
            provider.key = OctKey.import_key("of thirty-two characters, or more", {"kid": "two"})
            provider.published.append(provider.key)
            provider.algorithm = "HS256"
        browser = Browser(organised.app())
        address = await sent(browser)
        got = await come_back(browser, address, provider.code(address))
        assert got.status == 403
        assert "ID token" in got.text

    asyncio.run(play())


def test_what_was_begun_elsewhere_or_is_repeated_lets_nobody_in(
    organised: Installation, provider: Provider
) -> None:
    async def play() -> None:
        app = organised.app()
        mine, other = Browser(app), Browser(app)
        address = await sent(mine)
        code = provider.code(address)
        assert (await come_back(other, address, code)).status == 403
        assert (await come_back(mine, address, code)).status == 403  # it has been used
        again = await sent(mine)
        assert (await mine.get("/sign-in/back?state=made-up&code=x")).status == 403
        assert (await mine.get("/sign-in/back?error=access_denied")).status == 403
        assert (await come_back(mine, again, "made-up")).status == 403
        late = await sent(mine)
        organised.now += 601.0
        assert (await come_back(mine, late, provider.code(late))).status == 403
        assert organised.written == []

    asyncio.run(play())


def test_a_provider_that_is_away_or_calls_itself_otherwise(
    organised: Installation, provider: Provider
) -> None:
    async def play() -> None:
        browser = Browser(organised.app())
        provider.document = {"issuer": "https://evil.example"}
        got = await browser.get("/sign-in/provider")
        assert got.status == 409
        assert "calls itself otherwise" in got.text
        provider.document = {"authorization_endpoint": None}
        assert "no authorization_endpoint" in (await browser.get("/sign-in/provider")).text

    asyncio.run(play())


def test_a_provider_is_named_whole() -> None:
    with pytest.raises(SettingsError, match="console_oidc_issuer, console_oidc_client_id"):
        checked_address(Settings(console_oidc_issuer="https://accounts.example"))
    assert "between" not in repr(Settings(console_oidc_client_secret="between them"))
