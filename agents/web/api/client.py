"""A client of the HTTP API, on the standard library's."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from agents.web.api.answer_types import AcceptedAnswer, FallbackAnswer, ScoredAnswer
from agents.web.problems import ProblemDetails

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

    from schemas.charge import Charge
    from schemas.dispute import Dispute
    from schemas.outcome import Outcome

_TRIES: Final = 2
_SPARE_S: Final = 1.0
_DECODE_SCORED: Final = msgspec.json.Decoder(ScoredAnswer).decode
_DECODE_FALLBACK: Final = msgspec.json.Decoder(FallbackAnswer).decode
_DECODE_ACCEPTED: Final = msgspec.json.Decoder(AcceptedAnswer).decode
_DECODE_PROBLEM: Final = msgspec.json.Decoder(ProblemDetails).decode


class ApiError(Exception):
    """A request that was not done; `problem` says why."""

    def __init__(self, problem: ProblemDetails) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class ApiClient:
    """A client of one replica, or of a balancer before several; for one thread at a time.

    Where a connection ends without an answer, the request is made once again: an event that comes
    twice counts once, and a charge gets the same answer.

    Parameters
    ----------
    url
        Where the API is, such as ``https://fraud.example``.
    key
        Of `chargewatch keys add`; none where there are none.
    deadline_ms
        Of charges; by default as the API is set.
    timeout_s
        After which a connection is given up; it is longer than the deadline by itself.
    context
        How TLS is checked; by default by the system's certificates.

    Examples
    --------
    ::

        with ApiClient("http://127.0.0.1:8080", key) as client:
            answer = client.score({"id": "ch_1", "created": time.time(), "amount": 1999,
                                   "currency": "usd", "card": "card_1", "merchant": "acct_1"})
            if answer.action == "block":
                ...
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        deadline_ms: int | None = None,
        timeout_s: float = 5.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url: expected http:// or https:// and a host, got {url!r}")
        timeout_s = max(timeout_s, (deadline_ms or 0) / 1e3 + _SPARE_S)
        self._connection = (
            HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=context)
            if parts.scheme == "https"
            else HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        )
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._deadline = (
            {"Chargewatch-Deadline-Ms": str(deadline_ms)} if deadline_ms is not None else {}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def score(self, charge: Charge | Mapping[str, Any]) -> ScoredAnswer | FallbackAnswer:
        """Return what is to be done with a charge.

        Raises
        ------
        ApiError
            When there is no answer.
        OSError, HTTPException
            When the API cannot be reached.
        """
        told = self._post("/v1/charges", charge, self._deadline)
        is_scored = msgspec.json.decode(told)["source"] == "scored"
        return _DECODE_SCORED(told) if is_scored else _DECODE_FALLBACK(told)

    def dispute(self, dispute: Dispute | Mapping[str, Any]) -> str:
        """Tell of a dispute or an early fraud warning; return its id. Raises as `score`."""
        return _DECODE_ACCEPTED(self._post("/v1/disputes", dispute)).id

    def outcome(self, outcome: Outcome | Mapping[str, Any]) -> str:
        """Tell what became of a charge; return its id. Raises as `score`."""
        return _DECODE_ACCEPTED(self._post("/v1/outcomes", outcome)).id

    def _post(self, path: str, event: object, headers: Mapping[str, str] | None = None) -> bytes:
        body = msgspec.json.encode(event)
        for left in reversed(range(_TRIES)):
            try:
                self._connection.request("POST", path, body, {**self._headers, **(headers or {})})
                response = self._connection.getresponse()
                told = response.read()
            except (OSError, HTTPException):
                self._connection.close()
                if not left:
                    raise
            else:
                if response.status >= 400:
                    raise ApiError(_DECODE_PROBLEM(told))
                return told
        raise AssertionError("the last try returns or raises")
