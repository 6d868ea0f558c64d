"""Frames and examples come back as they went; what is torn is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events.batch import Batch
from streams.events.origin import Origin, decode_label_tail, encode_label_tail
from streams.events.rows import EVENT
from streams.layouts.layout import HEAD, LayoutError
from streams.wire.examples import EXAMPLE, EXAMPLE_LAYOUT, decode_examples, encode_examples
from streams.wire.frames import _HEAD, FRAME, MESSAGE_BYTES, decode_frames, encode_frames

binary = st.binary(max_size=40)


def random_rows(dtype: np.dtype[np.void], count: int, seed: int) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 256, count * dtype.itemsize, np.uint8)
    rows = np.zeros(count, dtype)
    rows[:] = raw.view(dtype)
    return rows


def random_frames(texts: list[tuple[bytes, bytes, bytes]], seed: int) -> Batch:
    columns = ([text[i] for text in texts] for i in range(3))
    return Batch(random_rows(FRAME, len(texts), seed), *columns)


def assert_same(found: Batch, wanted: Batch) -> None:
    assert (found.merchants, found.cards, found.tails) == (
        wanted.merchants, wanted.cards, wanted.tails,
    )  # fmt: skip
    for name in EVENT.names or ():
        assert found.rows["event"][name].tobytes() == wanted.rows["event"][name].tobytes()
    assert found.rows["card_features"].tobytes() == wanted.rows["card_features"].tobytes()


@settings(deadline=None)
@given(
    batches=st.lists(st.lists(st.tuples(binary, binary, binary), max_size=20), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_frames_come_back(batches: list[list[tuple[bytes, bytes, bytes]]], seed: int) -> None:
    """Whatever strings they have, and however many messages are read at once."""
    sent = [random_frames(texts, seed + place) for place, texts in enumerate(batches)]
    messages = [encode_frames(frames) for frames in sent]
    assert [len(encoded) for encoded in messages] == [int(len(frames) > 0) for frames in sent]
    frames, counts = decode_frames([message for encoded in messages for message in encoded])
    assert counts.tolist() == [len(part) for part in sent if len(part)]
    assert_same(frames, Batch.joined([random_frames([], 0), *sent]))


@given(sizes=st.lists(st.sampled_from([0, 10, 500, 20_000, 70_000]), min_size=1, max_size=60))
def test_frames_go_together_as_far_as_they_may(sizes: list[int]) -> None:
    """In order; a message is as large as allowed or has one frame, and no two would fit in one."""
    frames = random_frames([(b"m", b"c", bytes(size)) for size in sizes], len(sizes))
    messages = encode_frames(frames)
    found, counts = decode_frames(messages)
    assert_same(found, frames)
    for message, count in zip(messages, counts.tolist(), strict=True):
        assert count == 1 or len(message) <= MESSAGE_BYTES
    first_of = np.cumsum(counts) - counts
    for message, after in zip(messages, first_of[1:].tolist(), strict=False):
        (alone,) = encode_frames(frames.part(after, after + 1))
        assert len(message) + len(alone) - _HEAD.size > MESSAGE_BYTES


def test_decoded_frames_may_be_changed() -> None:
    messages = encode_frames(random_frames([(b"m", b"c", b"t")] * 3, 1))
    frames, _ = decode_frames(messages)
    before = frames.rows["event"]["duplicate"].tolist()
    frames.rows["event"]["duplicate"] += 1
    assert decode_frames(messages)[0].rows["event"]["duplicate"].tolist() == before


@pytest.mark.parametrize("seed", range(3))
def test_examples_come_back(seed: int) -> None:
    examples = random_rows(EXAMPLE, 50, seed)
    examples[HEAD] = EXAMPLE_LAYOUT.head
    decoded = decode_examples(encode_examples(examples))
    for name in EXAMPLE.names or ():
        assert decoded[name].tobytes() == examples[name].tobytes()
    assert len(decode_examples([])) == 0


@pytest.mark.parametrize("change", ["cut", "longer", "unknown layout", "none", "empty"])
def test_what_is_torn_or_of_an_unknown_layout_is_refused(change: str) -> None:
    messages = [encode_frames(random_frames([(b"m", b"c", b"t")] * 3, n))[0] for n in range(3)]
    examples = encode_examples(EXAMPLE_LAYOUT.new(3))
    for values, decode in ((messages, decode_frames), (examples, decode_examples)):
        good = values[1]
        for size in range(1, len(good)) if change == "cut" else (0,):
            values[1] = {
                "cut": good[:size],
                "longer": good + b"t",
                "unknown layout": bytes([(good[0] + 1) % 256]) + good[1:],
                "none": good[:8] + bytes(4),
                "empty": b"",
            }[change]
            with pytest.raises(LayoutError, match="by another version, in a layout"):
                decode(values)


@given(st.text(max_size=20), st.integers(0, 2**31), st.integers(0, 2**60), binary, binary)
def test_dispute_tails_come_back(
    topic: str, partition: int, offset: int, key: bytes, value: bytes
) -> None:
    origin = Origin(topic, partition, offset)
    assert decode_label_tail(encode_label_tail(origin, key, value)) == (origin, key, value)
    assert decode_label_tail(encode_label_tail(origin, b"\n" + key, value + b"\n")) == (
        origin,
        b"\n" + key,
        value + b"\n",
    )
