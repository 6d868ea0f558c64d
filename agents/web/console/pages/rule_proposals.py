"""Proposals of rules: looked at, put in force by somebody else, declined, withdrawn."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from agents.rules.mistakes import RuleErrors
from agents.web.console.app import Page
from agents.web.console.pages.rule_backtests import SPANS, shown
from agents.web.console.proposals import decide, proposal_of, proposal_path
from agents.web.console.rule_texts import check, rules_path
from agents.web.console.visit import see
from agents.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from agents.terminal.policy_topics import PolicyTopics
    from agents.web.console.backtests import Backtests
    from agents.web.console.rendering import Templates
    from agents.web.console.rule_texts import Checked
    from agents.web.console.visit import Visit
    from agents.web.turns import Turns
    from schemas.proposals import Decision, RulesProposal
    from schemas.rules import MerchantRules


class ProposalPages:
    """The page of a proposal.

    Parameters
    ----------
    templates
        Of the console.
    policy
        Has the rules and the proposals.
    backtests
        Of all users.
    """

    def __init__(
        self, templates: Templates, policy: Turns[PolicyTopics], backtests: Backtests
    ) -> None:
        self._templates = templates
        self._policy = policy
        self._backtests = backtests

    def pages(self) -> Iterable[Page]:
        """Return the pages."""
        yield Page("GET", "/rules/proposal", self.show, "viewer")
        yield Page("POST", "/rules/proposal/approve", self.approve, "manager")
        yield Page("POST", "/rules/proposal/decline", self.decline, "manager")

    async def show(self, visit: Visit) -> Response:
        """Show what a proposal would change, or what became of it."""
        number = visit.query("id")
        seen = await self._policy.run(lambda topics: _look(topics, number))
        proposal, record = seen.proposal, seen.record
        return self._templates.render(
            visit,
            "rules_proposal.html",
            proposal=proposal,
            record=record,
            is_stale=(record.version if record else 0) != proposal.made_from,
            checked=seen.checked,
            backtest=shown(self._backtests.of(visit.user.name), proposal.merchant),
            spans=SPANS,
        )

    async def approve(self, visit: Visit) -> Response:
        """Put it in force."""
        try:
            proposal = await self._decide(visit, "approved")
        except RuleErrors as error:
            raise Problem(HTTPStatus.CONFLICT, f"its rules cannot be read: {error}") from None
        visit.tell(f"Version {proposal.version} is in force within a second.")
        return see(rules_path(proposal.merchant))

    async def decline(self, visit: Visit) -> Response:
        """Decline it, or withdraw one's own."""
        if not visit.field("note").strip():
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "note: say why, for who has proposed it")
        proposal = await self._decide(visit, "declined")
        visit.tell("Withdrawn." if proposal.by == visit.user.name else "Declined.")
        return see(proposal_path(proposal.id))

    async def _decide(self, visit: Visit, decision: Decision) -> RulesProposal:
        number, signed = visit.field("id"), visit.signature(visit.field("note"))
        return await self._policy.run(lambda topics: decide(topics, number, decision, signed))


class _Seen(NamedTuple):
    """A proposal, what is in force in its place, and how they differ."""

    proposal: RulesProposal
    record: MerchantRules | None
    checked: Checked


def _look(topics: PolicyTopics, number: str) -> _Seen:
    proposal = proposal_of(topics, number)
    record = topics.rules().records.get(proposal.merchant)
    return _Seen(proposal, record, check(topics, proposal.merchant, proposal.text))
