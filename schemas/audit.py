"""The record of something that a person did, kept for ever.

Changes of rules, lists and merchants' settings have a record of their own (`schemas.changes`).
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.edits import Author, Note, WrittenAt, decoded

AuditAction = Literal[
    "sign_in",
    "sign_in_refused",
    "sign_out",
    "user_put",
    "user_removed",
    "verdict",
    "claim",
    "note",
    "model_decision",
    "rules_proposed",
    "rules_approved",
    "rules_declined",
    "rejected_published",
]


class AuditEvent(Struct, frozen=True, omit_defaults=True):
    """One act."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$", description="unique; drawn at random")]
    at: WrittenAt
    by: Author
    action: Annotated[AuditAction, Meta(description="what was done")]
    subject: Annotated[
        str, Meta(max_length=300, description="to what: a charge, a user, a model; may be empty")
    ] = ""
    note: Note = ""


def audit_key(event: AuditEvent) -> bytes:
    """Return the key of an act: no two have the same, so none is compacted away.

    >>> audit_key(AuditEvent("0123456789abcdef", 1.5, "ann", "sign_in"))
    b'1.500/0123456789abcdef'
    """
    return f"{event.at:.3f}/{event.id}".encode()


def encode_audit_event(event: AuditEvent) -> bytes:
    """Return the payload of an act."""
    return _ENCODER.encode(event)


def decode_audit_event(value: bytes) -> AuditEvent:
    """Return the act of a payload.

    Raises
    ------
    InvalidEvent
        With reason `json` or `type` when the payload is none.
    """
    return decoded(_DECODER, value, "audit event")


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(AuditEvent)
