"""Who may make a request: its key, the key's scopes, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from math import ceil
from typing import TYPE_CHECKING, Final

from agents.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from agents.web.api.keys import KeyRing
    from schemas.api_keys import ApiKey, Scope

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


@dataclass(slots=True)
class _Bucket:
    """What is left of a key's rate, and since when."""

    left: float
    at: float


class RateLimit:
    """Token buckets: so many requests a second of each caller, and as many at once.

    Examples
    --------
    >>> limit = RateLimit(2.0)
    >>> [limit.wait_s("a", now) for now in (0.0, 0.0, 0.0, 0.5)]
    [0.0, 0.0, 0.5, 0.0]
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._buckets: dict[str, _Bucket] = {}

    def wait_s(self, caller: str, now: float) -> float:
        """Take a request, or return after how many seconds one is taken."""
        if not self._per_s:
            return 0.0
        most = max(1.0, self._per_s)
        bucket = self._buckets.setdefault(caller, _Bucket(most, now))
        bucket.left = min(most, bucket.left + (now - bucket.at) * self._per_s)
        bucket.at = now
        if bucket.left < 1.0:
            return (1.0 - bucket.left) / self._per_s
        bucket.left -= 1.0
        return 0.0


class Access:
    """Admits requests.

    Parameters
    ----------
    keys
        As they are now.
    rate_per_s
        Requests a second of a key; 0 for no limit.
    clock
        Seconds of a clock that does not go back.
    """

    def __init__(self, keys: KeyRing, rate_per_s: float, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._rate = RateLimit(rate_per_s)
        self._clock = clock

    def admit(self, request: Request, scope: Scope) -> ApiKey | None:
        """Return the key of a request; `None` where there are no keys and it is of this machine.

        Raises
        ------
        Problem
            When it may not be made, or not now.
        """
        key = self._key_of(request)
        if key is not None and scope not in key.scopes:
            raise Problem(HTTPStatus.FORBIDDEN, f"the key has no scope {scope!r}")
        wait_s = self._rate.wait_s(key.id if key else "", self._clock())
        if wait_s:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "the key has made too many requests in a second",
                {"Retry-After": str(ceil(wait_s))},
            )
        return key

    def _key_of(self, request: Request) -> ApiKey | None:
        if self._keys.is_empty:
            _check_is_local(request)
            return None
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        key = self._keys.find(token.strip()) if kind.lower() == "bearer" else None
        if key is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "expected a key that is in force, as `Authorization: Bearer cw_...`",
                _CHALLENGE,
            )
        return key


def _check_is_local(request: Request) -> None:
    """Refuse a request that is not of this machine, or that a page of another has made here."""
    host = request.headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    client = request.client
    if client is None or not _is_loopback(client.host) or name.lower() not in LOOPBACK_NAMES:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "there are no keys yet, so the API is open to this machine alone, by the names "
            "localhost, 127.0.0.1 and [::1]; `chargewatch keys add` makes one",
            _CHALLENGE,
        )


@lru_cache(1000)
def _is_loopback(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
