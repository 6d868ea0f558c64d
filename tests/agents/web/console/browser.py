"""What a browser does, without one: requests, a cookie, forms with their token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.agents.web.console.installation import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp

HOST = "127.0.0.1:8081"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Make a request of an application."""
    given = {"host": HOST, **(headers or {})}
    where, _, query = path.partition("?")
    scope: Any = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http",
        "path": where, "raw_path": where.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 8081),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    told = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    return Answer(sent[0]["status"], told, b"".join(m.get("body", b"") for m in sent[1:]).decode())


class Browser:
    """Somebody's browser."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cookie = ""
        self.csrf = ""

    async def sign_in(self, name: str, password: str = PASSWORD) -> Answer:
        """Sign in, and note what forms have to bring along."""
        answer = await self.post("/sign-in", name=name, password=password, next="/")
        if answer.status == 303:
            await self.get("/lists")
        return answer

    async def get(self, path: str, **headers: str) -> Answer:
        answer = await self._ask("GET", path, b"", headers)
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer

    async def post(self, path: str, **fields: str | Sequence[str]) -> Answer:
        body = urlencode({"csrf": self.csrf, **fields}, doseq=True).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": f"http://{HOST}"}
        return await self._ask("POST", path, body, headers)

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        given = {**headers} | ({"cookie": self.cookie} if self.cookie else {})
        answer = await ask(self.app, method, path, body, given)
        for name, value in answer.headers:
            if name == "set-cookie":
                self.cookie = value.partition(";")[0]
        return answer
