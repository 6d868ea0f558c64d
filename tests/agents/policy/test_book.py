"""The last good record of each merchant, whatever is written beside it."""

from __future__ import annotations

import msgspec
import pytest

from agents.policy.book import RulesBook
from agents.policy.edits import Signature, StaleEditError, change_of, put_rules
from agents.policy.list_edits import put_entry
from schemas.changes import Change
from schemas.rejected import InvalidEvent
from schemas.rules import MerchantRules, encode_rules

SIGNED = Signature("ann", 1.0)
BAD = b'{"merchant":"*","version":9,"text":"block when true"}'


def written(version: int, text: str) -> Change:
    return change_of("rules", "*", MerchantRules("*", version, text, by="ann"))


def test_a_record_that_cannot_be_used_changes_nothing() -> None:
    book = RulesBook()
    book.take(b"*", encode_rules(MerchantRules("*", 1, "block if true")))
    for key, value in ((b"*", BAD), (b"*", b"["), (b"m1", BAD)):
        with pytest.raises(InvalidEvent):
            book.take(key, value)
    assert [record.version for record in book.records.values()] == [1]
    assert book.lost == {"m1"}
    assert book.active().by_hash


def test_what_is_lost_is_found_in_the_changes_as_far_as_it_can_be_read() -> None:
    """A later change may be of a version with attributes that there are none of here."""
    book = RulesBook()
    with pytest.raises(InvalidEvent):
        book.take(b"*", BAD)
    of_another = msgspec.structs.replace(written(3, "x"), record={"merchant": "*", "speed": 1})
    book.recover([
        written(1, "block if true"),
        written(2, "review if true"),
        of_another,
        written(4, "block if :from_the_future: > 1"),
        Change("rules", "m1", 1, 0, "bob", 2.0, record=None),
    ])  # fmt: skip
    assert [record.version for record in book.records.values()] == [2]
    assert not book.lost


def test_what_is_not_lost_is_not_taken_from_the_changes() -> None:
    book = RulesBook()
    book.take(b"*", encode_rules(MerchantRules("*", 5, "block if true")))
    book.recover([written(7, "allow if true")])
    assert book.records["*"].version == 5


@pytest.mark.parametrize("made_from", [0, 1, 3])
def test_an_edit_of_another_version_is_refused(made_from: int) -> None:
    there = {"*": MerchantRules("*", 2, "", by="bob")}
    with pytest.raises(StaleEditError, match="version 2 by bob is there"):
        put_rules(there, "*", "block if true", SIGNED, made_from)
    assert put_rules(there, "*", "block if true", SIGNED, 2).version == 3
    entry = put_entry({}, "cards", "tok_1", (0.0, None), SIGNED)
    entries = {("cards", "tok_1"): put_entry({("cards", "tok_1"): entry}, "cards", "tok_1",
                                             (0.0, None), SIGNED)}  # fmt: skip
    with pytest.raises(StaleEditError, match="tok_1 on @cards: version 2 by ann is there"):
        put_entry(entries, "cards", "tok_1", (0.0, None), SIGNED, made_from)
