"""Settings of merchants: what their charges cost, and how they are decided."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from math import isnan
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from agents.policy.book import SettingsRefusedError
from agents.policy.edits import StaleEditError, set_merchant
from agents.policy.terms import PRESETS
from agents.settings.schema import COST_FIELDS
from agents.web.api.edit_types import SETTINGS
from agents.web.console.app import Page
from agents.web.console.visit import see
from schemas.edits import EVERYONE
from schemas.scored import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from agents.policy.book import MerchantsBook
    from agents.terminal.policy_topics import PolicyTopics
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from schemas.merchants import MerchantSettings

CHOICES: Final = {"preset": tuple(PRESETS), "fallback": ACTIONS}
OWN: Final = tuple(name for name in SETTINGS if name != "costs")


class MerchantPages:
    """The pages of merchants' settings."""

    def __init__(self, templates: Templates, policy: Turns[PolicyTopics]) -> None:
        self._templates = templates
        self._policy = policy

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/merchants", self.show, "viewer")
        yield Page("GET", "/merchants/holds", self.holds, "viewer")
        yield Page("POST", "/merchants", self.put, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show what a merchant has set, and what holds for it."""
        return await self._show(visit, visit.query("merchant", EVERYONE))

    async def holds(self, visit: Visit) -> Response:
        """Tell what a merchant has set, as a part of its own page."""
        merchant = visit.query("merchant")
        record, _, _ = await self._policy.run(lambda topics: _look(topics, merchant))
        return self._templates.part(
            visit, "merchant_holds.html", merchant=merchant, record=record,
            own=_own(record),
        )  # fmt: skip

    async def put(self, visit: Visit) -> Response:
        """Set what a form says; what is left empty is as it is for all."""
        merchant = visit.field("merchant")
        signed, made_from = visit.signature(visit.field("note")), visit.number("made_from")
        given = {name: visit.field(name).strip() for name in (*OWN, *COST_FIELDS)}

        def put(book: MerchantsBook) -> MerchantSettings:
            changed = {name: _value(name, text) for name, text in given.items()}
            return book.checked(set_merchant(book.records, merchant, changed, signed, made_from))

        try:
            made = await self._policy.run(lambda topics: topics.edit_merchants(put))
        except (SettingsRefusedError, StaleEditError) as error:
            return await self._show(visit, merchant, given, str(error))
        visit.tell(f"Version {made.version} holds within a second.")
        return see(f"/merchants?{urlencode({'merchant': merchant})}")

    async def _show(
        self,
        visit: Visit,
        merchant: str,
        given: dict[str, str] | None = None,
        mistake: str = "",
    ) -> Response:
        record, holds, others = await self._policy.run(lambda topics: _look(topics, merchant))
        return self._templates.render(
            visit,
            "merchants.html",
            HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK,
            merchant=merchant,
            record=record,
            own=_own(record) if given is None else given,
            holds=holds,
            others=others,
            names=OWN,
            costs=COST_FIELDS,
            choices=CHOICES,
            mistake=mistake,
        )


def _look(
    topics: PolicyTopics, merchant: str
) -> tuple[MerchantSettings | None, dict[str, str], list[str]]:
    """Return what a merchant has set, what holds for it, and who else has set anything."""
    book = topics.merchants()
    terms = book.terms_of(merchant)
    holds = {
        name: f"{value:g}"
        for name, value in {**asdict(terms), **asdict(terms.costs)}.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not isnan(value)
    }
    holds["fallback"] = terms.fallback
    return book.records.get(merchant), holds, sorted(book.records.keys() - {merchant})


def _own(record: MerchantSettings | None) -> dict[str, str]:
    """Return what is set, as a form has it."""
    if record is None:
        return {}
    own = {name: getattr(record, name) for name in OWN} | record.costs
    return {
        name: value if isinstance(value, str) else f"{value:g}"
        for name, value in own.items()
        if value is not None
    }


def _value(name: str, text: str) -> Any:
    """Return a setting, `None` where it is left empty.

    Raises
    ------
    SettingsRefusedError
        When it cannot have this value; names it.
    """
    if not text:
        return None
    type_ = SETTINGS[name].type if name in SETTINGS else float
    try:
        return msgspec.convert(text, type_, strict=False)
    except msgspec.ValidationError as error:
        what = str(error)
        raise SettingsRefusedError(f"{name}: {what[0].lower()}{what[1:]}") from None
