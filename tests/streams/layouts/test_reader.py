"""Records of other layouts are read by name; what cannot be read is refused before it is used."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from streams.events.batch import Batch
from streams.features.spec import Feature
from streams.layouts.layout import (
    FIRST,
    HEAD,
    NO_PLACE,
    Field,
    Layout,
    LayoutError,
    Record,
    Ring,
    Tiles,
    decode_layout,
    head_of,
    number_in,
)
from streams.layouts.reader import Reader
from streams.state.store import KeyRange, MemoryStore
from streams.state.tables import META, TaskState, layouts_in
from streams.wire.frames import (
    FRAME_LAYOUT,
    TEXTS,
    decode_frames,
    encode_frames,
)

HOUR = 3600.0


def feature(name: str, default: float = 0.0) -> Feature:
    return Feature(name, "charge", "flag", "none", "0", name, default)


def record(*fields: tuple[Any, ...], **parts: Any) -> Record:
    return Record("kind", np.dtype([(HEAD, "u8"), *fields]), **parts)


def written(kind: Record, **values: Any) -> bytes:
    rows = kind.new(1)
    for name, value in values.items():
        rows[name] = value
    return rows.tobytes()


def read(value: bytes, source: Record, target: Record) -> np.void:
    layouts = {source.layout.number: source.layout}
    row: np.void = Reader(target, layouts).rows([value])[0]
    return row


def test_fields_are_found_by_name_new_ones_are_zero_and_gone_ones_dropped() -> None:
    old = record(("gone", "f8"), ("count", "u2"), ("at", "f8"), ("ids", "u8", (2,)))
    new = record(("ids", "u8", (2,)), ("new", "f4", (3,)), ("at", "f8"), ("count", "u4"))
    row = read(written(old, gone=1.5, count=65535, at=2.5, ids=[3, 4]), old, new)
    assert (row["count"], row["at"], row["ids"].tolist()) == (65535, 2.5, [3, 4])
    assert row["new"].tolist() == [0, 0, 0]
    assert row[HEAD] == new.head


def test_columns_are_found_by_the_names_of_features() -> None:
    names = ("a", "gone", "b")
    old = record(
        ("vector", "f4", (3,)), ("reason", "u1", (3,)),
        columns={"vector": [feature(name) for name in names]}, places_in={"reason": "vector"},
    )  # fmt: skip
    new = record(
        ("reason", "u1", (3,)), ("vector", "f4", (4,)),
        columns={"vector": [feature("b"), feature("new", 7.5), feature("a"), feature("other")]},
        places_in={"reason": "vector"},
    )  # fmt: skip
    row = read(written(old, vector=[1, 2, 3], reason=[2, 1, 0]), old, new)
    assert row["vector"].tolist() == [3.0, 7.5, 1.0, 0.0]
    assert row["reason"].tolist() == [0, NO_PLACE, 2]


def test_a_new_vector_has_the_defaults_of_its_features() -> None:
    old = record(("at", "f8"))
    new = record(("at", "f8"), ("vector", "f4", (2,)),
                 columns={"vector": [feature("a", 3.0), feature("b")]})  # fmt: skip
    assert read(written(old, at=1.0), old, new)["vector"].tolist() == [3.0, 0.0]


def ring_record(tiles: Tiles, merge: Any, kind: str = "u4") -> Record:
    shape = (tiles.slots * tiles.words,)
    ring = Ring((tiles,), "clock_s", merge)
    return record(("clock_s", "f8"), ("ring", kind, shape), rings={"ring": ring})


@pytest.mark.parametrize("merge", ["sum", "larger", "union"])
@pytest.mark.parametrize(
    ("tile_s", "slots"), [(600, 20), (1800, 6), (300, 30), (420, 25), (600, 9)]
)
def test_a_window_with_other_tiles_has_every_tile_in_the_new_one_in_which_it_ends(
    merge: str, tile_s: int, slots: int
) -> None:
    """By brute force: tile by tile, each to the tile of its last second or to the running one."""
    random = Random(f"{merge} {tile_s} {slots}")
    source, target = Tiles("w", 600.0, 12), Tiles("w", float(tile_s), slots)
    old, new = ring_record(source, merge), ring_record(target, merge)
    for _ in range(20):
        clock = random.randrange(10**6, 10**6 + 10**5)
        ring, wanted = [0] * source.slots, [0] * slots
        running = clock // tile_s
        for tile in range(clock // 600 - source.slots + 1, clock // 600 + 1):
            value = ring[tile % source.slots] = random.choice([0, 1, 5, 64])
            goes_to = min(((tile + 1) * 600 - 1) // tile_s, running)
            if running - goes_to < slots:
                was, place = wanted[goes_to % slots], goes_to % slots
                wanted[place] = {
                    "sum": was + value, "larger": max(was, value), "union": was | value,
                }[merge]  # fmt: skip
        row = read(written(old, clock_s=clock + 0.5, ring=ring), old, new)
        assert row["ring"].tolist() == wanted


def test_counts_that_come_together_stay_within_their_type() -> None:
    old, new = (ring_record(Tiles("w", tile_s, 4), "sum") for tile_s in (600.0, 2400.0))
    most = np.iinfo(np.uint32).max
    row = read(written(old, clock_s=2300.0, ring=[most, most, 1, 0]), old, new)
    assert row["ring"].tolist() == [most, 0, 0, 0]


def test_windows_are_found_by_name_and_others_begin_empty() -> None:
    def rings(*tiles: Tiles) -> Record:
        total = sum(of.slots for of in tiles)
        ring = Ring(tiles, "clock_s")
        return record(("clock_s", "f8"), ("ring", "u4", (total,)), rings={"ring": ring})

    old = rings(Tiles("gone", 60.0, 2), Tiles("kept", HOUR, 3))
    new = rings(Tiles("kept", HOUR, 3), Tiles("new", 60.0, 4))
    row = read(written(old, clock_s=2.5 * HOUR, ring=[8, 9, 1, 2, 3]), old, new)
    assert row["ring"].tolist() == [1, 2, 3, 0, 0, 0, 0]


def test_bitmaps_of_another_width_begin_empty() -> None:
    old, new = (ring_record(Tiles("w", HOUR, 2, words), "union", "u8") for words in (2, 3))
    assert not read(written(old, clock_s=HOUR, ring=[1, 2, 3, 4]), old, new)["ring"].any()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (("n", "f8"), ("n", "f4"), "<f8 has values that <f4 has not"),
        (("n", "i8"), ("n", "u8"), "<i8 has values that <u8 has not"),
        (("n", "u4", (3,)), ("n", "u4", (4,)), r"\(3,\) numbers have become \(4,\)"),
    ],
)
def test_what_cannot_be_read_is_refused_when_the_reader_is_made(
    old: tuple[Any, ...], new: tuple[Any, ...], reason: str
) -> None:
    source, target = record(old), record(new)
    with pytest.raises(LayoutError, match=f"n: {reason}. Nothing has been changed"):
        Reader(target, {source.layout.number: source.layout})


def test_an_unknown_layout_and_a_torn_record_are_refused() -> None:
    kind, other = record(("at", "f8")), record(("at", "f4"))
    reader = Reader(kind, {})
    with pytest.raises(LayoutError, match=f"no layout {other.layout.number:08x}"):
        reader.rows([kind.empty, other.empty])
    with pytest.raises(LayoutError, match="its size"):
        reader.rows([kind.empty[:-1]])


def test_records_of_several_layouts_come_in_their_order() -> None:
    first, later, now = (record(*[(name, "f8") for name in names]) for names in ("a", "ba", "cba"))
    layouts = {kind.layout.number: kind.layout for kind in (first, later)}
    random, values = Random(1), []
    for number in range(200):
        kind = random.choice([first, later, now])
        values.append(written(kind, a=number))
    assert Reader(now, layouts).rows(values)["a"].tolist() == list(range(200))


def test_a_layout_told_in_a_later_form_is_refused() -> None:
    document = msgspec.json.encode({"name": "kind", "size_bytes": 8, "fields": {}, "form": 2})
    with pytest.raises(LayoutError, match="told in another form"):
        decode_layout(document, "the state")
    store = MemoryStore()
    store.write({META + b"layout/00000001": document}, [], 1)
    with pytest.raises(LayoutError, match="the state was written by another version"):
        TaskState(store)


def test_a_layout_is_kept_once_and_with_the_records_of_its_first_commit() -> None:
    kind = record(("at", "f8"))
    store = MemoryStore()
    state = TaskState(store)
    state.reader(kind)
    assert not layouts_in(state.meta)
    changes = state.seal()
    assert [key[:8] for key in changes] == [META + b"layout/"]
    state.discard()  # the commit has failed
    state.commit(1)
    assert layouts_in(state.meta) == {kind.layout.number: kind.layout}
    again = TaskState(store)
    again.reader(kind)
    assert not again.seal()


def test_every_head_is_told_from_what_the_first_release_wrote() -> None:
    """No time, day or text of it has the mark where a head has it."""
    times = np.array([0.0, 1.5, -1.0, 1.8e9, 4.2e9]).tobytes()
    days = np.array([0, 20_000, 2**31]).tobytes()
    for raw in (times, days):
        for at in range(0, len(raw), 8):
            assert number_in(raw[at : at + 8]) is None
    assert number_in(head_of(0xFFFFFFFF)) == 0xFFFFFFFF


def frames_of(count: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    rows = np.frombuffer(bytearray(FRAME_LAYOUT.empty * count), FRAME_LAYOUT.dtype)
    rows["event"]["amount"] = rng.random(count)
    rows["event"]["kind"] = rng.integers(0, 3, count)
    rows["card_features"] = rng.random(rows["card_features"].shape)
    texts = [[b"%s-%d" % (name.encode() * n, seed) for n in range(count)] for name in TEXTS]
    merchants, cards, tails = texts
    return Batch(rows, cards, merchants, tails)


def as_a_later_version(frames: Batch) -> tuple[Layout, bytes]:
    """Encode frames with fields in another place, a feature more and a text more, one gone."""
    names = FRAME_LAYOUT.layout.fields["card_features"].columns or ()
    moved = ("new", *names[::-1][:-1])
    event = FRAME_LAYOUT.dtype["event"]
    texts = ("device", "tail", "merchant", "card")
    dtype = np.dtype(
        [("text_bytes", "u4", (4,)), ("card_features", "f4", (len(moved),)), ("event", event)]
    )
    later = Record("frame", dtype, {"card_features": moved, "text_bytes": texts})
    rows = later.new(len(frames))
    rows["event"] = frames.rows["event"]
    rows["card_features"][:, 1:] = frames.rows["card_features"][:, ::-1][:, :-1]
    columns = [[b"device"] * len(frames), frames.tails, frames.merchants, frames.cards]
    rows["text_bytes"] = np.array([[len(text) for text in of] for of in columns]).T
    joined = b"".join(text for of in zip(*columns, strict=True) for text in of)
    head = head_of(later.layout.number) + len(frames).to_bytes(4, "little")
    return later.layout, head + rows.tobytes() + joined


@pytest.mark.parametrize("seed", range(3))
def test_frames_of_a_later_version_are_read_beside_ours(seed: int) -> None:
    frames = frames_of(5, seed)
    layout, theirs = as_a_later_version(frames)
    (ours,) = encode_frames(frames)
    reader = Reader(FRAME_LAYOUT, {layout.number: layout})
    found, counts = decode_frames([ours, theirs, ours], reader)
    assert counts.tolist() == [5, 5, 5]
    assert found.merchants == frames.merchants * 3
    assert found.cards == frames.cards * 3
    assert found.tails == frames.tails * 3
    part = found.part(5, 10)
    assert part.rows["event"].tobytes() == frames.rows["event"].tobytes()
    gone = part.rows["card_features"][:, 0]
    assert not gone.any()
    assert (part.rows["card_features"][:, 1:] == frames.rows["card_features"][:, 1:]).all()
    for torn in (theirs[:-1], theirs + b"x", theirs[:40], theirs[:10]):
        with pytest.raises(LayoutError):
            decode_frames([torn], reader)


def test_the_layouts_of_the_first_release_cover_their_records() -> None:
    """Every byte of a record belongs to one field."""
    for layout in FIRST.values():
        covered = np.zeros(layout.size_bytes, np.uint8)
        for name, field in layout.fields.items():
            size = np.dtype((field.type, field.shape)).itemsize
            covered[field.place : field.place + size] += 1
            assert isinstance(field, Field), name
        assert covered.max() == 1, layout.name
        if layout.name != "frame":  # whose event has gaps
            assert covered.min() == 1, layout.name


def test_store_keys_of_layouts_are_apart_from_others() -> None:
    state = TaskState(MemoryStore())
    state.reader(record(("at", "f8")))
    state.meta.put(b"positions", b"{}")
    state.commit(1)
    assert len(list(state.store.scan(KeyRange(META, META + b"\xff")))) == 2
    assert len(layouts_in(state.meta)) == 1
