"""Rules: read, tried as they are written, put in force, looked back at, rolled back."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from agents.evaluation.rule_estimates import RULE_HEADS, rule_row
from agents.policy.active_rules import ActiveRule
from agents.policy.edits import StaleEditError, put_rules
from agents.rules.list_names import without_entries
from agents.rules.mistakes import Mistake, RuleErrors
from agents.rules.rule_set import parse
from agents.web.console.app import Page
from agents.web.console.visit import see
from agents.web.problems import Problem
from schemas.edits import EVERYONE
from schemas.fields import Identifier
from schemas.rules import MerchantRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.responses import Response

    from agents.policy.book import RulesBook
    from agents.policy.edits import Signature
    from agents.rules.rule import Rule
    from agents.terminal.matured_charges import MaturedTopic
    from agents.terminal.policy_topics import PolicyTopics
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from schemas.changes import Change
    from streams.events.rows import Rows

DAYS: Final = 30
"""Of charges that tell how good rules are, the latest whose label horizon has passed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A text of rules, looked at.

    Attributes
    ----------
    rules
        What is in it; empty if anything is wrong.
    mistakes
        What is.
    warnings
        Of what is allowed, and probably meant otherwise.
    changes
        Lines that differ from what is in force, each with its sign.
    """

    rules: Sequence[Rule]
    mistakes: Sequence[Mistake]
    warnings: Sequence[str]
    changes: Sequence[str]


class RulePages:
    """The pages of rules.

    Parameters
    ----------
    templates
        Of the console.
    policy
        Has the rules.
    matured
        Has charges that rules matched, of `DAYS`. The first time they take long to be read, so no
        edit waits for them.
    """

    def __init__(
        self, templates: Templates, policy: Turns[PolicyTopics], matured: Turns[MaturedTopic]
    ) -> None:
        self._templates = templates
        self._policy = policy
        self._matured = matured

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/rules", self.show, "viewer")
        yield Page("GET", "/rules/figures", self.figures, "viewer")
        yield Page("GET", "/rules/version", self.version, "viewer")
        yield Page("POST", "/rules/check", self.check, "manager")
        yield Page("POST", "/rules", self.put, "manager")
        yield Page("POST", "/rules/shadow", self.shadow, "manager")
        yield Page("POST", "/rules/rollback", self.roll_back, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show the rules of a merchant, or those for all, and the editor."""
        merchant = _merchant(visit.query("merchant", EVERYONE))
        return await self._editor(visit, merchant)

    async def check(self, visit: Visit) -> Response:
        """Tell what is wrong with a text, or what it would change."""
        merchant, text = _merchant(visit.field("merchant")), _text(visit)
        checked = await self._policy.run(lambda topics: _check(topics, merchant, text))
        return self._templates.part(visit, "rules_checked.html", checked=checked)

    async def put(self, visit: Visit) -> Response:
        """Put a text in force, unless another has been meanwhile."""
        merchant, text = _merchant(visit.field("merchant")), _text(visit)
        signed, made_from = visit.signature(visit.field("note")), visit.number("made_from")
        try:
            made = await self._put(merchant, text, signed, made_from)
        except RuleErrors:
            return await self._editor(visit, merchant, text, made_from)
        except StaleEditError as error:
            return await self._editor(visit, merchant, text, made_from, str(error))
        visit.tell(f"Version {made.version} is in force within a second.")
        return see(_path(merchant))

    async def shadow(self, visit: Visit) -> Response:
        """Put one rule in shadow, or switch it on."""
        merchant, label = _merchant(visit.field("merchant")), visit.field("rule")
        signed, made_from = visit.signature(), visit.number("made_from")

        def put(book: RulesBook) -> MerchantRules:
            text, is_shadow = _switched(book.records.get(merchant), label)
            note = f"{label}: {'in shadow' if is_shadow else 'switched on'}"
            return put_rules(book.records, merchant, text, signed._replace(note=note), made_from)

        made = await self._policy.run(lambda topics: topics.edit_rules(put))
        visit.tell(f"{made.note}. Version {made.version} is in force within a second.")
        return see(_path(merchant))

    async def roll_back(self, visit: Visit) -> Response:
        """Put an earlier version in force again, as a new one."""
        merchant, version = _merchant(visit.field("merchant")), visit.number("version")
        signed = visit.signature(f"back to version {version}")
        made_from = visit.number("made_from")
        earlier = await self._version(merchant, version)
        made = await self._put(merchant, earlier.text, signed, made_from)
        visit.tell(f"Version {made.version} is in force within a second, as {version} was.")
        return see(_path(merchant))

    async def version(self, visit: Visit) -> Response:
        """Show a version, and what it changed."""
        merchant = _merchant(visit.query("merchant", EVERYONE))
        number = visit.query("version")
        if not number.isdecimal():
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such version")
        record = await self._version(merchant, int(number))
        before = await self._version(merchant, record.made_from)
        newest = await self._policy.run(lambda topics: topics.rules().records.get(merchant))
        return self._templates.render(
            visit,
            "rules_version.html",
            record=record,
            newest=newest.version if newest else 0,
            changes=_differences(before.text, record.text),
        )

    async def figures(self, visit: Visit) -> Response:
        """Tell what became of the charges that rules matched."""
        merchant = _merchant(visit.query("merchant", EVERYONE))
        record = await self._policy.run(lambda topics: topics.rules().records.get(merchant))
        rows: Sequence[Sequence[str]] = []
        if record is not None:
            rows = await self._matured.run(lambda topic: _figures(topic.matched(), record))
        return self._templates.part(
            visit, "rules_figures.html", heads=RULE_HEADS, rows=rows, days=DAYS
        )

    async def _editor(
        self,
        visit: Visit,
        merchant: str,
        text: str | None = None,
        made_from: int | None = None,
        stale: str = "",
    ) -> Response:
        """Return the page of a merchant's rules, with a text that could not be put in force."""
        records, changes, checked = await self._policy.run(
            lambda topics: _look(topics, merchant, text)
        )
        record = records.get(merchant)
        in_force = record.text if record else ""
        return self._templates.render(
            visit,
            "rules.html",
            HTTPStatus.OK if text is None else HTTPStatus.CONFLICT,
            merchant=merchant,
            record=record,
            rules=parse(in_force).rules,
            text=in_force if text is None else text,
            made_from=(record.version if record else 0) if made_from is None else made_from,
            checked=checked,
            is_changed=text is not None,
            stale=stale,
            changes=changes[::-1],
            others=sorted(records.keys() - {merchant}),
        )

    async def _put(
        self, merchant: str, text: str, signed: Signature, made_from: int
    ) -> MerchantRules:
        return await self._policy.run(
            lambda topics: topics.edit_rules(
                lambda book: put_rules(book.records, merchant, text, signed, made_from)
            )
        )

    async def _version(self, merchant: str, version: int) -> MerchantRules:
        if version == 0:  # before the first there were none
            return MerchantRules(merchant, 1, "")
        changes = await self._policy.run(lambda topics: topics.changes("rules", merchant))
        for change in changes:
            if change.version == version:
                return _record(change)
        raise Problem(HTTPStatus.NOT_FOUND, f"{merchant} has no version {version} of its rules")


