"""What is proposed for files of every shape can be used, and says what it is unsure of."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.currency import bundled_rates
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute
from streams.events.files import FileError
from streams.mapping.making import Means
from streams.mapping.mapped_file import MappedFile
from streams.mapping.reading import read_mapping
from streams.mapping.suggesting import suggest
from streams.mapping.synonyms import SYNONYMS
from tests.streams.mapping.made_files import SHAPES, csv_text

if TYPE_CHECKING:
    from pathlib import Path

    from streams.mapping.mapping import Kind

SEED = 11
LABELS_ELSEWHERE = {"adyen", "braintree", "stripe"}


def read(path: Path, page: str, kind: Kind) -> list[bytes]:
    means = Means(bundled_rates().decimals, b"a key of these tests")
    return list(MappedFile(path, read_mapping(page, "proposed"), kind, means).events())


def charges(path: Path, page: str) -> list[Any]:
    found = []
    for event in read(path, page, "charge"):
        with suppress(InvalidEvent):
            card = orjson.loads(event).get("card", "")
            found.append(parse_charge(event, card.encode(), 4e9)[0])
    return found


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_proposal_works_as_it_is(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name](tmp_path, SEED)
    page = suggest(shape.paths[0])
    assert len(charges(shape.paths[0], page)) == shape.charges, f"seed {SEED}\n{page}"
    disputes = [
        parse_dispute(event, orjson.loads(event)["card"].encode(), 4e9)[0]
        for event in read(shape.paths[0], page, "dispute")
    ]
    assert len(disputes) == (0 if name in LABELS_ELSEWHERE else shape.frauds)
    assert all(dispute.is_fraud for dispute in disputes)


@pytest.mark.parametrize(
    ("rows", "every_s", "delay"),
    [(20_000, 9.0, "0.3"), (3_000, 86_400.0 / 100, "4"), (2_000, 86_400.0, "7"), (1, 60.0, "7")],
)
def test_labels_come_within_the_file(tmp_path: Path, rows: int, every_s: float, delay: str) -> None:
    """After a week, or after an eighth of a file that does not go on for so long."""
    path = tmp_path / "f.csv"
    table = [[n, int(n * every_s), "12.50", f"k{n % 7}", int(n % 50 == 1)] for n in range(rows)]
    path.write_text(csv_text([["id", "Time", "amount", "card", "Class"], *table]), encoding="utf-8")
    page = suggest(path)
    (line,) = [line for line in page.splitlines() if line.startswith("delay_days")] or [""]
    assert line.startswith(f"delay_days = {delay} ") or rows == 1, page


def test_what_tells_the_label_is_not_carried_along(tmp_path: Path) -> None:
    shape = SHAPES["fraud_detection_handbook"](tmp_path, SEED)
    page = suggest(shape.paths[0])
    assert "TX_FRAUD_SCENARIO" in page.partition("[charge]")[0].partition("carry =")[0]
    for event in read(shape.paths[0], page, "charge"):
        assert not {"TX_FRAUD", "TX_FRAUD_SCENARIO"} & orjson.loads(event).keys()


GERMAN = ["Buchungsnummer", "Buchungsdatum", "Uhrzeit", "Betrag", "Währung", "Kartennummer",
          "Händler", "Betrugsfall"]  # fmt: skip
SPANISH = ["id_transaccion", "fecha", "hora", "importe", "moneda", "numero_tarjeta", "comercio",
           "fraude"]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "date", "yes"), [(GERMAN, "%d.%m.%Y", "ja"), (SPANISH, "%d/%m/%Y", "SI")]
)
def test_other_languages_are_understood(
    tmp_path: Path, names: list[str], date: str, yes: str
) -> None:
    rng = random.Random(SEED)
    no = "nein" if yes == "ja" else "NO"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=97 * n) for n in range(300)]
    cents = [rng.randrange(100, 900_000) for _ in times]
    rows = [
        [
            f"B{n}", time.strftime(date), time.strftime("%H:%M:%S"),
            f"{amount // 100},{amount % 100:02d}", "EUR", f"K{n % 20}", f"Laden {n % 5}",
            yes if n % 50 == 7 else no,
        ]
        for n, (time, amount) in enumerate(zip(times, cents, strict=True))
    ]  # fmt: skip
    path = tmp_path / "export.csv"
    path.write_bytes(csv_text([names, *rows], ";").encode("cp1252"))
    page = suggest(path)
    found = charges(path, page)
    assert [charge.created for charge in found] == [time.timestamp() for time in times], page
    assert [charge.amount for charge in found] == cents, f"seed {SEED}\n{page}"
    assert {charge.currency for charge in found} == {"eur"}
    assert len({charge.card for charge in found}) == 20
    assert len({charge.merchant for charge in found}) == 5
    assert len(read(path, page, "dispute")) == 6


def test_every_doubt_is_said(tmp_path: Path) -> None:
    page = suggest(SHAPES["european_cards"](tmp_path, SEED).paths[0])
    lines = {line.partition(" =")[0]: line for line in page.splitlines()}
    for field in ("created", "currency", "card", "merchant", "delay_days"):
        assert "# not sure: " in lines[field]
    assert "# not sure" not in lines["amount"]


def test_card_numbers_are_hashed(tmp_path: Path) -> None:
    page = suggest(SHAPES["sparkov"](tmp_path, SEED).paths[0])
    assert 'card = { from = "cc_num", hash = true }' in page
    assert "Set CHARGEWATCH_MAPPING_KEY" in page


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("colour,size\nred,big\nblue,small\n", encoding="utf-8")
    with pytest.raises(FileError, match="no column is like a time and an amount: its columns are "):
        suggest(path)


def test_names_of_columns_may_be_anything(tmp_path: Path) -> None:
    """Quotation marks, brackets and signs of TOML are names, and nothing else."""
    path = tmp_path / "f.csv"
    odd = ['a"b', "c'd = 1", "[x]*?", "#", "\x7f", "é\\u0000"]
    rows = [[n, 1_790_000_000 + n, f"{n}.50", f"k{n % 3}", *["1.5"] * len(odd)] for n in range(50)]
    head = ["id", "created", "amount", "card", *odd]
    path.write_text(csv_text([head, *rows]), encoding="utf-8")
    page = suggest(path)
    events = read(path, page, "charge")
    assert set(odd) <= orjson.loads(events[0]).keys()


TIMES = ["1790000000", "2026-01-01", "0", "01.02.2026", "20260101", "1790000000000"]
AMOUNTS = ["1", "12.5", "1,5", "-3", "1.234,50"]
VALUES = [*TIMES, *AMOUNTS, "", "usd", "US", "yes", "No", "10:30", "4242424242424242", "a@b.co",
          "NaN", "inf", "1e5", "9" * 20, "\x7f", "é", "²", "١٢"]  # fmt: skip
NAMES = [name for names in SYNONYMS.values() for name in names] + ["a.b", 'q"q', "Ä'", "[1]"]


@pytest.mark.parametrize("seed", range(200))
def test_any_table_has_a_proposal_that_can_be_read(tmp_path: Path, seed: int) -> None:
    """Or is refused; and each event has its time."""
    rng = random.Random(seed)
    head = ["created", "amount", *rng.sample(NAMES, rng.randint(1, 8))]
    pools = [[rng.choice(TIMES)], [rng.choice(AMOUNTS)]]
    pools = [pool + rng.sample(VALUES, rng.randint(0, 2)) for pool in pools]
    pools += [rng.sample(VALUES, rng.randint(1, 3)) for _ in head[2:]]
    rows = [[rng.choice(pool) for pool in pools] for _ in range(rng.randint(1, 15))]
    path = tmp_path / "f.csv"
    path.write_text(csv_text([head, *rows]), encoding="utf-8")
    with suppress(FileError):
        mapping = read_mapping(suggest(path), f"seed {seed}")
        means = Means(bundled_rates().decimals, b"a key of these tests")
        mapped = MappedFile(path, mapping, "charge", means)
        assert len(list(mapped.events())) == len(list(mapped.times())), f"seed {seed}"
