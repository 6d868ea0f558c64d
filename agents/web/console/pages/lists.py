"""The named lists that rules ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from agents.policy.edits import StaleEditError
from agents.policy.list_edits import put_entry
from agents.web.console.app import Page
from agents.web.console.visit import see
from agents.web.problems import Problem
from schemas.lists import ListEntry, encode_list_entry, periods_of
from schemas.rejected import InvalidEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from agents.policy.list_edits import ListsBook
    from agents.terminal.policy_topics import PolicyTopics
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns

SHOWN_MAX: Final = 200


class ListPages:
    """The pages of lists."""

    def __init__(self, templates: Templates, policy: Turns[PolicyTopics]) -> None:
        self._templates = templates
        self._policy = policy

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/lists", self.show, "viewer")
        yield Page("POST", "/lists", self.put, "manager")
        yield Page("POST", "/lists/remove", self.remove, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show which lists there are, and what is on one of them."""
        begins = visit.query("begins") if visit.may("analyst") else ""  # tokens could be guessed
        return await self._show(visit, visit.query("list"), begins)

    async def put(self, visit: Visit) -> Response:
        """Put a value on a list, or change from when until when it is on it."""
        name, value = visit.field("list").strip(), visit.field("value").strip()
        period = _time(visit, "from") or 0.0, _time(visit, "until")
        signed = visit.signature(visit.field("note"))

        def put(book: ListsBook) -> list[ListEntry]:
            made = put_entry(book.entries, name, value, period, signed)
            encode_list_entry(made)
            return [made]

        try:
            await self._policy.run(lambda topics: topics.edit_lists(put))
        except InvalidEvent as error:
            return await self._show(visit, name, mistake=str(error))
        visit.tell(f"{value} is on @{name}.")
        return see(_path(name))

    async def remove(self, visit: Visit) -> Response:
        """Take a value off a list, as if it had never been on it."""
        name, value = visit.field("list"), visit.field("value")
        signed, version = visit.signature(visit.field("note")), visit.number("version")
        try:
            was_there = await self._policy.run(
                lambda topics: topics.take_off(name, value, signed, version)
            )
        except StaleEditError as error:
            raise Problem(HTTPStatus.CONFLICT, str(error)) from None
        visit.tell(f"{value} is off @{name}." if was_there else f"{value} was not on @{name}.")
        return see(_path(name))

    async def _show(self, visit: Visit, name: str, begins: str = "", mistake: str = "") -> Response:
        sizes, entries = await self._policy.run(lambda topics: _look(topics, name, begins))
        return self._templates.render(
            visit,
            "lists.html",
            HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK,
            sizes=sizes,
            name=name,
            begins=begins,
            entries=[(entry, periods_of(entry)) for entry in entries[:SHOWN_MAX]],
            is_all=len(entries) <= SHOWN_MAX,
            mistake=mistake,
        )


def _look(topics: PolicyTopics, name: str, begins: str) -> tuple[dict[str, int], list[ListEntry]]:
    book = topics.lists()
    found = (entry for entry in book.of(name) if entry.value.startswith(begins))
    return book.sizes, list(islice(found, SHOWN_MAX + 1))


def _time(visit: Visit, name: str) -> float | None:
    given = visit.field(name)
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: expected a time") from None


def _path(name: str) -> str:
    return f"/lists?{urlencode({'list': name})}"
