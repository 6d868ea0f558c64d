"""Rules: read, tried as they are written, put in force, looked back at, rolled back."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.evaluation.rule_estimates import RULE_HEADS, rule_row
from agents.policy.active_rules import ActiveRule
from agents.policy.edits import StaleEditError, put_rules
from agents.rules.mistakes import RuleErrors
from agents.rules.rule_set import parse
from agents.web.console.app import Page
from agents.web.console.pages.rule_backtests import SPANS, shown
from agents.web.console.proposals import proposal_of, proposal_path, propose
from agents.web.console.rule_texts import (
    Checked,
    check,
    differences,
    merchant_named,
    rules_path,
    sent_text,
)
from agents.web.console.visit import see
from agents.web.problems import Problem
from schemas.edits import EVERYONE
from schemas.rules import MerchantRules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.responses import Response

    from agents.policy.edits import Signature
    from agents.terminal.matured_charges import MaturedTopic
    from agents.terminal.policy_topics import PolicyTopics
    from agents.web.console.backtests import Backtests
    from agents.web.console.rendering import Templates
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from schemas.changes import Change
    from schemas.proposals import RulesProposal
    from streams.events.rows import Rows

DAYS: Final = 30
"""Of charges that tell how good rules are, the latest whose label horizon has passed."""


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
    backtests
        Of all users.
    four_eyes
        Whether changes are proposed, for somebody else to put in force.
    """

    def __init__(
        self,
        templates: Templates,
        policy: Turns[PolicyTopics],
        matured: Turns[MaturedTopic],
        backtests: Backtests,
        *,
        four_eyes: bool,
    ) -> None:
        self._templates = templates
        self._policy = policy
        self._matured = matured
        self._backtests = backtests
        self._four_eyes = four_eyes

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
        """Show the rules of a merchant, or those for all, and the editor.

        Where a proposal is named, the editor has its text, to be looked at again.
        """
        merchant = merchant_named(visit.query("merchant", EVERYONE))
        number = visit.query("proposal")
        if not number:
            return await self._editor(visit, merchant)
        proposal = await self._policy.run(lambda topics: proposal_of(topics, number))
        return await self._editor(
            visit, proposal.merchant, proposal.text, status=HTTPStatus.OK, note=proposal.note
        )

    async def check(self, visit: Visit) -> Response:
        """Tell what is wrong with a text, or what it would change."""
        merchant, text = merchant_named(visit.field("merchant")), sent_text(visit)
        checked = await self._policy.run(lambda topics: check(topics, merchant, text))
        is_other = self._is_backtest_of_other(visit, merchant, text)
        return self._templates.part(
            visit, "rules_checked.html", checked=checked, is_backtest_of_other=is_other
        )

    async def put(self, visit: Visit) -> Response:
        """Put a text in force or propose it, unless another has been put meanwhile."""
        merchant, text = merchant_named(visit.field("merchant")), sent_text(visit)
        signed, made_from = visit.signature(visit.field("note")), visit.number("made_from")
        try:
            return await self._change(visit, merchant, text, signed, made_from)
        except RuleErrors:
            return await self._editor(visit, merchant, text, made_from, note=signed.note)
        except StaleEditError as error:
            return await self._editor(visit, merchant, text, note=signed.note, stale=str(error))

    async def shadow(self, visit: Visit) -> Response:
        """Put one rule in shadow, or switch it on."""
        merchant, label = merchant_named(visit.field("merchant")), visit.field("rule")
        record = await self._policy.run(lambda topics: topics.rules().records.get(merchant))
        text, is_shadow = _switched(record, label)
        signed = visit.signature(f"{label}: {'in shadow' if is_shadow else 'switched on'}")
        return await self._change(visit, merchant, text, signed, visit.number("made_from"))

    async def roll_back(self, visit: Visit) -> Response:
        """Put an earlier version in force again, as a new one."""
        merchant, version = merchant_named(visit.field("merchant")), visit.number("version")
        signed = visit.signature(f"back to version {version}")
        earlier = await self._version(merchant, version)
        return await self._change(visit, merchant, earlier.text, signed, visit.number("made_from"))

    async def version(self, visit: Visit) -> Response:
        """Show a version, and what it changed."""
        merchant = merchant_named(visit.query("merchant", EVERYONE))
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
            changes=differences(before.text, record.text),
            to_it=differences(newest.text if newest else "", record.text),
        )

    async def figures(self, visit: Visit) -> Response:
        """Tell what became of the charges that rules matched."""
        merchant = merchant_named(visit.query("merchant", EVERYONE))
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
        *,
        status: HTTPStatus = HTTPStatus.CONFLICT,
        note: str = "",
        stale: str = "",
    ) -> Response:
        """Return the page of a merchant's rules, with a text that is not in force, if there is one.

        It is made from the newest version, unless `made_from` tells another.
        """
        seen = await self._policy.run(lambda topics: _look(topics, merchant, text))
        record = seen.records.get(merchant)
        in_force = record.text if record else ""
        return self._templates.render(
            visit,
            "rules.html",
            HTTPStatus.OK if text is None else status,
            merchant=merchant,
            record=record,
            rules=parse(in_force).rules,
            text=in_force if text is None else text,
            made_from=(record.version if record else 0) if made_from is None else made_from,
            note=note,
            checked=seen.checked,
            is_backtest_of_other=self._is_backtest_of_other(
                visit, merchant, in_force if text is None else text
            ),
            stale=stale,
            changes=seen.changes[::-1],
            others=sorted(seen.records.keys() - {merchant}),
            four_eyes=self._four_eyes,
            waiting=seen.waiting,
            backtest=shown(self._backtests.of(visit.user.name), merchant),
            spans=SPANS,
        )

    def _is_backtest_of_other(self, visit: Visit, merchant: str, text: str) -> bool:
        tried = self._backtests.of(visit.user.name)
        return tried is not None and tried.is_of_other(merchant, text)

    async def _change(
        self, visit: Visit, merchant: str, text: str, signed: Signature, made_from: int
    ) -> Response:
        """Put a text in force, or propose it where that takes somebody else."""
        if self._four_eyes:
            proposal = await self._policy.run(
                lambda topics: propose(topics, merchant, text, signed, made_from)
            )
            visit.tell("Proposed: another manager puts it in force, or declines it.")
            return see(proposal_path(proposal.id))
        made = await self._policy.run(
            lambda topics: topics.edit_rules(
                lambda book: put_rules(book.records, merchant, text, signed, made_from)
            )
        )
        visit.tell(f"Version {made.version} is in force within a second.")
        return see(rules_path(merchant))

    async def _version(self, merchant: str, version: int) -> MerchantRules:
        if version == 0:  # before the first there were none
            return MerchantRules(merchant, 1, "")
        changes = await self._policy.run(lambda topics: topics.changes("rules", merchant))
        for change in changes:
            if change.version == version:
                return _record(change)
        raise Problem(HTTPStatus.NOT_FOUND, f"{merchant} has no version {version} of its rules")


class _Seen(NamedTuple):
    """What the page of a merchant's rules shows of the topics."""

    records: dict[str, MerchantRules]
    changes: list[Change]
    waiting: list[RulesProposal]
    checked: Checked | None


def _look(topics: PolicyTopics, merchant: str, text: str | None) -> _Seen:
    return _Seen(
        dict(topics.rules().records),
        topics.changes("rules", merchant),
        topics.proposals().waiting,
        None if text is None else check(topics, merchant, text),
    )


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


def _record(change: Change) -> MerchantRules:
    return MerchantRules(**(change.record or {}))