def _look(
    topics: PolicyTopics, merchant: str, text: str | None
) -> tuple[dict[str, MerchantRules], list[Change], Checked | None]:
    """Return the rules that are there, the changes of a merchant's, and a text looked at."""
    records = dict(topics.rules().records)
    checked = None if text is None else _check(topics, merchant, text)
    return records, topics.changes("rules", merchant), checked


def _check(topics: PolicyTopics, merchant: str, text: str) -> Checked:
    record = topics.rules().records.get(merchant)
    changes = _differences(record.text if record else "", text)
    try:
        rules = parse(text)
    except RuleErrors as error:
        return Checked((), error.mistakes, (), changes)
    warnings = without_entries(rules, topics.lists().sizes) if rules.lists else []
    return Checked(rules.rules, (), warnings, changes)


def _figures(rows: Rows, record: MerchantRules) -> list[tuple[str, ...]]:
    rules = [ActiveRule.of(rule, record.merchant) for rule in parse(record.text).rules]
    return [rule_row(rows, rule) for rule in rules] if len(rows) else []


def _switched(record: MerchantRules | None, label: str) -> tuple[str, bool]:
    """Return a text in which one rule is in shadow that was not, or the other way round.

    Raises
    ------
    Problem
        When there is no such rule.
    """
    found = [rule for rule in parse(record.text).rules if rule.label == label] if record else []
    if record is None or not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"{label}: there is no such rule any more")
    rule = found[0]
    lines = record.text.splitlines(keepends=True)
    line = lines[rule.line - 1].lstrip()
    lines[rule.line - 1] = line.split(maxsplit=1)[1] if rule.is_shadow else f"shadow {line}"
    return "".join(lines), not rule.is_shadow


def _differences(before: str, after: str) -> list[str]:
    """Return the lines that differ, with `+` or `-`, and those around them."""
    heads = 2  # names of files
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))
    return [line for line in lines[heads:] if not line.startswith("@@")]


def _record(change: Change) -> MerchantRules:
    return MerchantRules(**(change.record or {}))


def _text(visit: Visit) -> str:
    """Return the text of an editor: browsers end its lines with CR LF."""
    return visit.field("text").replace("\r\n", "\n")


def _merchant(given: str) -> str:
    try:
        return msgspec.convert(given, Identifier)
    except msgspec.ValidationError:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "merchant: expected 1 to 128 characters"
        ) from None


def _path(merchant: str) -> str:
    return f"/rules?{urlencode({'merchant': merchant})}"
