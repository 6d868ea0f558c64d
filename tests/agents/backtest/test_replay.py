"""The replay of files against a plain sort of all their events."""

from __future__ import annotations

import random
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest

from agents.backtest import replay
from agents.backtest.replay import Replay
from streams.events.files import FileError, write_events

if TYPE_CHECKING:
    from pathlib import Path

DEEP = b'{"created":0,"card":"card_1","deep":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
GARBAGE = [
    b"no JSON", b"[1]", b'{"created":"now"}', b'{"created":-1}', b'{"created":0}', b'"\xff"', DEEP
]  # fmt: skip


def charge(number: int, created: float) -> bytes:
    return orjson.dumps(
        {
            "id": f"ch_{number}",
            "created": created,
            "amount": 1 + number,
            "currency": "usd",
            "card": f"card_{number % 5}",
            "merchant": f"m_{number % 3}",
        }
    )


def dispute(number: int, created: float) -> bytes:
    return orjson.dumps(
        {
            "id": f"dp_{number}",
            "charge": f"ch_{number}",
            "card": f"card_{number % 5}",
            "merchant": f"m_{number % 3}",
            "created": created,
            "reason": "fraudulent",
        }
    )


def replayed(files: Replay) -> list[replay.Part]:
    for _ in files.survey():
        pass
    return list(files.parts())


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_all_events_come_in_the_order_of_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, suffix: str
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(replay, "CHUNK", rng.choice([1, 2, 7, 50]))
    # Coarse times have many ties; the disorder is anything from none to all there can be.
    count, disorder = rng.randint(0, 120), rng.choice([0, 0, 3, 30, 1000])
    times = [max(0, t + rng.randint(-disorder, disorder)) for t in range(0, 2 * count, 2)]
    charges = [charge(n, float(t)) for n, t in enumerate(times)]
    disputes = [dispute(n, float(t + rng.randint(0, 40))) for n, t in enumerate(times) if n % 3]
    lines = {"charges": charges[:], "disputes": disputes[:]}
    for name, events in lines.items():
        for _ in range(rng.randint(0, 8)):
            events.insert(rng.randint(0, len(events)), rng.choice(GARBAGE))
        write_events(tmp_path / f"{name}{suffix}", events)

    parts = replayed(
        Replay(tmp_path / f"charges{suffix}", tmp_path / f"disputes{suffix}", max_created=inf)
    )

    created = np.concatenate([part.events.batch.rows["created"] for part in parts] or [np.empty(0)])
    assert (np.diff(created) >= 0).all()
    assert [part.events.times.tolist() for part in parts] == [
        part.events.batch.rows["created"].tolist() for part in parts
    ]
    expected = sorted(  # a stable sort: charges first, then as in the file
        [(orjson.loads(line)["created"], b"charge", line) for line in charges]
        + [(orjson.loads(line)["created"], b"dispute", line) for line in disputes],
        key=lambda event: event[0],
    )
    assert len(created) == len(expected)
    tails = [tail for part in parts for tail in part.events.batch.tails]
    for tail, (_, kind, line) in zip(tails, expected, strict=True):
        if kind == b"charge":
            assert orjson.loads(tail + b"}")["charge"] == orjson.loads(line)["id"]
        else:
            assert tail.endswith(line)
    rejected = [copy for part in parts for copy in part.rejected]
    assert len(rejected) == sum(map(len, lines.values())) - len(expected)
    for copy in rejected:
        headers = dict(copy.headers)
        name = "charges" if b"charges" in headers["topic"] else "disputes"
        assert headers["topic"].decode() == str(tmp_path / f"{name}{suffix}")
        assert lines[name][int(headers["offset"])] == copy.value
    assert [part.inputs for part in parts[-1:]] == [sum(map(len, lines.values()))] * bool(parts)


def test_sorted_files_wait_for_no_more_than_a_chunk_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CHUNK", 10)
    write_events(tmp_path / "c.jsonl", [charge(n, n) for n in range(1000)])
    write_events(tmp_path / "d.jsonl", [dispute(n, n + 300) for n in range(0, 1000, 7)])
    files = Replay(tmp_path / "c.jsonl", tmp_path / "d.jsonl", inf)
    let_go = 0
    waiting = []
    for part in replayed(files):
        let_go += len(part.events)
        waiting.append(part.inputs - let_go)
    assert max(waiting) <= 20
    assert waiting[-1] == 0


def test_events_written_after_the_survey_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    write_events(path, [charge(n, 100.0 + n) for n in range(50)])
    files = Replay(path, None, inf)
    for _ in files.survey():
        pass
    with path.open("ab") as stream:
        stream.write(charge(50, 1.0) + b"\n")
    created = np.concatenate([part.events.times for part in files.parts()])
    assert created.tolist() == [100.0 + n for n in range(50)]


def test_a_time_beyond_belief_is_rejected_and_holds_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    write_events(path, [charge(0, 5.0), charge(1, 1e12), charge(2, 7.0)])
    parts = replayed(Replay(path, None, max_created=100.0))
    assert np.concatenate([part.events.times for part in parts]).tolist() == [5.0, 7.0]
    assert [copy.reason for part in parts for copy in part.rejected] == ["future"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.jsonl: No such file"):
        replayed(Replay(tmp_path / "none.jsonl", None, inf))
