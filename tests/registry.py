"""A stand-in for Confluent's Schema Registry: its HTTP interface, as far as its clients use it.

Paths, answers and error codes are those of its documentation. Compatibility is checked backward, of
records of Avro (fields may be added with a default, and taken away) and of objects of JSON Schema
(nothing more may be required).
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlparse

if TYPE_CHECKING:
    from types import TracebackType

Answer = tuple[int, Any]


@dataclass(slots=True)
class Written:
    """A schema as it was registered."""

    number: int
    guid: str
    body: dict[str, Any]

    def answer(self, form: str) -> dict[str, Any]:
        """Return it as the registry tells it; of Protobuf the text needs a form to be asked for."""
        told = {"id": self.number, "guid": self.guid, **self.body}
        if self.body["schemaType"] == "AVRO":
            del told["schemaType"]  # the registry leaves it out
        if self.body["schemaType"] == "PROTOBUF" and form != "serialized":
            told["schema"] = 'syntax = "proto3"; // as text, which takes a compiler'
        return told


@dataclass(slots=True)
class Registry:
    """A registry on a port of its own, which may go away, refuse or be slow.

    Attributes
    ----------
    asked
        Method and path of every request so far.
    delay_s
        How long an answer takes.
    failing
        Status of all answers where it is set.
    hurry
        Set it to have what is slow answered at once.
    credentials
        `user:password` that is asked for where it is set.
    """

    asked: list[str] = field(default_factory=list)
    delay_s: float = 0.0
    failing: int = 0
    credentials: str = ""
    port: int = 0
    _schemas: list[Written] = field(default_factory=list)
    _subjects: dict[str, list[Written]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    hurry: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hurry.set()
        self.stop()

    def start(self) -> None:
        """Begin to answer, on the port that it had."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self.port = int(server.server_address[1])
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Answer nobody."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(self, subject: str, text: str, kind: str = "AVRO") -> int:
        """Register a schema as a producer does, and return its number."""
        with self._lock:
            status, told = self._register(subject, {"schema": text, "schemaType": kind})
        assert status == 200, told
        return int(told["id"])

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        self.asked.append(f"{method} {path}")
        self.hurry.wait(self.delay_s)
        if self.failing:
            return self.failing, {"error_code": self.failing, "message": "so it was set"}
        parsed = urlparse(path)
        form = parse_qs(parsed.query).get("format", [""])[0]
        with self._lock:
            return self._answer(method, [unquote(part) for part in parsed.path.split("/")[1:]],
                                form, body)  # fmt: skip

    def _answer(self, method: str, parts: list[str], form: str, body: dict[str, Any]) -> Answer:
        match method, *parts:
            case "GET", "schemas", "ids" | "guids", sought:
                found = [each for each in self._schemas if sought in {str(each.number), each.guid}]
                return (200, found[0].answer(form)) if found else _no_schema()
            case "GET", "subjects", subject, "versions", version:
                return self._version(subject, version, form)
            case "POST", "subjects", subject, "versions":
                return self._register(subject, body)
            case "POST", "subjects", subject:
                return self._look_up(subject, body)
            case "POST", "compatibility", "subjects", subject, "versions", _:
                told = {"is_compatible": self._is_compatible(subject, _normal(body))}
                return (200, told) if subject in self._subjects else _no_subject()
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _version(self, subject: str, version: str, form: str) -> Answer:
        versions = self._subjects.get(subject)
        if versions is None:
            return _no_subject()
        place = len(versions) if version == "latest" else int(version)
        if not 0 < place <= len(versions):
            return 404, {"error_code": 40402, "message": f"Version {version} not found."}
        return 200, {"subject": subject, "version": place, **versions[place - 1].answer(form)}

    def _register(self, subject: str, body: dict[str, Any]) -> Answer:
        body = _normal(body)
        if not self._is_compatible(subject, body):
            return 409, {"error_code": 409, "message": "Schema being registered is incompatible"}
        written = next((each for each in self._schemas if each.body == body), None)
        if written is None:
            guid = str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(body)))
            written = Written(len(self._schemas) + 1, guid, body)
            self._schemas.append(written)
        versions = self._subjects.setdefault(subject, [])
        if written not in versions:
            versions.append(written)
        return 200, {"id": written.number, "guid": written.guid}

    def _look_up(self, subject: str, body: dict[str, Any]) -> Answer:
        if subject not in self._subjects:
            return _no_subject()
        for version, written in enumerate(self._subjects[subject], 1):
            if written.body == _normal(body):
                return 200, {"subject": subject, "version": version, **written.answer("serialized")}
        return _no_schema()

    def _is_compatible(self, subject: str, body: dict[str, Any]) -> bool:
        versions = self._subjects.get(subject)
        return versions is None or _is_backward(versions[-1].body, body)


def _normal(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": body["schema"],
        "schemaType": body.get("schemaType") or "AVRO",
        "references": body.get("references") or [],
    }


def _is_backward(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether what was written by the old schema can be read by the new one."""
    if old["schemaType"] != new["schemaType"]:
        return False
    if old["schemaType"] == "PROTOBUF":
        return True
    before, after = json.loads(old["schema"]), json.loads(new["schema"])
    if old["schemaType"] == "JSON":
        return set(after.get("required", [])) <= set(before.get("required", []))
    fields = {each["name"]: each for each in before.get("fields", [])}
    return all(
        each["type"] == fields[each["name"]]["type"]
        if each["name"] in fields
        else "default" in each
        for each in after.get("fields", [])
    )


def _no_schema() -> Answer:
    return 404, {"error_code": 40403, "message": "Schema not found"}


def _no_subject() -> Answer:
    return 404, {"error_code": 40401, "message": "Subject not found."}


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._handle({})

        def do_POST(self) -> None:
            self._handle(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *_: object) -> None:
            pass

        def _handle(self, body: dict[str, Any]) -> None:
            wanted = base64.b64encode(registry.credentials.encode()).decode()
            if registry.credentials and self.headers["Authorization"] != f"Basic {wanted}":
                status, told = 401, {"error_code": 401, "message": "Unauthorized"}
            else:
                status, told = registry.answer(self.command, self.path, body)
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler
