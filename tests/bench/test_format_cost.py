"""The cost of formats, in short."""

from __future__ import annotations

from tests.bench.format_cost import BATCHES, PLAIN, format_costs
from tests.streams.formats.written import FORMATS


def test_every_format_is_read_at_not_much_less_than_the_rate_of_json() -> None:
    """Half of it, where nothing else is measured beside; a third tells a format that fell back."""
    costs = format_costs(charges=2_000, rounds=5)
    assert costs.keys() == {
        (form, size) for form in (*FORMATS, PLAIN, "json beside") for size in BATCHES
    }
    size = max(BATCHES)
    for form in (*FORMATS, "json beside"):
        assert costs[form, size].us < 3.0 * costs[PLAIN, size].us, (form, costs)
    assert costs["avro", size].payload_bytes < costs[PLAIN, size].payload_bytes / 2
