"""JSON text in all its layouts, cut anywhere, against the standard library's parser."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import json_text
from streams.events.json_text import JsonTextError, events_in

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = range(300)
CHARACTERS = 'ab {}[],:"\\\n\r\té€\ufeff😀'


def cut(rng: random.Random, text: bytes) -> Iterator[bytes]:
    """Cut a text anywhere, here and there several times at the same place."""
    places = sorted(rng.choices(range(len(text) + 1), k=rng.randrange(8)))
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        yield text[start:end]


def some_value(rng: random.Random, depth: int = 0) -> Any:
    match rng.randrange(4 if depth > 3 else 7):
        case 0:
            return "".join(rng.choices(CHARACTERS, k=rng.randrange(8)))
        case 1:
            return rng.choice([None, True, False, 0, -1.5e-7, 2**63])
        case 2 | 3:
            return rng.randrange(10**6)
        case 4:
            return [some_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case _:
            return some_object(rng, depth + 1)


def some_object(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    names = ["".join(rng.choices(CHARACTERS, k=rng.randrange(5))) for _ in range(rng.randrange(5))]
    return {name: some_value(rng, depth) for name in names}


def written(rng: random.Random, value: Any, indent: int | None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=rng.random() < 0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_elements_of_an_array(seed: int) -> None:
    rng = random.Random(seed)
    values = [some_object(rng), *(some_value(rng) for _ in range(rng.randrange(12)))]
    text = written(rng, values, rng.choice([None, 0, 2]))
    text = rng.choice(["", "\ufeff"]) + rng.choice(["", "\n "]) + text + rng.choice(["", "\r\n"])
    if rng.random() < 0.5:
        text = text.replace("\n", "\r\n")
    events = list(events_in(cut(rng, text.encode())))
    assert [json.loads(event.decode()) for event in events] == values, f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_objects_over_several_lines(seed: int) -> None:
    rng = random.Random(seed)
    values = [{"id": 1} | some_object(rng), *(some_object(rng) for _ in range(rng.randrange(5)))]
    text = "\n".join(written(rng, value, 2) for value in values) + rng.choice(["", "\n"])
    text = rng.choice(["", "\ufeff"]) + text.replace("\n", rng.choice(["\n", "\r\n"]))
    events = list(events_in(cut(rng, text.encode())))
    assert [json.loads(event.decode()) for event in events] == values, f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_lines(seed: int) -> None:
    rng = random.Random(seed)
    values = [some_object(rng), *(some_value(rng) for _ in range(rng.randrange(12)))]
    lines = [rng.choice(["", "\ufeff"]) + written(rng, value, None) for value in values]
    text = rng.choice(["\n", "\r\n", "\n\n"]).join(lines)
    events = list(events_in(cut(rng, text.encode())))
    assert [json.loads(event.decode()) for event in events] == values, f"seed {seed}"


@given(st.lists(st.binary(max_size=20), max_size=5), st.sampled_from([b"", b"[{},", b"{\n"]))
def test_any_text_is_read_or_named(chunks: list[bytes], begin: bytes) -> None:
    try:
        events = list(events_in(iter([begin, *chunks])))
    except JsonTextError:
        return
    # Nothing but what stands between events, or marks a byte order, is left out.
    kept = bytearray(b"".join(events))
    for byte in begin + b"".join(chunks):
        if kept[:1] == bytes([byte]):
            kept.pop(0)
        else:
            assert byte in b" \t\n\r\f\v,[]\xef\xbb\xbf"
    assert not kept


def test_a_value_that_is_no_json_costs_no_other() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    text = b'[{"id":1},{"id":oops,},nonsense,"x",' + deep + b',{"id":2}]'
    assert list(events_in(iter([text]))) == [
        *(b'{"id":1}', b'{"id":oops,}', b"nonsense", b'"x"'),
        *(deep, b'{"id":2}'),
    ]


@pytest.mark.parametrize("cut", [b'{"id":1,', b'{"id":1', b'{"id":"', b'{"id":1,"n":[1,'])
def test_a_line_that_is_cut_off_costs_no_other(cut: bytes) -> None:
    lines = [cut, b'{"id":2}', b'{"id":3}']
    assert list(events_in(iter([b"\n".join(lines)]))) == lines


def test_lines_with_commas_between() -> None:
    assert list(events_in(iter([b'{"id":1},\r\n{"id":2},\n{"id":3}\n']))) == [
        *(b'{"id":1}', b'{"id":2}', b'{"id":3}'),
    ]


@pytest.mark.parametrize(
    "text", ['{"id":1,\n"n":2}', '{ "id": [\n{"a":1}\n]}\n', '{"id": {\n  "n": 1}, "m": 2}']
)
def test_objects_written_by_hand(text: str) -> None:
    events = list(events_in(iter([text.encode()])))
    assert list(map(json.loads, events)) == [json.loads(text)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'[{"id":1},{"id"', "the JSON is cut off"),
        (b'[{"id":1}', "the JSON is cut off"),
        (b'[{"id":1},"x', "the JSON is cut off"),
        (b'{\n"id":1', "the JSON is cut off"),
        (b'[{"id":1}}]', "byte 9: expected an event, got }"),
        (b'[{"id":1}]]', "byte 10: expected an event, got ]"),
        ('{"id":1}'.encode("utf-16"), "UTF-16 text: convert it"),
        ('{"id":1}'.encode("utf-16-le"), "UTF-16LE"),
        ('{"id":1}'.encode("utf-16-be"), "UTF-16BE"),
        ('[{"id":1}]'.encode("utf-16-le"), "UTF-16LE"),
        ('[{"id":1}]'.encode("utf-16-be"), "UTF-16BE"),
        (b"\x1f\x8b\x08", "gzip: let its name end in .gz"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd: let its name end in .zst"),
        (b"PAR1\x15", "Parquet: let its name end in .parquet"),
    ],
)
def test_what_cannot_be_read_is_named(text: bytes, message: str) -> None:
    with pytest.raises(JsonTextError, match=message.replace("]", r"\]").replace("}", r"\}")):
        list(events_in(iter([text])))


def test_an_event_without_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "_VALUE_BYTES_MAX", 1000)
    chunks = iter([b'[{"id":1},{"id":"', *[b"x" * 100] * 10_000])
    with pytest.raises(JsonTextError, match="byte 10: an event that does not end"):
        list(events_in(chunks))
    assert len(list(chunks)) > 9000
