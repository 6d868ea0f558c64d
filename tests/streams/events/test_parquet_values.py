"""Columns of other types than those of our own files: each value converted, none lost."""

from __future__ import annotations

import math
import random
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.events.files import read_events, read_times

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 9, 21, 14, 13, 20, 250_000, tzinfo=UTC)
AT_S = 1_790_000_000.25
UUID = uuid.UUID("0190a2f0-0000-7000-8000-0000000000ff")
DAY = pa.array([date(2026, 9, 21), None])
INSIDE = {"at": AT, "day": date(2026, 9, 21), "fee": Decimal("0.30"), "raw": b"\xff", "n": [1]}


def written(path: Path, name: str, column: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the events of a file with a column, checked to have lost nothing of the others."""
    ids = [f"ch_{number}" for number in range(len(column))]
    pq.write_table(pa.table({"id": ids, name: column, "last": ids}), path, **options)
    events = list(map(orjson.loads, read_events(path)))
    assert [event["id"] for event in events] == ids
    assert [event["last"] for event in events] == ids
    return events


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([Decimal("0.30"), Decimal("20.00"), None]), [0.3, 20, None]),
        (pa.array([Decimal(10) ** 30]), [str(10**30)]),
        (pa.array([Decimal(-9223372036854775809)]), ["-9223372036854775809"]),
        (pa.array([Decimal("1.2345678901234567890")]), ["1.2345678901234567890"]),
        (pa.array([Decimal("1.5")], pa.decimal256(50, 1)), [1.5]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array([math.nan, math.inf, 1.5]), [None, None, 1.5]),
        (pa.array([1.5], pa.float16()), [1.5]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([Decimal("0.30"), None]).dictionary_encode(), [0.3, None]),
        (pa.array([b"usd", "é".encode(), b"\xff\x00"]), ["usd", "é", "ff00"]),
        (pa.array([b"usd"], pa.large_binary()), ["usd"]),
        (pa.array([UUID.bytes], pa.binary(16)), [UUID.hex]),
        (pa.array([UUID.bytes], pa.uuid()), [str(UUID)]),
        (pa.array(['{"a":1}'], pa.json_()), ['{"a":1}']),
        (DAY, ["2026-09-21", None]),
        (DAY.cast(pa.date64()), ["2026-09-21", None]),
        (pa.array([time(1, 2, 3)], pa.time32("s")), ["01:02:03"]),
        (pa.array([3_723_000_000_001], pa.time64("ns")), ["01:02:03"]),
        (pa.array([timedelta(seconds=1.5)]), [1.5]),
        (pa.array([1_500_000_001], pa.duration("ns")), [1.5]),
        (pa.array([AT]), ["2026-09-21T14:13:20.250000+00:00"]),
        (pa.array([AT.replace(tzinfo=None)]), ["2026-09-21T14:13:20.250000"]),
        (pa.array([1_790_000_000_250_000_001], pa.timestamp("ns")), ["2026-09-21T14:13:20.250000"]),
        (pa.array([2**62, 250_000], pa.timestamp("us")), [None, "1970-01-01T00:00:00.250000"]),
        (pa.array([AT], pa.timestamp("ms", "America/New_York")),
         ["2026-09-21T14:13:20.250000+00:00"]),
        (pa.array([5], pa.timestamp("us", "Mars/Olympus")), ["1970-01-01T00:00:00.000005+00:00"]),
        (pa.array([INSIDE]),
         [{"at": "2026-09-21T14:13:20.250000+00:00", "day": "2026-09-21", "fee": 0.3, "raw": "ff",
           "n": [1]}]),
        (pa.array([[Decimal("0.30"), None], None]), [[0.3, None], None]),
        (pa.array([[1.5, 2.5]], pa.list_(pa.float64(), 2)), [[1.5, 2.5]]),
        (pa.array([[5]], pa.large_list(pa.timestamp("ns"))), [["1970-01-01T00:00:00"]]),
        (pa.array([[("a", 1), ("b", None)]], pa.map_(pa.string(), pa.int64())),
         [{"a": 1, "b": None}]),
        (pa.array([[(b"\xff", AT)]], pa.map_(pa.binary(), pa.timestamp("ns", "UTC"))),
         [{"ff": "2026-09-21T14:13:20.250000+00:00"}]),
        (pa.array([[(5, 1)]], pa.map_(pa.int32(), pa.int64())), [{"5": 1}]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)  # fmt: skip
def test_an_unknown_field_of_any_type(tmp_path: Path, column: Any, values: list[Any]) -> None:
    events = written(tmp_path / "f.parquet", "odd", column)
    assert [event.get("odd") for event in events] == values


def test_text_that_is_no_unicode(tmp_path: Path) -> None:
    wrong = pa.array([b"caf\xe9", b"ok"]).view(pa.string())
    events = written(tmp_path / "f.parquet", "odd", wrong)
    assert [event["odd"] for event in events] == ["caf\\xe9", "ok"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("seed", range(5))
def test_created_as_a_timestamp_is_converted(
    tmp_path: Path, unit: str, zone: str | None, seed: int
) -> None:
    """By its unit, which a file of Parquet knows; without a zone it is UTC."""
    rng = random.Random(seed)
    parts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times: list[int | None] = [rng.randrange(2**31 * parts) for _ in range(50)]
    times[rng.randrange(50)] = None
    column = pa.array(times, pa.timestamp(unit, zone))  # type: ignore[call-overload]
    path = tmp_path / "f.parquet"
    events = written(path, "created", column)
    found = [event.get("created") for event in events]
    assert [time is None for time in found] == [time is None for time in times]
    wanted = [time / parts for time in times if time is not None]
    assert [time for time in found if time] == pytest.approx(wanted, rel=1e-15), f"seed {seed}"
    assert list(read_times(path)) == [math.inf if time is None else time for time in found]


def test_created_as_a_timestamp_of_the_old_kind(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    column = pa.array([AT, datetime(2500, 1, 1, tzinfo=UTC)])
    events = written(path, "created", column, use_deprecated_int96_timestamps=True)
    assert [event["created"] for event in events] == [AT_S, 16_725_225_600]


@pytest.mark.parametrize(
    ("column", "created"),
    [
        (pa.array([Decimal("1790000000.250000000")]), AT_S),
        (pa.array([Decimal(1_790_000_000_250)]), 1_790_000_000_250),
        (DAY, "2026-09-21"),
        (pa.array([timedelta(hours=2)]), "2:00:00"),
        (pa.array(["2026-09-21T14:13:20"]), "2026-09-21T14:13:20"),
    ],
)
def test_created_of_other_types(tmp_path: Path, column: Any, created: object) -> None:
    """What is no time without a guess stays what it is, for validation to name."""
    path = tmp_path / "f.parquet"
    assert written(path, "created", column)[0]["created"] == created
    first = next(iter(read_times(path)))
    assert first == (math.inf if isinstance(created, str) else created)


@pytest.mark.parametrize(
    ("column", "amounts"),
    [
        (pa.array([Decimal(1999), None]), [1999, None]),
        (pa.array([Decimal("19.99"), Decimal("20.00")]), ["19.99", "20.00"]),
        (pa.array([1999.0, 19.99]), [1999.0, 19.99]),
    ],
)
def test_an_amount_with_decimal_places_is_no_number(
    tmp_path: Path, column: Any, amounts: list[Any]
) -> None:
    """Or 20.00 would be 20 cents among amounts that are refused."""
    events = written(tmp_path / "f.parquet", "amount", column)
    assert [event.get("amount") for event in events] == amounts
