"""What becomes of rows by a mapping: charges, labels, what is left out, and what is refused."""

from __future__ import annotations

from hashlib import sha256
from hmac import digest
from math import inf
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.currency import bundled_rates
from schemas.rejected import InvalidEvent
from schemas.signals import Signal
from schemas.validation import parse_charge
from streams.mapping.columns import fit
from streams.mapping.lookup import cards_of, charges_asked_for
from streams.mapping.making import Means
from streams.mapping.mapped_file import MappedFile
from streams.mapping.mistakes import MappingError
from streams.mapping.reading import read_mapping
from streams.mapping.ready_mappings import find_mapping
from tests.streams.mapping.made_files import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

    from streams.mapping.mapping import Kind

KEY = b"a key of these tests"
PAGE = """
[charge]
id = "nr"
created = { from = "at", unit = "s" }
amount = { from = "amt", unit = "major" }
currency = { value = "usd" }
card = "cc"
merchant = { value = "m" }
"""
HEAD = "nr,at,amt,cc,status,fraud,days,email,V1\n"
ROW = "c1,1790000000,12.30,4242424242424242,ok,0,,ann@example.com,01.50\n"


def events(folder: Path, page: str, rows: str, kind: Kind = "charge", **how: Any) -> list[bytes]:
    path = folder / "f.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    means = Means(bundled_rates().decimals, KEY)
    return list(MappedFile(path, read_mapping(page, "page"), kind, means, **how).events())


def event(folder: Path, page: str, rows: str = ROW, kind: Kind = "charge") -> dict[str, Any]:
    (found,) = events(folder, page, rows, kind)
    read: dict[str, Any] = orjson.loads(found)
    return read


def why(folder: Path, page: str, rows: str = ROW) -> str:
    (found,) = events(folder, page, rows)
    with pytest.raises(InvalidEvent) as told:
        parse_charge(found, None, 1e12)
    return str(told.value)


SIGNALS = """
[signals]
"V*" = "number"
state = { from = "status", kind = "category", text = "it is {value}" }
gone = "number"
"W*" = "category"
"""


def test_signals_are_carried_along_by_their_names(tmp_path: Path) -> None:
    page = f'carry = "none"\n{PAGE}{SIGNALS}'
    found = event(tmp_path, page)
    assert (found["V1"], found["state"]) == (1.5, "ok")
    assert not {"status", "gone", "fraud"} & found.keys()
    mapping, notes = fit(read_mapping(page, "page"), tmp_path / "f.csv", ("charge",))
    assert [(each.path, each.signal) for each in mapping.signals] == [
        ("V1", Signal("V1", "number")),
        ("status", Signal("state", "category", "it is {value}")),
    ]
    assert notes == [f"{tmp_path / 'f.csv'}: no column gone, so no such signal"]


def test_a_pattern_of_signals_takes_no_column_that_is_read(tmp_path: Path) -> None:
    page = f'{PAGE}[dispute]\nwhen = "fraud = 1"\n[signals]\n"*" = "category"\n'
    event(tmp_path, page)
    mapping, _ = fit(read_mapping(page, "page"), tmp_path / "f.csv", ("charge",))
    assert [each.path for each in mapping.signals] == ["status", "days", "V1"]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ('[signals]\na = "text"', "signals: a: expected number or category"),
        ('[signals]\namount = "number"', "signals: amount: is a field that a charge"),
        ('[signals]\na = { from = 5, kind = "number" }', "signals.a.from: expected a column"),
        ('[signals]\nb = { from = "cc", kind = "category" }', "is only to be seen as a keyed"),
    ],
)
def test_signals_that_cannot_be(page: str, message: str) -> None:
    hashed = PAGE.replace('card = "cc"', 'card = { from = "cc", hash = true }')
    with pytest.raises(MappingError, match=message):
        read_mapping(f"{hashed}{page}", "page")


def test_columns_are_carried_along(tmp_path: Path) -> None:
    """Under their own names, unless these mean something in an event."""
    plain = event(tmp_path, PAGE)
    assert {name: plain[name] for name in ("status", "fraud", "V1")} == {
        "status": "ok", "fraud": "0", "V1": "01.50",
    }  # fmt: skip
    assert not {"amt", "at", "cc", "nr", "email", "days"} & plain.keys()
    assert event(tmp_path, f'carry = ["V*"]\nnumbers = ["V*"]\n{PAGE}')["V1"] == 1.5
    assert "V1" not in event(tmp_path, f'carry = "none"\n{PAGE}')
    assert event(tmp_path, f'carry = ["amt"]\n{PAGE}')["amt"] == "12.30"


def test_labels_become_disputes(tmp_path: Path) -> None:
    rows = ROW + ROW.replace("c1", "c2").replace(",0,", ",1,")
    page = f'{PAGE}[dispute]\nwhen = "fraud = 1"\ndelay_days = 2.5\n'
    assert event(tmp_path, page, rows, "dispute") == {
        "id": "dp_c2",
        "charge": "c2",
        "card": "4242424242424242",
        "merchant": "m",
        "created": 1790000000 + 2.5 * 86_400,
        "reason": "fraudulent",
    }
    charges = [orjson.loads(each) for each in events(tmp_path, page, rows)]
    assert len(charges) == 2
    assert all("fraud" not in charge for charge in charges), "it would tell what is not known yet"


def test_the_delay_may_be_a_column(tmp_path: Path) -> None:
    page = f'{PAGE}[dispute]\nwhen = "not days missing"\ndelay_days = "days"\n'
    rows = ROW + ROW.replace("ok,0,", "ok,1,3")
    assert event(tmp_path, page, rows, "dispute")["created"] == 1790000000 + 3 * 86_400
    bad = events(tmp_path, page, ROW.replace("ok,0,", "ok,1,soon"), "dispute")
    assert b"line 2: delay_days: expected days from 0 to 3650 in days" in bad[0]


