"""Somebody who uses a console over HTTP: signs in, sends forms."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 60.0


class Seen(NamedTuple):
    """A page, behind all redirects."""

    status: int
    url: str
    text: str


class Person:
    """A person at a console."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self._url = f"http://127.0.0.1:{port}"
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self._csrf = ""
        signed_in = self.post("/sign-in", name=name, password=password, next="/lists")
        assert signed_in.url.endswith("/lists"), signed_in
        self._csrf = re.findall(r'name="csrf" value="([^"]+)"', signed_in.text)[0]

    def get(self, path: str) -> Seen:
        return self._open(urllib.request.Request(f"{self._url}{path}"))

    def post(self, path: str, **fields: str | Sequence[str]) -> Seen:
        body = urlencode({"csrf": self._csrf, **fields}, doseq=True).encode()
        return self._open(urllib.request.Request(f"{self._url}{path}", body))

    def _open(self, request: urllib.request.Request) -> Seen:
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return Seen(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Seen(error.code, request.full_url, error.read().decode())
