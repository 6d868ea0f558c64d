"""What a request writes of rules, lists and merchants' settings: the records without their history.

A record as it was read may be written again: what is the API's own in it is passed over.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from agents.web.problems import Problem
from schemas.edits import Note
from schemas.fields import Timestamp
from schemas.merchants import MerchantSettings
from schemas.rules import RULES_TEXT_MAX

OWN: Final = frozenset({"merchant", "list", "value", "version", "made_from", "by", "at", "earlier"})


class RulesEdit(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A merchant's rules: the whole set."""

    text: Annotated[
        str,
        Meta(
            max_length=RULES_TEXT_MAX,
            description="one rule a line, in the language of rules; empty for no rules",
        ),
    ]
    note: Note = ""


class EntryEdit(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"start": "from"}
):
    """From when until when a value is on a list, in event time."""

    start: Annotated[
        Timestamp, Meta(description="from when on it is on the list, Unix seconds")
    ] = 0.0
    until: Annotated[
        Timestamp | None,
        Meta(description="from when on it is no longer on it, Unix seconds; missing: for ever"),
    ] = None
    note: Note = ""


SETTINGS: Final = {
    field.name: field
    for field in msgspec.structs.fields(MerchantSettings)
    if field.name not in OWN | {"note"}
}

MerchantEdit: Final[Any] = msgspec.defstruct(
    "MerchantEdit",
    [
        *((name, field.type, None if name != "costs" else {}) for name, field in SETTINGS.items()),
        ("note", Note, ""),
    ],
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    namespace={"__doc__": "All settings of a merchant: what is absent is as it is for all."},
)


def edit_of(written: Any, type_: type[Struct], path: Mapping[str, str]) -> Any:
    """Return an edit, given the JSON of a request.

    Parameters
    ----------
    written
        The JSON, decoded.
    type_
        Of the edit.
    path
        What the path says; the same names in the JSON have to agree.

    Raises
    ------
    Problem
        When it is none; names the field.
    """
    if not isinstance(written, dict):
        raise _refused("body", "expected an object")
    for name, value in path.items():
        if written.get(name, value) != value:
            raise _refused(name, f"expected {value!r}, as in the path")
    try:
        return msgspec.convert({k: v for k, v in written.items() if k not in OWN}, type_)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        field = place.strip(".`") or "body"
        raise _refused(field, what) from None


def _refused(field: str, what: str) -> Problem:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return Problem(status, f"{field}: {what[0].lower()}{what[1:]}", field=field)
