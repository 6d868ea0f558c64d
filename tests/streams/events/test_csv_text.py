"""CSV: read as the library's own reader reads it, however it is cut, packed and damaged."""

from __future__ import annotations

import csv
import gzip
import io
import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge
from streams.events.csv_text import DELIMITERS, ROW_CHARACTERS_MAX, CsvError, Dialect, csv_rows
from streams.events.files import FileError, read_events, read_times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


def rows(text: bytes, dialect: Dialect = Dialect(), cut: int = 1 << 20) -> list[tuple[int, Any]]:  # noqa: B008
    chunks = [text[place : place + cut] for place in range(0, len(text), cut)]
    return list(csv_rows(chunks, dialect, lambda _: None))


def good(found: Sequence[tuple[int, Any]]) -> list[dict[str, str]]:
    return [row for _, row in found if not isinstance(row, InvalidEvent)]


def bad(found: Sequence[tuple[int, Any]]) -> list[tuple[int, str]]:
    return [(line, str(row)) for line, row in found if isinstance(row, InvalidEvent)]


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    st.sampled_from(DELIMITERS),
    st.integers(1, 40),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_is_written_is_read(
    table: list[list[str]], delimiter: str, cut: int, end: str, has_mark: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *table])
    packed = text.getvalue().encode("utf-8-sig" if has_mark else "utf-8")
    found = rows(packed, Dialect(delimiter), cut)
    wanted = [
        {name: cell for name, cell in zip("abc", cells, strict=True) if cell} for cells in table
    ]
    assert good(found) == wanted
    assert not bad(found)
    line, begun = 2, []
    for cells in table:
        begun.append(line)
        line += 1 + "".join(cells).count("\n")
    assert [line for line, _ in found] == begun


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_the_delimiter_is_told(seed: int, delimiter: str) -> None:
    """Also where cells hold the others: decimal commas, names with commas."""
    rng = random.Random(seed)
    table = [
        [
            f"c{n}",
            f"{rng.randrange(100)},{rng.randrange(10, 99)}",
            rng.choice(["a;b", "a,b", "a|b"]),
        ]
        for n in range(30)
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([["id", "Betrag", "shop"], *table])
    found = good(rows(text.getvalue().encode()))
    assert [list(row.values()) for row in found] == table, f"seed {seed}"


def test_damaged_rows_cost_no_other_and_have_their_lines() -> None:
    text = b'id,a,b\n1,x,"two\nlines"\n2,x\n3,x,y\n4,x,y,z\n\n5,x,y\n6,"never closed,y\n7,x,y\n'
    found = rows(text)
    assert [row["id"] for row in good(found)] == ["1", "3", "5", "7"]
    assert bad(found) == [
        (4, "expected 3 cells as in the header, got 2"),
        (6, "expected 3 cells as in the header, got 4"),
        (9, "a quotation mark is not closed"),
    ]
    assert [line for line, _ in found] == [2, 4, 5, 6, 8, 9, 10]


@pytest.mark.parametrize("cut", [7, 1 << 20])
def test_a_quotation_mark_that_is_not_closed_costs_its_line_alone(cut: int) -> None:
    lines = [f"{n},name {n},x" for n in range(4000)]
    lines[1000] = '1000,"5 inch,x'
    found = rows(("id,name,b\n" + "\n".join(lines)).encode(), cut=cut)
    assert bad(found) == [(1002, "a quotation mark is not closed")]
    assert [int(row["id"]) for row in good(found)] == [n for n in range(4000) if n != 1000]


def test_a_row_without_an_end_is_damaged() -> None:
    text = b"id,a\n1,x\n2," + b"y" * (ROW_CHARACTERS_MAX + 1) + b"\n3,x\n"
    found = rows(text, cut=1000)
    assert bad(found) == [(3, "expected at most 65,536 characters a row")]
    assert [row["id"] for row in good(found)] == ["1", "3"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", 0), ("utf-8-sig", 0), ("utf-16", 0), ("latin-1", 1), ("cp1252", 1)],
)
def test_encodings_are_told(tmp_path: Path, encoding: str, said: int) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes("id;name\r\n1;Müller\r\n2;plain\r\n3;Ünal\r\n".encode(encoding))
    notes: list[str] = []
    names = [orjson.loads(event)["name"] for event in read_events(path, notes.append)]
    assert names == ["Müller", "plain", "Ünal"]
    assert len(set(notes)) == said


def test_a_given_encoding_counts() -> None:
    found = rows("id,a\n1,дом\n".encode("cp1251"), Dialect(encoding="cp1251"))
    assert good(found) == [{"id": "1", "a": "дом"}]


def test_old_ends_of_lines_and_names_that_are_alike() -> None:
    assert good(rows(b"a,a,\r1,2,3\r4,5,6\r")) == [
        {"a": "1", "a_2": "2", "column_3": "3"},
        {"a": "4", "a_2": "5", "column_3": "6"},
    ]


@pytest.mark.parametrize("text", [b"", b"\n", b"\n\n", b",,\n"])
def test_without_a_header_it_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(CsvError, match="names of the columns"):
        rows(text)
    path = tmp_path / "c.csv"
    path.write_bytes(text)
    with pytest.raises(FileError, match=r"c\.csv: expected a line with the names"):
        list(read_events(path))


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_rows_or_refused(text: bytes, cut: int) -> None:
    """However they are cut."""
    try:
        whole = rows(text)
    except CsvError:
        return
    if b"\r" not in text and len(text) > 2 and text[:3] == b"a,b":
        assert [str(row) for row in rows(text, cut=cut)] == [str(row) for row in whole]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst"])
def test_own_fields_need_no_mapping(tmp_path: Path, ending: str) -> None:
    text = (
        b"id,created,amount,currency,card,merchant,mcc,ip_country,note\n"
        b"c1,1790000000.25,1999,usd,0042,m1,0742,,a\n"
        b"c2,1790000001,500,usd,0043\n"
        b"c3,1790000002,19.99,usd,0043,m1,5812,US,\n"
    )
    path = tmp_path / f"charges.{ending}"
    pack: dict[str, Any] = {
        "csv": bytes,
        "csv.gz": gzip.compress,
        "csv.zst": zstandard.ZstdCompressor().compress,
    }
    path.write_bytes(pack[ending](text))
    events = list(read_events(path))
    charge, aside = parse_charge(events[0], b"0042", 2e9)
    assert (charge.amount, charge.mcc, charge.card, charge.ip_country) == (1999, 742, "0042", None)
    assert orjson.loads(orjson.dumps(aside.unknown)) == {"note": "a"}
    with pytest.raises(InvalidEvent, match=r"^line 3: expected 9 cells as in the header, got 5$"):
        parse_charge(events[1], None, 2e9)
    with pytest.raises(InvalidEvent, match="looks like major units"):
        parse_charge(events[2], b"0043", 2e9)
    assert list(read_times(path)) == [1790000000.25, float("inf"), 1790000002.0]
