"""Files of events: what is written is read, and what is wrong is named."""

from __future__ import annotations

import errno
import gzip
import io
import json
import math
import threading
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events import files
from streams.events.files import (
    WRITABLE,
    FileError,
    event_writer,
    read_events,
    read_times,
    write_events,
)
from streams.events.packing import PACKING
from streams.simulator import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable

OWN_FIELDS = {
    "charges": [],
    "disputes": [b'{"id":"d","charge":"c","reason":"fraudulent","created":5.0}'],
    "outcomes": [
        b'{"id":"o%d","charge":"c","outcome":"answered","action":"allow","created":%d.0}' % (n, n)
        for n in range(5)
    ],
}
"""Beside what a simulation makes."""

LINES = [suffix for suffix in WRITABLE if suffix != ".parquet"]
PACKED = [suffix for suffix in LINES if suffix.endswith((".gz", ".zst"))]


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[bytes]]:
    simulation = Simulation(seed=7, cards=300, merchants=20, days=12, charges_per_day=1000)
    events: dict[str, list[bytes]] = {"charges": [], "disputes": [], "outcomes": []}
    for event in simulation.events():
        events[event.topic].append(orjson.dumps(event.value))
    assert len(events["charges"]) > 10_000
    assert events["disputes"]
    return events


@pytest.mark.parametrize("suffix", LINES)
def test_lines_come_back_byte_for_byte(
    tmp_path: Path, suffix: str, simulated: dict[str, list[bytes]]
) -> None:
    events = [*simulated["charges"], b"no JSON \xff", b"[1]", b" "]
    path = tmp_path / f"f{suffix}"
    write_events(path, iter(events))
    assert list(read_events(path)) == events


@pytest.mark.parametrize("topic", ["charges", "disputes"])
def test_parquet_rows_are_the_events(
    tmp_path: Path, topic: str, simulated: dict[str, list[bytes]]
) -> None:
    path = tmp_path / "f.parquet"
    events = [orjson.loads(event) for event in simulated[topic]]
    events[0]["order"] = {"tags": ["gift"], "items": 2}
    events[1]["amount"] = 2**62
    write_events(path, map(orjson.dumps, events))
    known = [{k: v for k, v in event.items() if v is not None} for event in events]
    assert list(map(orjson.loads, read_events(path))) == known


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize("topic", ["charges", "disputes", "outcomes"])
def test_what_is_written_may_begin_with_nothing(
    tmp_path: Path, suffix: str, topic: str, simulated: dict[str, list[bytes]]
) -> None:
    """As of a stream whose first disputes come days after its first charges."""
    path = tmp_path / f"f{suffix}"
    events = [*simulated[topic][:5], *OWN_FIELDS[topic]]
    with event_writer(path) as writer:
        for batch in ([], events[:2], [], events[2:], []):
            writer.write(batch)
    assert [
        {name: value for name, value in orjson.loads(event).items() if value is not None}
        for event in read_events(path)
    ] == [
        {name: value for name, value in orjson.loads(event).items() if value is not None}
        for event in events
    ]