def test_conditions_leave_rows_out_and_make_outcomes(tmp_path: Path) -> None:
    rows = "".join(ROW.replace("c1", f"c{s}").replace("ok", s) for s in ("ok", "failed", "test"))
    page = (
        f"leave_out = \"status = 'test'\"\n{PAGE}"
        "[outcome]\nwhen = \"status in ('failed', 'test')\"\noutcome = { value = 'declined' }\n"
    )
    charges = [orjson.loads(each)["id"] for each in events(tmp_path, page, rows)]
    assert charges == ["cok", "cfailed"]
    outcome = event(tmp_path, page, rows, "outcome")
    assert (outcome["id"], outcome["outcome"]) == ("declined_cfailed", "declined")


def test_a_keyed_hash_is_stable_and_hides_its_key(tmp_path: Path) -> None:
    page = PAGE.replace('"cc"', '{ from = "cc", hash = true }') + (
        'email = { from = ["email", "nr"], hash = true }\n'
    )
    got = event(tmp_path, page)
    assert got["card"] == f"hmac_{digest(KEY, b'4242424242424242', sha256).hex()}"
    both = b"ann@example.com\x1fc1"
    assert got["email"] == f"hmac_{digest(KEY, both, sha256).hex()}"
    assert "cc" not in got
    (raw,) = events(tmp_path, page, ROW)
    assert KEY not in raw
    assert b"4242424242424242" not in raw
    assert KEY.decode() not in repr(read_mapping(page, "page"))


def test_ids_are_made_where_there_are_none(tmp_path: Path) -> None:
    assert event(tmp_path, PAGE.replace('"nr"', '{ row = true, prefix = "r" }'))["id"] == "r2"
    page = PAGE.replace('"nr"', '{ digest = ["nr", "at", "cc"] }')
    first, second = (event(tmp_path, page, ROW.replace("c1", nr))["id"] for nr in ("c1", "c2"))
    assert first != second
    assert event(tmp_path, page)["id"] == first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("1790000000", "1790000000000"), "line 2: created: 1790000000000 is after 2100; it looks"),
        (("1790000000", "17900"), "line 2: created: 17900 is before 1990; is the unit another"),
        (("12.30", "12.345"), "line 2: amount: 12.345 usd has a fraction of a minor unit"),
        (("12.30", '"12,3"'), "line 2: amount: expected a number, got 12,3; is `decimal` another?"),
        (("12.30", "-5"), "line 2: amount: expected at least 0, got -5"),
        (("12.30", ""), "amount: expected an integer of at least 0, got none"),
        ((",01.50", ""), "line 2: expected 9 cells as in the header, got 8"),
    ],
)
def test_wrong_values_are_told_with_their_line(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    row = ROW.replace("4242424242424242", "k1").replace(*change)
    assert why(tmp_path, PAGE, row).startswith(said)


def test_a_missing_column_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(HEAD + ROW, encoding="utf-8")
    mapping = read_mapping(PAGE.replace('"amt"', '"amnt"').replace('"cc"', '"cc_num"'), "page")
    with pytest.raises(MappingError) as told:
        fit(mapping, path, ("charge",))
    assert f"charge.amount: {path} has no column amnt; did you mean amt?" in str(told.value)
    assert "charge.card" in str(told.value)


def test_a_label_without_its_column_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(HEAD + ROW, encoding="utf-8")
    page = f'{PAGE}[dispute]\nwhen = "is_fraud = 1"\n'
    fitted, notes = fit(read_mapping(page, "page"), path, ("charge",))
    assert not fitted.of_kind("dispute")
    assert notes == [f"{path}: no column is_fraud, so no disputes come of it"]


def test_a_damaged_row_is_told_once(tmp_path: Path) -> None:
    """With the charges, and not again with their disputes."""
    page = f'{PAGE}[dispute]\nwhen = "fraud = 1"\n'
    assert len(events(tmp_path, page, ROW + "c2\n")) == 2
    assert events(tmp_path, page, ROW + "c2\n", "dispute", tells_unusable=False) == []


def test_disputes_get_the_cards_of_their_charges() -> None:
    charges = [b'{"id":"c%d","card":"k%d","merchant":"m"}' % (n, n) for n in range(9)]
    disputes = [b'{"id":"d","charge":"c3"}', b'{"id":"d","charge":"c5","card":"a","merchant":"m"}']
    asked = charges_asked_for(disputes)
    assert cards_of(asked, charges) == {"c3": ("k3", "m")}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_times_are_those_of_the_events(tmp_path: Path, name: str) -> None:
    """One for each, in their order, also where rows are damaged, left out, or cannot be used."""
    path = SHAPES[name](tmp_path, 3).paths[0]
    text = path.read_bytes().splitlines(keepends=True)
    text[7:7] = [b'{"cut off\n', b"a,b\n"]
    text[20] = text[20].replace(b"0", b"x").replace(b"1", b"y")
    path.write_bytes(b"".join(text))
    means = Means(bundled_rates().decimals, KEY)
    mapping = find_mapping(name)
    kinds: tuple[Kind, ...] = ("charge", "dispute", "outcome")
    for number, kind in enumerate(kinds):
        mapped = MappedFile(path, mapping, kind, means, tells_unusable=not number)
        times, read = list(mapped.times()), list(mapped.events())
        assert len(times) == len(read), kind
        for time, event in zip(times, map(orjson.loads, read), strict=True):
            assert time == event["created"] if "created" in event else time <= inf
    assert b"unusable_row" in b"".join(MappedFile(path, mapping, "charge", means).events())
