"""Keys: which request has which, and what never opens anything."""

from __future__ import annotations

from hashlib import sha256

import pytest
from msgspec.structs import replace

from agents.web.api.keys import KeyRing, UnknownKeyError, new_key, revoked
from schemas.api_keys import ApiKey, encode_api_key

NOW = 1.75e9


def ring_of(*records: ApiKey) -> KeyRing:
    ring = KeyRing()
    for record in records:
        ring.take(record.id.encode(), encode_api_key(record))
    return ring


def test_a_key_has_256_random_bits_and_only_its_hash_is_kept() -> None:
    made = [new_key("checkout", ["charges"], "ann", NOW) for _ in range(100)]
    secrets = {token.rpartition("_")[2] for _, token in made}
    assert len(secrets) == 100
    assert all(len(bytes.fromhex(secret)) == 32 for secret in secrets)
    for record, token in made:
        payload = encode_api_key(record)
        assert token.rpartition("_")[2].encode() not in payload
        assert record.sha256 == sha256(token.encode()).hexdigest()


def test_each_token_finds_its_own_key_alone() -> None:
    one, one_token = new_key("checkout", ["charges", "charges"], "ann", NOW)
    other, other_token = new_key("risk", ["rules", "read"], "ann", NOW)
    ring = ring_of(one, other)
    assert ring.find(one_token) == one
    assert ring.find(other_token) == other
    assert one.scopes == ("charges",)
    mixed = f"cw_{one.id}_{other_token.rpartition('_')[2]}"
    wrong = ["", "cw_", mixed, one_token[:-1], one_token + "0", one_token.upper(), one.sha256,
             f" {one_token}", f"{one_token}\n"]  # fmt: skip
    assert [token for token in wrong if ring.find(token) is not None] == []


def test_a_revoked_key_opens_nothing_and_does_not_open_the_api_to_all() -> None:
    record, token = new_key("checkout", ["charges"], "ann", NOW)
    ring = ring_of(record, revoked(record, record.id, NOW + 1))
    assert ring.find(token) is None
    assert not ring.is_empty
    assert ring.records[record.id].revoked_at == NOW + 1
    again = revoked(ring.records[record.id], record.id, NOW + 9)
    assert again.revoked_at == NOW + 1


def test_a_key_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(UnknownKeyError, match="000000000000: there is no such key"):
        revoked(None, "000000000000", NOW)


def test_what_cannot_be_read_closes_the_key_that_was_there() -> None:
    record, token = new_key("checkout", ["charges"], "ann", NOW)
    ring = ring_of(record)
    later = encode_api_key(replace(record, revoked_at=NOW)).replace(b'"charges"', b'"money"')
    ring.take(record.id.encode(), later)
    assert ring.find(token) is None
    assert not ring.is_empty
    ring.take(record.id.encode(), None)
    assert ring.is_empty


def test_the_name_of_a_key_is_no_card_number() -> None:
    record, _ = new_key("of 4242424242424242", ["read"], "ann", NOW)
    assert "4242" not in record.name
