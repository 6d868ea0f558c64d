"""The example of the page is what a user may do."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.currency import bundled_rates
from streams.mapping.amounts import AmountSpec, amount_reader
from streams.mapping.making import Means
from streams.mapping.mapped_file import MappedFile
from streams.mapping.mapping import KINDS
from streams.mapping.reading import read_mapping
from streams.mapping.ready_mappings import ready_names

PAGE = Path("streams/mapping/README.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_works(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(block("").encode("cp1252"))
    mapping = read_mapping(block("toml"), "sales.toml")
    means = Means(bundled_rates().decimals, b"a key of these tests")
    made = {
        kind: [orjson.loads(event) for event in MappedFile(path, mapping, kind, means).events()]
        for kind in KINDS
    }
    assert [charge["amount"] for charge in made["charge"]] == [123_450, 1990]
    assert [charge["created"] for charge in made["charge"]] == [1782901805.0, 1782901900.0]
    assert all(charge["card"].startswith("hmac_") for charge in made["charge"])
    assert [(each["charge"], each["outcome"]) for each in made["outcome"]] == [("B2", "declined")]
    assert made["dispute"] == []


def test_every_ready_mapping_has_a_row() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE)
    assert [name for name in rows if name in ready_names()] == ready_names()


@given(st.integers(0, 10**9))
def test_every_number_of_an_amount_is_read_as_it_is_meant(cents: int) -> None:
    """A point and a comma never change what is paid: what is not clear is refused elsewhere."""
    read = amount_reader(AmountSpec("major"), {"usd": 2})
    assert read(f"{cents // 100}.{cents % 100:02d}", "usd") == cents
    assert read(f"{cents // 100:,}.{cents % 100:02d}", "usd") == cents
    assert read(f"USD {cents // 100:,}.{cents % 100:02d}", "usd") == cents
