"""Schemas by their ids, asked for in a thread of its own: nothing waits but what needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.formats.decoders import decoder_of, refusing
from streams.kafka.schema_registry import RegistryAwayError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from streams.formats.schema import Decoder, Schema, SchemaId
    from streams.kafka.clients import Clients
    from streams.kafka.retry import RetryPolicy, Waiting
    from streams.kafka.schema_registry import SchemaRegistry

UNKNOWN_FOR_S: Final = 60.0
"""How long an id that the registry did not know is not asked for again, seconds."""

_ASKED_EVERY_S: Final = 0.5
_WHOM: Final = "the schema registry"


def registered(registry: SchemaRegistry, retry: RetryPolicy, subject: str, schema: Schema) -> int:
    """Register a schema, waiting for a registry that is away; return its number.

    Raises
    ------
    RegistryError
        As `SchemaRegistry.register`.
    StoppedError
        When the worker stops meanwhile.
    """
    waiting = retry.waiting(_WHOM)
    while True:
        try:
            return registry.register(subject, schema.kind, schema.text)
        except RegistryAwayError as error:
            waiting.say(f"the schema of {subject} cannot be registered: {error}")
            retry.rest(_ASKED_EVERY_S)


class _Question(NamedTuple):
    answer: Future[Decoder | str]
    waiting: Waiting


class RegistrySchemas:
    """What `streams.formats.schema.Schemas` says, of a schema registry.

    A schema is asked for once, and then known for good. While the registry is away it is asked for
    again and again, which is logged now and then with the cause.

    Parameters
    ----------
    registry
        Is asked.
    clients
        Have the thread, the clock, and the retry policy.
    """

    def __init__(self, registry: SchemaRegistry, clients: Clients) -> None:
        self._registry = registry
        self._clients = clients
        self._executor = clients.executor("schemas")
        self._known: dict[SchemaId, Decoder] = {}
        self._unknown_until: dict[SchemaId, float] = {}
        self._asked: dict[SchemaId, _Question] = {}

    def decoder(self, schema_id: SchemaId) -> Decoder | None:
        """Return the decoder of a schema; `None` while it is not there, and is being asked for."""
        decoder = self._known.get(schema_id)
        if decoder is None and schema_id not in self._asked:
            waiting = self._clients.retry.waiting(_WHOM)
            self._asked[schema_id] = self._question(schema_id, waiting)
        return decoder

    def settle(self) -> bool:
        """Take in what was asked for, and return whether anything has come.

        Raises
        ------
        RegistryError
            When the registry refuses to answer.
        StoppedError
            When the worker stops while something is asked for.
        """
        self._forget_unknown()
        has_come = False
        for schema_id, question in list(self._asked.items()):
            if not question.answer.done():
                question.waiting.say(f"schema {schema_id} has not come yet")
                continue
            answer = question.answer.result()
            if isinstance(answer, str):
                question.waiting.say(f"schema {schema_id} cannot be had: {answer}")
                self._asked[schema_id] = self._question(
                    schema_id, question.waiting, after_s=_ASKED_EVERY_S
                )
                continue
            del self._asked[schema_id]
            self._known[schema_id] = answer
            if answer.kind is None:
                self._unknown_until[schema_id] = self._clients.clock() + UNKNOWN_FOR_S
            has_come = True
        return has_come

    def _question(self, schema_id: SchemaId, waiting: Waiting, after_s: float = 0.0) -> _Question:
        return _Question(self._executor.submit(self._ask, schema_id, after_s), waiting)

    def _ask(self, schema_id: SchemaId, after_s: float) -> Decoder | str:
        """Return the decoder of a schema, or why it cannot be had now."""
        self._clients.retry.stopping.wait(after_s)
        try:
            schema = self._registry.schema(schema_id)
        except RegistryAwayError as error:
            return str(error)
        if schema is None:
            return refusing(f"the schema registry does not know schema {schema_id}")
        return decoder_of(schema_id, schema)

    def _forget_unknown(self) -> None:
        """Let what the registry did not know be asked for again, once it may know it."""
        now = self._clients.clock()
        for schema_id in [each for each, until in self._unknown_until.items() if until <= now]:
            del self._unknown_until[schema_id], self._known[schema_id]
