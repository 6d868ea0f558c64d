"""Keys of the API: how they are made, and which of them a request has."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from schemas.api_keys import ApiKey, decode_api_key, encode_api_key
from schemas.card_numbers import mask
from schemas.rejected import InvalidEvent
from streams.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.api_keys import Scope

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(r"cw_([0-9a-f]{12})_[0-9a-f]{64}")
_NOBODYS: Final = "0" * 64


class KeyRefusedError(OperationalError):
    """A key that cannot be."""


class UnknownKeyError(OperationalError):
    """There is no such key."""


def new_key(name: str, scopes: Sequence[Scope], by: str, now: float) -> tuple[ApiKey, str]:
    """Return a new key's record, and the key, which is kept nowhere.

    Parameters
    ----------
    name
        Who will use it; what looks like a card number is masked.
    scopes
        What it may do.
    by, now
        Who makes it, and when, Unix seconds.

    Raises
    ------
    KeyRefusedError
        When a key cannot have this name.

    Examples
    --------
    >>> record, token = new_key("checkout", ["charges"], "ann", 1.75e9)
    >>> token.startswith(f"cw_{record.id}_"), len(token), record.sha256 in token
    (True, 80, False)
    """
    id_ = secrets.token_hex(_ID_BYTES)
    token = f"cw_{id_}_{secrets.token_hex(_SECRET_BYTES)}"
    chosen = tuple(dict.fromkeys(scopes))
    record = ApiKey(id_, mask(name), _hash(token), chosen, by, now)
    try:
        return decode_api_key(encode_api_key(record)), token
    except InvalidEvent as error:
        raise KeyRefusedError(str(error)) from None


def revoked(record: ApiKey | None, id_: str, now: float) -> ApiKey:
    """Return the record of a key that is refused from now on.

    Raises
    ------
    UnknownKeyError
        When there is no such key.
    """
    if record is None:
        raise UnknownKeyError(f"{id_}: there is no such key; `chargewatch keys list` tells them")
    return record if record.revoked_at is not None else replace(record, revoked_at=now)


class KeyRing:
    """All keys, as they are on their topic.

    Attributes
    ----------
    records
        By id, revoked ones too.
    unusable
        Ids of records that could not be read: no request has such a key.

    Examples
    --------
    >>> record, token = new_key("checkout", ["charges"], "ann", 1.75e9)
    >>> ring = KeyRing()
    >>> ring.take(record.id.encode(), encode_api_key(record))
    >>> ring.find(token).name, ring.find(token[:-1] + "x"), ring.is_empty
    ('checkout', None, False)
    """

    def __init__(self) -> None:
        self.records: dict[str, ApiKey] = {}
        self.unusable: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Whether there never was a key. One that is revoked is there: it opens nothing."""
        return not self.records and not self.unusable

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take a record in the order of the topic.

        What cannot be read takes the place of what was there: it may have said that the key is
        revoked.
        """
        id_ = key.decode(errors="replace")
        self.records.pop(id_, None)
        self.unusable.discard(id_)
        if value is None:
            return
        try:
            record = decode_api_key(value)
        except InvalidEvent:
            self.unusable.add(id_)
        else:
            self.records[id_] = record

    def find(self, token: str) -> ApiKey | None:
        """Return the key that a token is, `None` if it is none or is revoked.

        How long it takes says nothing of the secret: hashes are compared, in constant time.
        """
        match = _TOKEN.fullmatch(token)
        record = self.records.get(match[1]) if match else None
        is_right = compare_digest(_hash(token), record.sha256 if record else _NOBODYS)
        return record if record and is_right and record.revoked_at is None else None


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
