"""How long charges take to be scored, against the sorted list of all of them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from math import ceil
from random import Random
from typing import TYPE_CHECKING

import pytest

from agents.web.read_model.queries.latencies import (
    LATEST_MAX,
    Latency,
    latency_by_day,
    latest_latency,
)
from tests.agents.web.read_model.building import build
from tests.agents.web.read_model.made import BEGAN, DAYS, make
from tests.agents.web.read_model.reference import charges_in

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.engine import URL

UNTIL = BEGAN + (DAYS + 1) * 86_400.0


def assert_like(found: Latency | None, latencies_s: list[float]) -> None:
    """Compare with the list: a histogram tells at most a tenth more, and a millisecond at least."""
    assert found is not None
    assert found.charges == len(latencies_s)
    for share, told_s in ((0.5, found.median_s), (0.99, found.p99_s)):
        exact_s = max(sorted(latencies_s)[ceil(share * len(latencies_s)) - 1], 0.001)
        # the longest step has all that is longer
        assert min(exact_s, 3800.0) * 0.999 <= told_s <= exact_s * 1.101


@pytest.mark.parametrize("seed", [3, 8])
def test_latencies_of_days_and_of_late(url: URL, seed: int) -> None:
    random = Random(seed)
    made = make(random)
    charges = list(charges_in(made).values())
    by_day: defaultdict[date, list[float]] = defaultdict(list)
    of_history = 0
    for each in charges:
        assert each.put_at is not None
        created = each.scored["created"]
        if each.put_at - created > 300.0:
            of_history += 1
        else:
            day = datetime.fromtimestamp(created, UTC).date()
            by_day[day].append(each.scored_at - each.put_at)
    assert of_history > 50
    assert len(by_day) >= DAYS
    read_model = build(url, made, random)
    with read_model.reading() as connection:
        found = latency_by_day(connection, 0.0, UNTIL)
        assert found.keys() == by_day.keys()
        for day, latencies_s in by_day.items():
            assert_like(found[day], latencies_s)
        [one_day] = latency_by_day(connection, BEGAN + 86_400.0, BEGAN + 86_400.0)
        assert one_day == datetime.fromtimestamp(BEGAN + 86_400.0, UTC).date()
        assert len(charges) <= LATEST_MAX
        since = sorted(each.scored_at for each in charges)[len(charges) // 2]
        late = [
            each.scored_at - each.put_at
            for each in charges
            if each.put_at is not None and each.scored_at >= since
        ]
        assert_like(latest_latency(connection, since), late)
        assert latest_latency(connection, UNTIL + 1e7) is None
    read_model.close()
