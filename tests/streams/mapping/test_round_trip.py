"""Events that are rendered as some company has them are read back as they were."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.currency import bundled_rates
from streams.mapping.making import Means
from streams.mapping.mapped_file import MappedFile
from streams.mapping.reading import read_mapping
from streams.mapping.times import TimeSpec, time_reader

if TYPE_CHECKING:
    from streams.mapping.mapping import Kind

DECIMALS = bundled_rates().decimals
MEANS = Means(DECIMALS, b"a key of these tests")
START = datetime(2020, 1, 1, tzinfo=UTC)
CHANNELS = {"online": "E-Commerce", "in_person": "POS Terminal", "recurring": "Abo; jährlich"}
TOKENS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1,
                 max_size=20).filter(lambda text: text.strip() == text)  # fmt: skip

EVENTS = st.fixed_dictionaries(
    {
        "id": TOKENS,
        "created": st.integers(631_152_000_000, 4_000_000_000_000).map(lambda ms: ms / 1000),
        "amount": st.integers(0, 10**12),
        "currency": st.sampled_from(["usd", "eur", "jpy", "kwd", "clf"]),
        "card": TOKENS,
        "merchant": TOKENS,
        "channel": st.sampled_from([None, *CHANNELS]),
        "mcc": st.none() | st.integers(0, 9999).map(str),
    }
)


def _at(time: float) -> datetime:
    return START + timedelta(milliseconds=round(time * 1000) - round(START.timestamp() * 1000))


def _local(time: float, minutes: int) -> datetime:
    return (_at(time) + timedelta(minutes=minutes)).replace(tzinfo=None)


def _german(cents: int, places: int) -> str:
    text = f"{Decimal(cents).scaleb(-places):,f}"
    return text.translate(str.maketrans(",.", ".,"))


TIMES: dict[str, Any] = {
    'unit = "s"': repr,
    'unit = "ms"': lambda t: str(round(t * 1000)),
    'unit = "us"': lambda t: str(round(t * 1000) * 1000),
    'unit = "s", start = 2020-01-01': lambda t: str(Decimal(str(t)) - int(START.timestamp())),
    'format = "iso"': lambda t: _at(t).isoformat(),
    'format = "iso", zone = "-03:30"': lambda t: _local(t, -210).isoformat(),
    'format = "%d.%m.%Y %H:%M:%S.%f"': lambda t: _at(t).strftime("%d.%m.%Y %H:%M:%S.%f"),
}
AMOUNTS: dict[str, Any] = {
    'unit = "minor"': lambda cents, _: str(cents),
    'unit = "minor", decimals = 5': lambda cents, places: str(cents * 10 ** (5 - places)),
    'unit = "major"': lambda cents, places: f"{Decimal(cents).scaleb(-places):f}",
    'unit = "major", decimal = ","': _german,
    'unit = "major", round = true': lambda cents, places: f"$ {Decimal(cents).scaleb(-places):,f}",
}


def page(time: str, amount: str) -> str:
    channels = json.dumps({theirs: ours for ours, theirs in CHANNELS.items()}, ensure_ascii=False)
    pairs = channels.strip("{}").replace('": "', '" = "')
    return f"""
carry = "none"
[charge]
id = "Nr."
created = {{ from = "Zeit", {time} }}
amount = {{ from = "Geld", {amount} }}
currency = "Wa. hrung"
card = "Karte"
merchant = "Laden"
channel = {{ from = "Weg", map = {{ {pairs} }} }}
mcc = "mcc"
"""


def theirs(event: dict[str, Any], time: str, amount: str) -> dict[str, str]:
    return {
        "Nr.": event["id"],
        "Zeit": TIMES[time](event["created"]),
        "Geld": AMOUNTS[amount](event["amount"], DECIMALS[event["currency"]]),
        "Wa. hrung": event["currency"].upper(),
        "Karte": event["card"],
        "Laden": event["merchant"],
        "Weg": CHANNELS.get(event["channel"], ""),
        "mcc": event["mcc"] or "",
    }


def read(path: Path, text: str, kind: Kind = "charge") -> list[dict[str, Any]]:
    mapped = MappedFile(path, read_mapping(text, "page"), kind, MEANS)
    return [orjson.loads(event) for event in mapped.events()]


def known(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value is not None}


@settings(deadline=None, max_examples=150)
@given(
    st.lists(EVENTS, max_size=6),
    st.sampled_from(list(TIMES)),
    st.sampled_from(list(AMOUNTS)),
    st.sampled_from(["csv", "jsonl"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_events_come_back(
    events: list[dict[str, Any]], time: str, amount: str, layout: str, delimiter: str
) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, f"f.{layout}")
        rows = [theirs(event, time, amount) for event in events]
        with path.open("w", encoding="utf-8", newline="") as file:
            if layout == "csv":
                names = list(theirs({**EVENT, "channel": None}, time, amount))
                writer = csv.DictWriter(file, names, delimiter=delimiter)
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        found = read(path, page(time, amount))
    for got, event in zip(found, events, strict=True):
        wanted = known(event)
        wanted["currency"] = wanted["currency"].upper()
        assert abs(got.pop("created") - wanted.pop("created")) < 1e-6
        assert got == wanted


EVENT = {"id": "c1", "created": 1.6e9, "amount": 1999, "currency": "usd", "card": "k",
         "merchant": "m", "channel": "online", "mcc": None}  # fmt: skip


@given(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)))
def test_local_times_are_those_of_the_zone(local: datetime) -> None:
    zone = ZoneInfo("Europe/Berlin")
    wanted = local.replace(tzinfo=zone, fold=0).astimezone(UTC).timestamp()  # no text has a fold
    assert time_reader(TimeSpec(zone="Europe/Berlin"))(local.isoformat(" ")) == wanted
