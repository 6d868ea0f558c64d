"""Faults that are put into a sound state are found, each for what it is, and nothing else is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from msgspec.structs import replace

from agents.inspection.contents import check_task
from agents.stages.tasks import STATE_FORMS
from streams.features.card_record import CARD_LAYOUT
from streams.features.entities import CARDS, MERCHANTS
from streams.features.merchant_record import MERCHANT_LAYOUT
from streams.labels.pending import PENDING_LAYOUT
from streams.layouts.layout import FIRST, head_of
from streams.state import tables as state
from streams.state.rocksdb import RocksStore
from streams.state.store import KeyRange

if TYPE_CHECKING:
    from agents.inspection.checks import Finding

Records = dict[bytes, bytes]
Changes = dict[bytes, bytes | None]
Copy = Callable[[str], Path]


def changed(path: Path, change: Callable[[Records], Changes]) -> list[Finding]:
    """Change a state, and return what is found in it."""
    store = RocksStore(path, *STATE_FORMS)
    records = dict(store.scan(KeyRange(b"\x01", b"\xff")))
    store.write(change(records), [], (store.offset or 0) + 1)
    store.close()
    contents, findings = check_task(0, path)
    assert contents.problem is None
    return findings


def of_table(records: Records, table: bytes) -> Records:
    return {key: value for key, value in records.items() if key[:1] == table}


@dataclass
class Fault:
    """What a change makes of a table, and what is found then."""

    table: bytes
    change: Callable[[bytes, bytes], Changes]
    told: str
    at: int = 0
    """Which record is changed."""


def not_finite(key: bytes, _: bytes) -> Changes:
    row = CARD_LAYOUT.new(1)
    row["sums"][0, 3] = np.nan
    return {key: row.tobytes()}


FAULTS = [
    Fault(CARDS.prefix, lambda k, v: {k: v[:-1]}, "not of the size that its layout says"),
    Fault(CARDS.prefix, lambda k, v: {k: v + b"\0"}, "not of the size that its layout says", 20),
    Fault(CARDS.prefix, lambda k, v: {k: head_of(7) + v[8:]}, "no layout 00000007"),
    Fault(CARDS.prefix, lambda k, _: {k: MERCHANT_LAYOUT.empty}, "no layout"),
    Fault(CARDS.prefix, not_finite, "a number that is none"),
    Fault(CARDS.prefix, lambda k, _: {k: b""}, "not of the size that its layout says"),
    Fault(state.PENDING, lambda k, v: {k: v[:9]}, "not of the size that its layout says"),
    Fault(state.PENDING, lambda _, v: {state.PENDING + b"12": v}, "the key is not of the size"),
    Fault(MERCHANTS.prefix, lambda k, v: {k: v[:8]}, "not of the size that its layout says"),
    Fault(state.DRIFT, lambda k, v: {k: v[1:]}, "not of the size that its layout says"),
    Fault(state.SEEN, lambda k, v: {k: v[:-1]}, "torn"),
    Fault(state.SEEN, lambda k, _: {k: struct.pack("<dd", 1.0, np.inf)}, "a number that is none"),
    Fault(state.DISPUTED, lambda k, v: {k: v + b"\0"}, "torn"),
    Fault(state.CHARGES, lambda k, v: {k: v[:7]}, "torn"),
    Fault(state.CHARGES, lambda k, v: {k: struct.pack("<d", np.nan) + v[8:]}, "a number that"),
    Fault(state.WAITING, lambda k, v: {k: v[:5]}, "torn"),
    Fault(state.WAITING, lambda k, v: {k: v[: len(v) // 2]}, "torn"),
    Fault(state.TIMERS, lambda k, v: {k: v[:19]}, "torn"),
    Fault(
        state.TIMERS, lambda k, v: {k: v[:4] + bytes(16)}, "the charge that is due is not kept", -1
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.told)
@pytest.mark.parametrize("made", ["present", "mixed"])
def test_a_fault_is_found(fault: Fault, made: str, copy: Copy) -> None:
    path = copy(made)

    def change(records: Records) -> Changes:
        key, value = list(of_table(records, fault.table).items())[fault.at]
        return fault.change(key, value)

    [finding] = changed(path, change)
    assert finding.records == 1
    assert fault.told in finding.why


def test_the_same_fault_is_told_once_with_its_first_key(copy: Copy) -> None:
    path = copy("present")
    keys: list[bytes] = []

    def change(records: Records) -> Changes:
        keys.extend(of_table(records, state.PENDING))
        return {key: records[key][:-1] for key in keys[100:400]}

    [finding] = changed(path, change)
    assert finding[:3] == ("pending", 300, keys[100][1:].hex())


def test_the_key_of_a_card_is_private(copy: Copy) -> None:
    path = copy("present")
    findings = changed(path, lambda _: {CARDS.prefix + b"card_secret": b"torn"})
    assert "secret" not in str(findings)


def test_a_charge_that_is_due_and_dropped_is_missed(copy: Copy) -> None:
    """Each of those that will be asked for."""
    path = copy("first_release")
    due: list[bytes] = []

    def change(records: Records) -> Changes:
        due.extend(of_table(records, state.TIMERS).values())
        return {state.PENDING + key: None for key in due}

    [finding] = changed(path, change)
    assert (finding.table, finding.records) == ("timers", len(due))


def test_charges_that_are_not_asked_for_any_more_may_be_gone(copy: Copy) -> None:
    path = copy("present")
    leftover = {state.TIMERS + struct.pack(">d", 1e9) + bytes(16): bytes(20)}
    assert changed(path, lambda _: dict(leftover)) == []


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (b"positions", b"{", "truncated"),
        (b"positions", b'{"charges":1}', "expected those of charges, disputes, by_merchant"),
        (b"positions/later", b'{"outcomes":"1"}', "Expected `int`"),
        (b"progress", b'["a",1]', "Expected `float`"),
        (b"clocks", b"[1.0]", "Expected `array` of length 2"),
        (b"layout/00000007", b'{"form":2}', "told in another form"),
    ],
)
def test_what_a_state_tells_of_itself_has_to_be_readable(
    key: bytes, value: bytes, told: str, copy: Copy
) -> None:
    path = copy("present")
    findings = changed(path, lambda _: {state.META + key: value})
    assert any(told in finding.why and finding.table == "meta" for finding in findings)


def test_a_state_without_positions_may_be_restored_in_part(copy: Copy) -> None:
    path = copy("present")

    def change(records: Records) -> Changes:
        kept = dict.fromkeys(of_table(records, state.PENDING))
        return {state.META + b"positions": None, **kept}

    [finding] = changed(path, change)
    assert (finding.table, finding.first) == ("meta", "positions")
    assert "restores the rest" in finding.why


def test_a_layout_that_cannot_be_converted_is_told_with_its_records(copy: Copy) -> None:
    path = copy("present")
    fields = dict(CARD_LAYOUT.layout.fields)
    fields["charges"] = replace(fields["charges"], type="<f8")
    wide = replace(CARD_LAYOUT.layout, fields=fields)

    def change(_: Records) -> Changes:
        record = head_of(wide.number) + CARD_LAYOUT.empty[8:]
        return {
            state.META + b"layout/%08x" % wide.number: wide.encoded(),
            CARDS.prefix + b"card": record,
        }

    findings = changed(path, change)
    assert [finding.table for finding in findings] == ["meta", "cards"]
    assert all("charges: " in finding.why for finding in findings)


def test_pending_of_an_older_layout_is_read_by_it(copy: Copy) -> None:
    path = copy("mixed")
    sizes = {FIRST["pending"].size_bytes, PENDING_LAYOUT.layout.size_bytes}
    found: set[int] = set()

    def change(records: Records) -> Changes:
        found.update(map(len, of_table(records, state.PENDING).values()))
        return {}

    assert changed(path, change) == []
    assert found == sizes
