"""The feature that the later version has more, in what was kept and learned of each charge."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.layouts.layout import number_in
from tests.upgrade.histories import note, numbers_by_hash
from tests.upgrade.later_version import NEW_DEFAULT, NEW_FEATURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.layouts.layout import Layout
    from tests.chaos.findings import Findings
    from tests.chaos.verify import Outcome


class _Column(NamedTuple):
    """Where a number is in a record."""

    place: int
    type: str

    def of(self, record: bytes) -> float:
        return float(np.frombuffer(record, self.type, 1, self.place)[0])


def check_new_feature(
    findings: Findings,
    layouts: Mapping[int, Layout],
    kept: Mapping[int, Sequence[bytes]],
    outcome: Outcome,
) -> None:
    """Check that it is what it is, or its default where a version without it has written since."""
    columns = {number: _column(layout) for number, layout in layouts.items()}
    created = {i.sent.number: i.sent.event.created for i in outcome.inputs if i.sent.event}
    known: dict[int, set[float]] = defaultdict(set)
    own = defaults = 0
    for charge, records in kept.items():
        value = _minute(created[charge])
        for record in records:
            column = columns[number_in(record) or 0]
            if column is None:
                value = NEW_DEFAULT
            else:
                own, defaults = own + (value != NEW_DEFAULT), defaults + (value == NEW_DEFAULT)
                found = column.of(record)
                is_right = abs(found - value) < 1e-4
                findings.check("new feature of a kept charge", is_right, (charge, found, value))
            known[charge].add(value)
    note(findings, "new feature of a charge that the later version scored", own)
    note(findings, "new feature of a charge that this version scored", defaults)
    numbers = numbers_by_hash(outcome.inputs, outcome.expected)
    learned = 0
    for read in outcome.examples:
        value_of, record = columns[number_in(read.value or b"") or 0], read.value or b""
        if value_of is not None:
            charge = numbers[_hash_in(record, layouts)]
            found = value_of.of(record)
            is_right = any(abs(found - value) < 1e-4 for value in known[charge])
            findings.check("new feature of an example", is_right, (charge, found))
            learned += 1
    note(findings, "example of the later version", learned)


def _minute(created: float) -> float:
    return created % 3600.0 / 60.0


def _column(layout: Layout) -> _Column | None:
    """Return where the new feature is in the vector of a record, `None` if it is not."""
    vector = layout.fields.get("vector")
    if vector is None or vector.columns is None or NEW_FEATURE not in vector.columns:
        return None
    place = vector.place + vector.columns.index(NEW_FEATURE) * np.dtype(vector.type).itemsize
    return _Column(place, vector.type)


def _hash_in(example: bytes, layouts: Mapping[int, Layout]) -> bytes:
    """Return the hash of the charge of an example, as charges are kept under it."""
    place = layouts[number_in(example) or 0].fields["charge"].place
    return np.frombuffer(example, "<u8", 2, place).astype(">u8").tobytes()
