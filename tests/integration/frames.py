"""What is on the topic between the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.layouts.layout import number_in
from streams.wire.entity_events import PART_LAYOUT
from streams.wire.frames import decode_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from streams.events.batch import Batch


def frames_in(messages: Iterable[Message]) -> Batch | None:
    """Return the frames among messages, without the parts that they wait for; `None` for none."""
    values = [message.value() or b"" for message in messages]
    frames = [value for value in values if number_in(value) != PART_LAYOUT.layout.number]
    return decode_frames(frames)[0] if frames else None
