"""Rules, lists and merchants' settings as requests: read, and edited as the commands edit them."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
from confluent_kafka import KafkaException

from agents.policy.book import SettingsRefusedError
from agents.policy.edits import Signature, put_rules, set_merchant
from agents.policy.list_edits import put_entry
from agents.rules.mistakes import RuleErrors
from agents.terminal.policy_topics import PolicyTopics
from agents.web.api.edit_types import SETTINGS, EntryEdit, MerchantEdit, RulesEdit, edit_of
from agents.web.api.endpoints import json_response
from agents.web.api.preconditions import Precondition, entity_tag
from agents.web.problems import MistakeDetails, Problem, unavailable
from agents.web.turns import Turns
from schemas.card_numbers import mask
from schemas.fields import Identifier
from schemas.lists import encode_list_entry
from schemas.rejected import InvalidEvent
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from agents.policy.book import MerchantsBook, RulesBook
    from agents.policy.list_edits import ListsBook
    from agents.settings.schema import Settings
    from agents.web.api.calls import Call
    from schemas.lists import ListEntry
    from schemas.merchants import MerchantSettings
    from schemas.rules import MerchantRules

Found = TypeVar("Found")


class _Edit(NamedTuple):
    """What a request to write says, and by whom."""

    written: Any
    signed: Signature
    precondition: Precondition


class PolicyCalls:
    """The calls that read and write what merchants decide."""

    def __init__(self, settings: Settings) -> None:
        self._turns = Turns(PolicyTopics(settings))

    async def get_rules(self, call: Call) -> Response:
        """Return the rules of a merchant, or those for all."""
        merchant = _merchant(call)
        record = await self._run(lambda topics: topics.rules().records.get(merchant))
        return _told(record, f"rules of {merchant}")

    async def put_rules(self, call: Call) -> Response:
        """Put rules in place of a merchant's."""
        merchant, edit = _merchant(call), _edit(call, RulesEdit)

        def put(book: RulesBook) -> MerchantRules:
            edit.precondition.check(_version(book.records.get(merchant)))
            return put_rules(book.records, merchant, edit.written.text, edit.signed)

        return _told(await self._run(lambda topics: topics.edit_rules(put)), "")

    async def get_merchant(self, call: Call) -> Response:
        """Return the settings of a merchant, or those for all."""
        merchant = _merchant(call)
        record = await self._run(lambda topics: topics.merchants().records.get(merchant))
        return _told(record, f"settings of {merchant}")

    async def put_merchant(self, call: Call) -> Response:
        """Put settings in place of a merchant's."""
        merchant, edit = _merchant(call), _edit(call, MerchantEdit)

        def put(book: MerchantsBook) -> MerchantSettings:
            there = book.records.get(merchant)
            edit.precondition.check(_version(there))
            gone = dict.fromkeys(there.costs if there else ())
            changed = {name: getattr(edit.written, name) for name in SETTINGS if name != "costs"}
            changed |= gone | edit.written.costs
            return book.checked(set_merchant(book.records, merchant, changed, edit.signed))

        return _told(await self._run(lambda topics: topics.edit_merchants(put)), "")

    async def get_entry(self, call: Call) -> Response:
        """Return an entry of a list."""
        key = call.path("list"), call.path("value")
        entry = await self._run(lambda topics: topics.lists().entries.get(key))
        return _told(entry, f"{key[1]} on @{key[0]}")

    async def put_entry(self, call: Call) -> Response:
        """Put a value on a list, or change from when until when it is on it."""
        key, edit = (call.path("list"), call.path("value")), _edit(call, EntryEdit)
        period = edit.written.start, edit.written.until

        def put(book: ListsBook) -> list[ListEntry]:
            edit.precondition.check(_version(book.entries.get(key)))
            made = put_entry(book.entries, *key, period, edit.signed)
            encode_list_entry(made)
            return [made]

        [made] = await self._run(lambda topics: topics.edit_lists(put))
        return _told(made, "")

    async def close(self) -> None:
        """Disconnect; what waits for brokers is given up."""
        await self._turns.close()

    async def _run(self, work: Callable[[PolicyTopics], Found]) -> Found:
        """Do something in the thread, and return what it returns, its errors as problems."""
        try:
            return await self._turns.run(work)
        except RuleErrors as error:
            raise _rules_refused(error) from None
        except (InvalidEvent, SettingsRefusedError, msgspec.ValidationError) as error:
            raise _refused(str(error)) from None
        except (KafkaException, OperationalError) as error:
            raise unavailable(str(error)) from None


def _edit(call: Call, type_: type[msgspec.Struct]) -> _Edit:
    written = edit_of(call.json(), type_, call.request.path_params)
    signed = Signature(call.caller, time.time(), mask(written.note))
    return _Edit(written, signed, Precondition.of(call.request.headers))


def _merchant(call: Call) -> str:
    """Return the merchant of the path."""
    try:
        return msgspec.convert(call.path("merchant"), Identifier)
    except msgspec.ValidationError:
        raise _refused("merchant: expected a string of 1 to 128 characters") from None


def _version(record: MerchantRules | MerchantSettings | ListEntry | None) -> int:
    return record.version if record else 0


def _told(record: MerchantRules | MerchantSettings | ListEntry | None, what: str) -> Response:
    """Return a record, with its version as entity tag."""
    if record is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"{mask(what)}: there is none")
    return json_response(msgspec.json.encode(record), ETag=entity_tag(record.version))


def _refused(told: str) -> Problem:
    """Return the problem of what cannot be written; a field that it names is told by itself."""
    *before, _ = told.split(": ")
    field = next((part for part in before if part.isidentifier()), None)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, field=field)


def _rules_refused(error: RuleErrors) -> Problem:
    mistakes = tuple(
        MistakeDetails(each.line, each.column, mask(each.message), mask(each.suggestion))
        for each in error.mistakes
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return Problem(status, str(error), field="text", mistakes=mistakes)
