"""Rules by four eyes: one proposes them, another one puts them in force or declines them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from agents.policy.edits import put_rules
from schemas.edits import NOTE_MAX
from schemas.proposals import RulesProposal, decode_proposal
from schemas.rejected import InvalidEvent
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.policy.edits import Signature
    from schemas.rules import MerchantRules


class ProposalRefusedError(OperationalError):
    """A decision that cannot be: nothing was changed."""


class ProposalBook:
    """All proposals by their id, in the order in which they were made."""

    def __init__(self) -> None:
        self.records: dict[str, RulesProposal] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record in the order of the topic; one that cannot be used is passed over."""
        if value is None:
            self.records.pop(key.decode(errors="replace"), None)
            return
        with suppress(InvalidEvent):
            proposal = decode_proposal(value)
            if proposal.id.encode() == key:
                self.records[proposal.id] = proposal

    @property
    def waiting(self) -> list[RulesProposal]:
        """Those that are not decided."""
        return [each for each in self.records.values() if each.decision is None]


class ProposalEdit(NamedTuple):
    """What is written: a proposal, and the rules that it has become."""

    proposal: RulesProposal
    rules: MerchantRules | None = None


def propose_rules(
    records: Mapping[str, MerchantRules],
    merchant: str,
    text: str,
    signed: Signature,
    made_from: int,
    number: str,
) -> ProposalEdit:
    """Propose the next version of a merchant's rules; parameters and errors as of `put_rules`.

    `number` is its id.
    """
    put_rules(records, merchant, text, signed, made_from)
    by, at, note = signed
    return ProposalEdit(RulesProposal(number, merchant, text, made_from, by, at, note))


def approve_rules(
    book: ProposalBook, records: Mapping[str, MerchantRules], number: str, signed: Signature
) -> ProposalEdit:
    """Put in force what somebody else has proposed.

    Parameters
    ----------
    book
        All proposals.
    records
        The rules that are there, by merchant.
    number
        Which proposal.
    signed
        By whom.

    Raises
    ------
    ProposalRefusedError
        When there is no such proposal, it is decided, or it is one's own.
    StaleEditError
        When another version is there by now than the one that it was made from.
    RuleErrors
        When its rules cannot be read any more.
    """
    proposal = _waiting(book, number)
    if proposal.by == signed.by:
        raise ProposalRefusedError(
            "nobody puts in force what they have proposed themselves: another manager does"
        )
    made = put_rules(
        records,
        proposal.merchant,
        proposal.text,
        signed._replace(by=proposal.by, note=_note(proposal, signed.by)),
        proposal.made_from,
    )
    decided = replace(_decided(proposal, signed), decision="approved", version=made.version)
    return ProposalEdit(decided, made)


def decline_rules(book: ProposalBook, number: str, signed: Signature) -> ProposalEdit:
    """Decline a proposal, or withdraw one's own; parameters and errors as of `approve_rules`."""
    return ProposalEdit(replace(_decided(_waiting(book, number), signed), decision="declined"))


def _waiting(book: ProposalBook, number: str) -> RulesProposal:
    proposal = book.records.get(number)
    if proposal is None:
        raise ProposalRefusedError("there is no such proposal")
    if proposal.decision is not None:
        raise ProposalRefusedError(f"{proposal.decided_by} has {proposal.decision} it already")
    return proposal


def _decided(proposal: RulesProposal, signed: Signature) -> RulesProposal:
    by, at, note = signed
    return replace(proposal, decided_by=by, decided_at=at, decided_note=note)


def _note(proposal: RulesProposal, by: str) -> str:
    """Return why the rules were changed, and who has agreed: the log of changes has both names."""
    agreed = f"approved by {by}"
    return f"{proposal.note[: NOTE_MAX - len(agreed) - 2]}; {agreed}" if proposal.note else agreed
