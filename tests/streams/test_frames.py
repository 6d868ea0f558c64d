"""Frames and examples come back as they went; what another version wrote is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events import EVENT
from streams.features import CARD_FEATURES, FEATURES
from streams.frames import (
    EXAMPLE,
    FrameError,
    Origin,
    decode_dispute_tail,
    decode_examples,
    decode_frames,
    encode_dispute_tail,
    encode_examples,
    encode_frames,
    layout_of,
)

binary = st.binary(max_size=40)


def random_rows(dtype: np.dtype[np.void], count: int, seed: int) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 256, count * dtype.itemsize, np.uint8)
    rows = np.zeros(count, dtype)
    rows[:] = raw.view(dtype)
    return rows


@settings(deadline=None)
@given(parts=st.lists(st.tuples(binary, binary), max_size=20), seed=st.integers(0, 2**32))
def test_frames_come_back(parts: list[tuple[bytes, bytes]], seed: int) -> None:
    events = random_rows(EVENT, len(parts), seed)
    features = np.random.default_rng(seed).normal(size=(len(parts), len(CARD_FEATURES)))
    keys, tails = [key for key, _ in parts], [tail for _, tail in parts]
    values = encode_frames(events, features.astype(np.float32), keys, tails)
    frames = decode_frames(values)
    assert (frames.keys, frames.tails) == (keys, tails)
    for name in EVENT.names or ():
        assert frames.rows["event"][name].tobytes() == events[name].tobytes()
    np.testing.assert_array_equal(frames.rows["card_features"], features.astype(np.float32))
    frames.rows["event"]["duplicate"] = 1  # a copy that may be changed
    assert decode_frames(values).rows["event"]["duplicate"].tolist() == events["duplicate"].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_examples_come_back(seed: int) -> None:
    examples = random_rows(EXAMPLE, 50, seed)
    decoded = decode_examples(encode_examples(examples))
    for name in EXAMPLE.names or ():
        assert decoded[name].tobytes() == examples[name].tobytes()
    assert len(decode_examples([])) == 0


@pytest.mark.parametrize("change", ["cut", "other version", "empty"])
def test_what_another_version_wrote_is_refused(change: str) -> None:
    frames = encode_frames(
        np.zeros(3, EVENT), np.zeros((3, len(CARD_FEATURES)), np.float32), [b"k"] * 3, [b"t"] * 3
    )
    examples = encode_examples(np.zeros(3, EXAMPLE))
    for values, decode in ((frames, decode_frames), (examples, decode_examples)):
        good = values[1]
        values[1] = {
            "cut": good[: EXAMPLE.itemsize - 1 if decode is decode_examples else 200],
            "other version": bytes([good[0] + 1]) + good[1:],
            "empty": b"",
        }[change]
        with pytest.raises(FrameError, match="version"):
            decode(values)


def test_any_change_of_what_is_written_is_another_layout() -> None:
    """A field more, another type, another order of the same features: none is mistaken for ours."""
    fields = EXAMPLE.descr
    swapped = [*fields[:2], fields[3], fields[2], *fields[4:]]
    wider = [(name, "f8" if kind == "<f4" else kind, *shape) for name, kind, *shape in fields]
    others = [
        layout_of(np.dtype(swapped), FEATURES),
        layout_of(np.dtype(wider), FEATURES),
        layout_of(np.dtype([*fields, ("more", "u1")]), FEATURES),
        layout_of(EXAMPLE, FEATURES[::-1]),
        layout_of(EXAMPLE, FEATURES[1:]),
        layout_of(EXAMPLE, FEATURES),
    ]
    assert len(set(others)) == len(others)


@given(st.text(max_size=20), st.integers(0, 2**31), st.integers(0, 2**60), binary, binary)
def test_dispute_tails_come_back(
    topic: str, partition: int, offset: int, key: bytes, value: bytes
) -> None:
    origin = Origin(topic, partition, offset)
    assert decode_dispute_tail(encode_dispute_tail(origin, key, value)) == (origin, key, value)
    assert decode_dispute_tail(encode_dispute_tail(origin, b"\n" + key, value + b"\n")) == (
        origin,
        b"\n" + key,
        value + b"\n",
    )
