"""Proposals of rules as acts: each with its line in the audit log."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from agents.policy.proposals import approve_rules, decline_rules, propose_rules
from agents.web.console.access.user_topic import audited
from agents.web.problems import Problem
from schemas.edits import NOTE_MAX

if TYPE_CHECKING:
    from agents.policy.edits import Signature
    from agents.policy.proposals import ProposalEdit
    from agents.terminal.policy_topics import PolicyTopics
    from schemas.audit import AuditAction
    from schemas.proposals import Decision, RulesProposal
    from streams.kafka.editor import Written
    from streams.kafka.topics import Topics


def propose(
    topics: PolicyTopics, merchant: str, text: str, signed: Signature, made_from: int
) -> RulesProposal:
    """Propose rules; parameters and errors as of `agents.policy.edits.put_rules`."""
    number = secrets.token_hex(8)
    return topics.edit_proposals(
        lambda _, rules: propose_rules(rules.records, merchant, text, signed, made_from, number),
        lambda edit: _told("rules_proposed", edit, signed, topics.names),
    ).proposal


def decide(
    topics: PolicyTopics, number: str, decision: Decision, signed: Signature
) -> RulesProposal:
    """Approve or decline a proposal; errors as of `agents.policy.proposals`."""
    action: AuditAction = "rules_approved" if decision == "approved" else "rules_declined"
    return topics.edit_proposals(
        lambda book, rules: (
            approve_rules(book, rules.records, number, signed)
            if decision == "approved"
            else decline_rules(book, number, signed)
        ),
        lambda edit: _told(action, edit, signed, topics.names),
    ).proposal


def proposal_of(topics: PolicyTopics, number: str) -> RulesProposal:
    """Return a proposal.

    Raises
    ------
    Problem
        When there is none of this id.
    """
    if (found := topics.proposals().records.get(number)) is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such proposal")
    return found


def proposal_path(number: str) -> str:
    """Return where a proposal is."""
    return f"/rules/proposal?{urlencode({'id': number})}"


def _told(action: AuditAction, edit: ProposalEdit, signed: Signature, names: Topics) -> Written:
    """Return the line of an act: a decision names whose proposal it is."""
    proposal = edit.proposal
    what = f"version {edit.rules.version}" if edit.rules else f"proposal {proposal.id}"
    note = signed.note
    if proposal.decision is not None:
        whose = f"proposed by {proposal.by}"
        note = f"{whose}; {note}"[:NOTE_MAX] if note else whose
    return audited(action, signed._replace(note=note), f"{proposal.merchant}, {what}", names)
