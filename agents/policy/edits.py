"""Edits of rules and settings: each a record in a new version, and the change that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from agents.policy.book import SettingsRefusedError
from agents.rules.rule_set import parse
from schemas.changes import Change, Kind
from schemas.merchants import MerchantSettings
from schemas.rules import MerchantRules
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping


class StaleEditError(OperationalError):
    """An edit of a version that is not the newest."""


class UnknownVersionError(OperationalError):
    """There is no such version."""


class Edited(Protocol):
    """A record that people edit."""

    @property
    def version(self) -> int:
        """Counts its edits."""

    @property
    def by(self) -> str:
        """Who made the last one."""


class Signature(NamedTuple):
    """Who makes an edit, when (Unix seconds, wall clock), and why."""

    by: str
    at: float
    note: str = ""


def put_rules(
    records: Mapping[str, MerchantRules],
    merchant: str,
    text: str,
    signed: Signature,
    made_from: int | None = None,
) -> MerchantRules:
    """Return the next version of a merchant's rules.

    Parameters
    ----------
    records
        The rules that are there, by merchant.
    merchant
        Whose they are.
    text
        The new set.
    signed
        By whom.
    made_from
        The version that was edited; `None` for whichever is there.

    Raises
    ------
    RuleErrors
        When anything in the text is wrong.
    StaleEditError
        When another version is there by now.
    """
    parse(text)
    before = version_before(records.get(merchant), made_from, f"rules of {merchant}")
    return MerchantRules(merchant, before + 1, text, made_from=before, **signed._asdict())


def set_merchant(
    records: Mapping[str, MerchantSettings],
    merchant: str,
    changed: Mapping[str, Any],
    signed: Signature,
    made_from: int | None = None,
) -> MerchantSettings:
    """Return the next version of a merchant's settings, with some of them changed.

    Parameters
    ----------
    records, merchant, signed, made_from
        As for `put_rules`.
    changed
        Settings and costs by their names; `None` takes one away. Whether there are such is up to
        who reads them.

    Raises
    ------
    StaleEditError
        When another version is there by now.
    SettingsRefusedError
        When a setting cannot have this value; names it.
    """
    there = records.get(merchant)
    before = version_before(there, made_from, f"settings of {merchant}")
    found = there or MerchantSettings(merchant, 1)
    costs = dict(found.costs)
    own = dict[str, Any]()
    for name, value in changed.items():
        if name in _SETTINGS:
            own[name] = value
        elif value is None:
            costs.pop(name, None)
        else:
            costs[name] = value
    made = replace(
        found, **own, costs=costs, version=before + 1, made_from=before, **signed._asdict()
    )
    try:
        return msgspec.convert(msgspec.to_builtins(made), MerchantSettings)
    except msgspec.ValidationError as error:
        raise SettingsRefusedError(str(error)) from None


_SETTINGS = frozenset(MerchantSettings.__struct_fields__) - {
    *("merchant", "version", "costs", "made_from", "by", "at", "note")
}


def change_of(kind: Kind, key: str, record: MerchantRules | MerchantSettings) -> Change:
    """Return what the log keeps of a record that is written."""
    return Change(
        kind,
        key,
        record.version,
        record.made_from,
        record.by,
        record.at,
        record.note,
        msgspec.to_builtins(record),
    )


def version_before(found: Edited | None, made_from: int | None, what: str) -> int:
    """Return the version that an edit follows, 0 where there is none.

    Parameters
    ----------
    found
        What is there.
    made_from
        The version that was edited; `None` for whichever is there.
    what
        It is called.

    Raises
    ------
    StaleEditError
        When another version is there by now.
    """
    newest = found.version if found else 0
    if made_from not in {None, newest}:
        by = f" by {found.by}" if found and found.by else ""
        raise StaleEditError(
            f"{what}: version {newest}{by} is there, and this was made from version {made_from}: "
            "nothing was changed; look at what is there now, and make the change there"
        )
    return newest
