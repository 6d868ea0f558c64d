"""Who may see and do what: without a session nothing, with one what its role may."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from agents.web.console.access.sessions import LONGEST_S
from tests.agents.web.console.browser import HOST, Browser, ask
from tests.agents.web.console.installation import PASSWORD, Installation

if TYPE_CHECKING:
    from pathlib import Path

OPEN = {
    ("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/static/{name}"), ("GET", "/healthz"),
    ("GET", "/readyz"), ("GET", "/metrics"),
}  # fmt: skip
"""What anybody may have; a page that is added here is looked at by somebody."""

LEAST = {
    "/users": "administrator",
    "/users/remove": "administrator",
    "/audit": "manager",
    ("POST", "/rules"): "manager",
    "/rules/check": "manager",
    "/rules/shadow": "manager",
    "/rules/rollback": "manager",
    "/rules/backtest": "manager",
    "/rules/backtest/cancel": "manager",
    "/rules/proposal/approve": "manager",
    "/rules/proposal/decline": "manager",
    ("POST", "/lists"): "manager",
    "/lists/remove": "manager",
    ("POST", "/merchants"): "manager",
    ("POST", "/models"): "manager",
    ("POST", "/rejected/{partition:int}/{place:int}"): "manager",
    "/reviews/next": "analyst",
    "/reviews/marked": "analyst",
    "/charge/verdict": "analyst",
    "/charge/claim": "analyst",
    "/charge/note": "analyst",
}
"""The least role of a page, where a viewer may not have it."""

ORDER = ("vic", "bob", "mia", "ann")
OF = dict(zip(ORDER, ("viewer", "analyst", "manager", "administrator"), strict=True))
HEADERS = {
    "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy",
    "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy",
    "cache-control",
}  # fmt: skip


def calls(installation: Installation) -> list[tuple[str, str, str]]:
    """Return method, route and a path of everything that is served."""
    filled = {"{name}": "site.css", "{partition:int}": "0", "{place:int}": "0"}
    found = []
    for route in installation.routes():
        path = route.path
        for part, value in filled.items():
            path = path.replace(part, value)
        found += [(method, route.path, path) for method in route.methods - {"HEAD"}]
    return found


def test_without_a_session_there_is_nothing(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        served = calls(installation)
        assert len(served) > 30
        for method, route, path in served:
            for cookie in ("", "chargewatch=", "chargewatch=made-up"):
                got = await ask(app, method, path, b"", {"cookie": cookie})
                if (method, route) in OPEN:
                    assert got.status != 303, route
                    continue
                assert got.status == 303, (method, route, got.status)
                assert got.header("location").startswith("/sign-in"), route
                assert got.text == ""
        assert installation.written == []

    asyncio.run(play())


def test_each_role_may_what_the_table_says(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        for name in ORDER:
            browser = Browser(app)
            await browser.sign_in(name)
            for method, route, path in calls(installation):
                if (method, route) in OPEN or route == "/sign-out":
                    continue
                got = await (browser.get(path) if method == "GET" else browser.post(path))
                least = LEAST.get((method, route), LEAST.get(route, "viewer"))
                may = list(OF.values()).index(OF[name]) >= list(OF.values()).index(str(least))
                assert (got.status == 403) == (not may), (name, method, route, got.status)
                assert got.status != 500, (name, method, route)
                if not may:
                    assert f"needs the role {least}" in got.text

    asyncio.run(play())


def test_every_response_has_the_headers(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        browser = Browser(app)
        await browser.sign_in("ann")
        answers = [await browser.get(path) for method, _, path in calls(installation)]
        answers += [await ask(app, "GET", "/nothing"), await ask(app, "DELETE", "/rules")]
        for got in answers:
            assert {name for name, _ in got.headers} >= HEADERS
            policy = got.header("content-security-policy")
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
        for got in answers:
            if got.header("content-type").startswith("text/html"):
                assert got.header("cache-control") == "no-store"
                assert " style=" not in got.text
                assert "<style" not in got.text
                assert " on" not in {part[:3] for part in got.text.split("<script")[1:]}

    asyncio.run(play())


@pytest.mark.parametrize("is_secure", [False, True])
def test_the_cookie(tmp_path: Path, is_secure: bool) -> None:
    async def play() -> None:
        installation = Installation(tmp_path, is_secure=is_secure)
        installation.add_user("ann", "administrator")
        got = await Browser(installation.app()).sign_in("ann")
        [cookie] = [value for name, value in got.headers if name == "set-cookie"]
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert parts == {"httponly", "path=/", "samesite=lax"} | (
            {"secure"} if is_secure else set()
        )
        assert cookie.startswith("__Host-chargewatch=") == is_secure
        assert (got.header("strict-transport-security") != "") == is_secure
        installation.close()

    asyncio.run(play())


def test_forms_of_other_sites_do_nothing(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        browser = Browser(app)
        await browser.sign_in("mia")
        token, form = browser.csrf, "application/x-www-form-urlencoded"
        body = f"csrf={token}&list=a&value=b".encode()

        async def post(body: bytes, **headers: str) -> int:
            given = {"cookie": browser.cookie, "content-type": form}
            given |= {name.replace("_", "-"): value for name, value in headers.items()}
            return (await ask(app, "POST", "/lists", body, given)).status

        assert await post(b"list=a&value=b") == 403
        assert await post(b"csrf=&list=a&value=b") == 403
        assert await post(f"csrf={token}x&list=a&value=b".encode()) == 403
        assert await post("csrf=ü&list=a&value=b".encode()) == 403
        assert await post(body, origin="https://evil.example") == 403
        assert await post(body, origin="null") == 403
        assert await post(body, origin=f"http://{HOST}", sec_fetch_site="cross-site") == 403
        assert await post(body, content_type="text/plain") == 415
        assert installation.policy.lists().entries == {}
        other = Browser(app)
        await other.sign_in("ann")
        stolen = f"csrf={other.csrf}&list=a&value=b".encode()
        assert await post(stolen) == 403
        assert await post(body, origin=f"http://{HOST}") == 303
        assert len(installation.policy.lists().entries) == 1
        got = await ask(
            app, "POST", "/sign-in", f"name=ann&password={PASSWORD}".encode(),
            {"content-type": form, "origin": "https://evil.example"},
        )  # fmt: skip
        assert got.status == 403

    asyncio.run(play())


def test_wrong_passwords_and_made_up_names_are_told_alike_and_wait(
    installation: Installation,
) -> None:
    async def play() -> None:
        app = installation.app()
        told = set()
        for name in ("ann", "nobody"):
            for _ in range(5):
                got = await Browser(app).sign_in(name, "wrong")
                assert got.status == 401
                told.add(got.text.replace(name, ""))
            got = await Browser(app).sign_in(name)
            assert got.status == 401
            assert "too many wrong passwords" in got.text
        assert len(told) == 1
        assert (await Browser(app).sign_in("bob")).status == 303
        installation.now += 31.0
        assert (await Browser(app).sign_in("ann", "wrong")).status == 401
        installation.now += 31.0  # the next wait is twice as long
        assert "too many" in (await Browser(app).sign_in("ann")).text
        installation.now += 31.0
        assert (await Browser(app).sign_in("ann")).status == 303
        refused = [each for each in installation.log.acts if each.action == "sign_in_refused"]
        assert {each.by for each in refused} == {"ann"}  # no name that is nobody's is kept

    asyncio.run(play())


def test_guesses_that_come_at_once_wait_as_well(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        tries = [Browser(app).sign_in("ann", f"guess {number}") for number in range(30)]
        assert {got.status for got in await asyncio.gather(*tries)} == {401}
        assert len(installation.log.acts) <= 6  # five, and one that was looked at beside the fifth

    asyncio.run(play())


def test_sessions_end(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()

        async def signed_in(name: str = "bob") -> Browser:
            browser = Browser(app)
            await browser.sign_in(name)
            assert (await browser.get("/lists")).status == 200
            return browser

        idle = await signed_in()
        installation.now += 3601.0
        assert (await idle.get("/lists")).status == 303
        busy = await signed_in()
        for _ in range(int(LONGEST_S // 3000)):
            installation.now += 3000.0
            assert (await busy.get("/lists")).status == 200
        installation.now += 3000.0
        assert (await busy.get("/lists")).status == 303
        out = await signed_in()
        kept = out.cookie
        assert (await out.post("/sign-out")).status == 303
        out.cookie = kept
        assert (await out.get("/lists")).status == 303
        changed, removed = await signed_in(), await signed_in("mia")
        installation.add_user("bob", "analyst", "another horse battery")
        assert (await changed.get("/lists")).status == 303
        installation.users.take(b"mia", None)
        assert (await removed.get("/lists")).status == 303
        assert (await Browser(app).sign_in("mia")).status == 401

    asyncio.run(play())


def test_a_part_of_a_page_sends_all_of_it_to_sign_in(installation: Installation) -> None:
    async def play() -> None:
        got = await ask(installation.app(), "POST", "/rules/check", b"", {"hx-request": "true"})
        assert (got.status, got.header("hx-redirect")) == (401, "/sign-in")

    asyncio.run(play())


@pytest.mark.parametrize(
    ("then", "where"),
    [
        ("/rules?merchant=m%201", "/rules?merchant=m%201"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_nowhere_else(installation: Installation, then: str, where: str) -> None:
    async def play() -> None:
        browser = Browser(installation.app())
        got = await browser.post("/sign-in", name="ann", password=PASSWORD, next=then)
        assert got.header("location") == where

    asyncio.run(play())


def test_users_are_let_in_and_removed_by_an_administrator(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        ann = Browser(app)
        await ann.sign_in("ann")
        fields: dict[str, Any] = {"name": "zoe", "role": "analyst", "password": "short"}
        assert (await ann.post("/users", **fields)).status == 422
        assert (
            await ann.post("/users", **{**fields, "password": PASSWORD, "name": "<b>"})
        ).status == 422
        assert (
            await ann.post("/users", **{**fields, "password": PASSWORD, "role": "king"})
        ).status == 422
        assert (await ann.post("/users", **{**fields, "password": PASSWORD})).status == 303
        zoe = Browser(app)
        assert (await zoe.sign_in("zoe")).status == 303
        assert (await ann.post("/users/remove", name="zoe")).status == 303
        assert (await zoe.get("/")).status == 303
        assert (await ann.post("/users/remove", name="ann")).status == 422
        assert "ann" in installation.users.records

    asyncio.run(play())


def test_a_password_is_changed_by_who_knows_it(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        bob, elsewhere = Browser(app), Browser(app)
        await bob.sign_in("bob")
        await elsewhere.sign_in("bob")
        new = "another horse battery"
        assert (await bob.post("/password", current="wrong", password=new)).status == 422
        assert (await bob.post("/password", current=PASSWORD, password="short")).status == 422
        assert (await bob.get("/lists")).status == 200
        assert (await bob.post("/password", current=PASSWORD, password=new)).status == 303
        for browser in (bob, elsewhere):
            assert (await browser.get("/lists")).status == 303
        assert (await Browser(app).sign_in("bob")).status == 401
        assert (await Browser(app).sign_in("bob", new)).status == 303
        assert installation.users.records["bob"].role == "analyst"

    asyncio.run(play())


def test_what_was_written_is_kept_when_the_session_has_ended(installation: Installation) -> None:
    async def play() -> None:
        app = installation.app()
        mia = Browser(app)
        await mia.sign_in("mia")
        installation.now += 3601.0
        text = "# kept: <b>\r\nblock if :risk: > 98"
        sent = {"merchant": "*", "text": text, "made_from": "0", "note": ""}
        page = await mia.post("/rules", **sent)
        assert page.status == 401
        assert "Your session has ended" in page.text
        [(path, fields)] = re.findall(
            r'name="again" value="([^"]+)".*name="fields" value="([^"]+)"', page.text
        )
        kept = {"again": html.unescape(path), "fields": html.unescape(fields)}
        wrong = await mia.post("/sign-in", name="mia", password="wrong", next="/", **kept)
        assert fields in wrong.text
        page = await mia.post("/sign-in", name="mia", password=PASSWORD, next="/", **kept)
        assert page.status == 200
        assert installation.policy.rules().records == {}  # until it is sent again
        assert html.unescape(text).replace("<b>", "&lt;b&gt;") in page.text.replace(
            "&gt; 98", "> 98"
        )
        again = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
        again = {name: html.unescape(value) for name, value in again.items()}
        assert (await mia.post(html.unescape(path), **again)).status == 303
        assert installation.policy.rules().records["*"].text == text.replace("\r\n", "\n")

    asyncio.run(play())


def test_what_another_site_has_sent_is_not_kept(installation: Installation) -> None:
    async def play() -> None:
        app, form = installation.app(), "application/x-www-form-urlencoded"
        for origin in ({"origin": "https://evil.example"}, {}):
            headers = {"content-type": form, **origin}
            got = await ask(app, "POST", "/rules", b"merchant=*&text=allow", headers)
            assert (got.status, got.text) == (303, "")

    asyncio.run(play())
