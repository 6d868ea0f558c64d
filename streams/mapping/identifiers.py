"""Identifiers: texts, made where the data has none, and hashed where they must not be seen."""

from __future__ import annotations

from hashlib import blake2b, sha256
from hmac import digest
from typing import TYPE_CHECKING, Final

from schemas.card_numbers import card_token, contains_card_number
from streams.mapping.paths import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_BYTES_MIN: Final = 16
_BETWEEN: Final = "\x1f"
_DIGEST_BYTES: Final = 12


def keyed_hash(values: Sequence[object], key: bytes) -> str | None:
    """Return what stands for values that must not be seen, `None` where all are missing.

    It is `hmac_` and an HMAC-SHA256 (RFC 2104) in hexadecimal. That of a card number is the same
    that the setting `card_hash_key` gives with the same key, however the number is written.

    Examples
    --------
    >>> first = keyed_hash(["4242 4242 4242 4242"], b"k" * 16)
    >>> first == keyed_hash([4242424242424242], b"k" * 16), first[:5], len(first)
    (True, 'hmac_', 69)
    >>> keyed_hash(["a", "bc"], b"k" * 16) == keyed_hash(["ab", "c"], b"k" * 16)
    False
    """
    joined = _joined(values)
    if joined is None:
        return None
    if len(values) == 1 and contains_card_number(joined):
        return card_token(joined, key)
    return f"hmac_{digest(key, joined.encode(errors='surrogatepass'), sha256).hex()}"


def digest_of(values: Sequence[object]) -> str | None:
    """Return a short hash of values by which rows are told apart, `None` where all are missing.

    Examples
    --------
    >>> digest_of(["c1", 5, None])
    'a0dfd880369832cb86bbc472'
    """
    joined = _joined(values)
    if joined is None:
        return None
    return blake2b(joined.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def _joined(values: Sequence[object]) -> str | None:
    texts = [text_of(value) for value in values]
    if all(text is None for text in texts):
        return None
    return _BETWEEN.join(text or "" for text in texts)