def test_outcomes_in_parquet_have_columns_of_their_own(tmp_path: Path) -> None:
    """Also those that the first of them do not have."""
    outcomes = [{"id": f"o{n}", "charge": "c", "created": n, "outcome": "blocked"} for n in (1, 2)]
    answered = {**outcomes[1], "outcome": "answered", "action": "block"}
    path = tmp_path / "f.parquet"
    with event_writer(path) as writer:
        writer.write([orjson.dumps(outcomes[0])])
        writer.write([orjson.dumps(answered)])
    assert list(map(orjson.loads, read_events(path))) == [outcomes[0], answered]
    assert pq.read_schema(path).names[:7] == [
        "id", "charge", "card", "merchant", "created", "outcome", "action"
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", WRITABLE)
def test_file_without_events(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f{suffix}"
    write_events(path, [])
    assert list(read_events(path)) == []


@settings(max_examples=50, deadline=None)
@given(
    lines=st.lists(
        st.binary(min_size=1).filter(
            lambda line: not set(line) & set(b"\r\n") and not line.startswith(b"\xef\xbb\xbf")
        )
    )
)
def test_any_line(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("any") / "f.jsonl"
    lines = [b"{}", *lines]  # the first line may say of what kind the file is
    path.write_bytes(b"\r\n\n".join(lines))
    assert list(read_events(path)) == lines


def test_lines_longer_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    events = [b"x" * 3_000_000, b"y", b"z" * 1_048_575]
    write_events(path, events)
    assert list(read_events(path)) == events


def test_several_members_and_frames(tmp_path: Path) -> None:
    parts = [b'{"id":1}\n{"id"', b":2}\n", b'{"id":3}']
    (tmp_path / "f.jsonl.gz").write_bytes(b"".join(map(gzip.compress, parts)))
    (tmp_path / "f.jsonl.zst").write_bytes(b"".join(map(zstandard.compress, parts)))
    for name in ("f.jsonl.gz", "f.jsonl.zst"):
        assert list(read_events(tmp_path / name)) == [b'{"id":1}', b'{"id":2}', b'{"id":3}']


@pytest.mark.parametrize("suffix", LINES)
@pytest.mark.parametrize("begin", ["", "\ufeff"], ids=["plain", "mark"])
def test_layouts_of_json(tmp_path: Path, suffix: str, begin: str) -> None:
    """Whatever the name says of them, since few tools keep to a name."""
    values = [{"id": "c1", "n": [1]}, {"id": "c2"}]
    packers: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}
    pack = packers.get(suffix.rpartition(".")[2], bytes)
    for text in (
        "\n".join(map(json.dumps, values)),
        json.dumps(values),
        json.dumps(values, indent=2).replace("\n", "\r\n"),
        "\n".join(json.dumps(value, indent=2) for value in values),
    ):
        path = tmp_path / f"F{suffix.upper()}"
        path.write_bytes(pack((begin + text).encode()))
        assert list(map(json.loads, read_events(path))) == values


def test_other_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"id":1}', encoding="utf-16")
    with pytest.raises(FileError, match=r"f\.jsonl: expected JSON, got what looks like UTF-16"):
        list(read_events(path))


def test_same_events_make_the_same_file(tmp_path: Path) -> None:
    for suffix in WRITABLE:
        for name in ("a", "b"):
            write_events(tmp_path / f"{name}{suffix}", [b'{"id":"c"}'] * 100)
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [*PACKED, ".parquet"])
def test_cut_and_damaged_files_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f{suffix}"
    write_events(path, [b'{"id":"c%d"}' % number for number in range(5000)])
    whole = path.read_bytes()
    for broken in (whole[:-9], whole[: len(whole) // 2], b"no such format"):
        path.write_bytes(broken)
        with pytest.raises(FileError, match=rf"^{path}: .") as raised:
            list(read_events(path))
        assert "\n" not in str(raised.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("suffix", LINES)
@pytest.mark.parametrize("count", [1, 100_000])
def test_a_full_disk_is_named(tmp_path: Path, suffix: str, count: int) -> None:
    """However little is written, so that it fails at the end, and however much."""
    path = tmp_path / f"f{suffix}"
    path.symlink_to("/dev/full")
    begun = threading.active_count()
    with pytest.raises(FileError, match=rf"^{path}: No space left on device"):
        write_events(path, (b'{"id":"c%d"}' % number for number in range(count)))
    assert threading.active_count() == begun


@pytest.mark.parametrize("failing", [0, 1, 4])
def test_what_was_not_written_is_told_even_if_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Lines are written beside their caller, who has gone on by the time that one write fails."""

    class FullOnce(io.BytesIO):
        writes = 0

        def write(self, lines: Any) -> int:
            self.writes += 1
            if self.writes == 1 + failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(lines)

    monkeypatch.setitem(PACKING, "", lambda _: FullOnce())
    with pytest.raises(FileError, match="No space left on device"):
        write_events(tmp_path / "f.jsonl", [b"{}"] * 5 * files._EVENTS_AT_A_TIME)


def test_missing_file_and_unknown_kind_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.jsonl: No such file or directory"):
        list(read_events(tmp_path / "none.jsonl"))
    with pytest.raises(FileError, match=r"f\.xlsx: expected a name that ends in \.jsonl, "):
        list(read_events(tmp_path / "f.xlsx"))
    with pytest.raises(FileError, match=r"none/f\.jsonl: No such file or directory"):
        write_events(tmp_path / "none" / "f.jsonl", [b"{}"])


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([b"{}", b"x"], "event 1: "),
        ([b"[]"], "event 0: expected an object"),
        ([b'{"amount":"19.99"}'], "amount: expected integers"),
        ([b'{"amount":1.5}'], "amount: expected integers"),
        ([b'{"amount":true}'], "amount: expected integers"),
        ([b'{"card":5}'], "card: "),
        ([b'{"created":"now"}'], "created: "),
        ([b'{"id":"c"}'] * 10_000 + [b'{"later":1}'], "later: no such field in the first events"),
    ],
)
def test_what_parquet_cannot_hold_is_named(
    tmp_path: Path, events: list[bytes], message: str
) -> None:
    with pytest.raises(FileError, match=rf"f\.parquet: {message}"):
        write_events(tmp_path / "f.parquet", events)


def time_of(event: bytes) -> float:
    """Return the time of an event as plain JSON tells it, infinite for none."""
    try:
        created = orjson.loads(event)["created"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return inf
    return created if type(created) in {int, float} and created >= 0 else inf


TIMES = [
    b"5", b"0", b"-0.0", b"-1", b"1.5", b"1700000000.123456789", b"1e3", b"1e999", b"NaN", b"",
    b"18446744073709551616", b"123456789012345678901234567890", b"true", b"null", b'"5"', b"[5]",
    b'{"created":5}',
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_times_are_those_of_the_events(tmp_path: Path, suffix: str) -> None:
    lines = [b"no JSON", b"[]", b"[5]", b"5", b"{}", b'"created"', b'{"Created":5}']
    lines += [b'{"id":"c","created":%b,"n":[{"created":3}]}' % time for time in TIMES]
    lines += [b'{"created":7,"created":%b}' % time for time in TIMES]
    lines += [b'{"created":%b,"created":7}' % time for time in TIMES]
    lines += [b'{"cre\\u0061ted":%b}' % time for time in TIMES]
    lines += [b'{"created":7,"cre\\u0061ted":%b} ' % time for time in TIMES]
    write_events(tmp_path / f"f{suffix}", lines)
    times = list(read_times(tmp_path / f"f{suffix}"))
    assert times == list(map(time_of, lines))
    assert times.count(inf) < len(times) - 20


def test_what_is_no_text_is_not_later_than_it_says(tmp_path: Path) -> None:
    write_events(tmp_path / "f.jsonl", [b'{"created":5,"id":"\xff"}', b'\xff{"created":5}'])
    assert list(read_times(tmp_path / "f.jsonl")) in ([5.0, inf], [inf, inf])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([5.0, 1.5, -1.0, None, math.nan, math.inf, -math.inf, -0.0]),
        pa.array([5, 0, -1, None], pa.int64()),
        pa.array([5, 0, None], pa.uint8()),
        pa.array([1.25, None], pa.float32()),
        pa.array([True, False, None]),
        pa.array(["5", None]),
        pa.array([5.0, 1.5, 5.0]).dictionary_encode(),
        pa.array([5, None], pa.timestamp("s")),
        pa.array([{"created": 5.0}, None]),
        pa.array([[5.0], None]),
        pa.nulls(3),
    ],
    ids=lambda column: str(column.type),
)
def test_times_of_parquet_are_those_of_its_events(tmp_path: Path, column: pa.Array[Any]) -> None:
    table = pa.table({"id": pa.array([str(n) for n in range(len(column))]), "created": column})
    without = table.drop_columns("created")
    twice = table.append_column("created", pa.array(np.arange(len(column), dtype=float)))
    for number, written in enumerate((table, table.slice(0, 0), without, twice)):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(written, path)
        assert list(read_times(path)) == list(map(time_of, read_events(path)))


def test_times_of_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.parquet: No such file"):
        list(read_times(tmp_path / "none.parquet"))
    (tmp_path / "f.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(FileError, match=r"f\.parquet: "):
        list(read_times(tmp_path / "f.parquet"))
