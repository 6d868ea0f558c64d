"""What versions have written: in which layouts, and in which order."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from xxhash import xxh3_128_digest

from streams.layouts.layout import decode_layout, number_in
from streams.state import tables as state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.kafka.topics import Topics
    from streams.layouts.layout import Layout
    from tests.chaos.findings import Findings
    from tests.chaos.logs import Logs
    from tests.chaos.oracle import Expected, Frame, Input


def kept_layouts(logs: Logs, topics: Topics) -> dict[int, Layout]:
    """Return the layouts that the installation keeps, by number."""
    values = {read.key or b"": read.value for read in logs.committed(topics.installation)}
    documents = [v for key, v in values.items() if key.startswith(b"layout/") and v is not None]
    layouts = [decode_layout(document, "a record") for document in documents]
    return {layout.number: layout for layout in layouts}


def numbers_by_hash(inputs: Iterable[Input], expected: Expected) -> dict[bytes, int]:
    """Return the numbers of the charges that are no duplicates, by what they are kept under."""
    numbers = expected.features.keys() - expected.duplicates
    events = [(item.sent.number, item.sent.event) for item in inputs]
    return {
        xxh3_128_digest(f"{event.card}\0{event.id}".encode()): number
        for number, event in events
        if number in numbers and event is not None
    }


def kept_charges(
    logs: Logs, topics: Topics, inputs: Iterable[Input], expected: Expected
) -> dict[int, list[bytes]]:
    """Return all that was ever kept of each charge, in its order, by the charge's number."""
    numbers = numbers_by_hash(inputs, expected)
    kept: dict[int, list[bytes]] = defaultdict(list)
    for read in logs.committed(topics.changelog):
        if read.key and read.key.startswith(state.PENDING) and read.value is not None:
            kept[numbers[read.key[-16:]]].append(read.value)
    return kept


def counted_in(frames: Iterable[Frame], expected: Expected) -> dict[int, int | None]:
    """Return the layout in which each charge was sent on: of the version that counted its card."""
    return {f.number: f.layout for f in frames if f.number in expected.features}


def scored_in(kept: Mapping[int, Sequence[bytes]]) -> dict[int, int | None]:
    """Return the layout in which each charge was kept first: that of the version that scored it."""
    return {number: number_in(values[0]) for number, values in kept.items()}


def note(findings: Findings, what: str, count: int) -> None:
    """Note how much of something there was, which must not be nothing: else nothing was tested."""
    findings.check(what, count > 0, count)
    findings.checked[what] = count
