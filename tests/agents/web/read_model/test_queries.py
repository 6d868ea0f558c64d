"""What can be asked of the read model, held against brute force over the same messages."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from agents.web.read_model.queries.charge_view import charge_view
from agents.web.read_model.queries.cursors import CursorError
from agents.web.read_model.queries.histories import history_page, neighbours, totals
from agents.web.read_model.queries.overview import day_sums, overview
from agents.web.read_model.queries.rejected_inputs import (
    count_by_reason,
    rejected_input,
    rejected_page,
)
from agents.web.read_model.queries.review_queue import QueueFilter, count_queue, queue_page
from agents.web.read_model.queries.search import search
from agents.web.read_model.tables import ALL_MERCHANTS
from tests.agents.web.read_model.building import build
from tests.agents.web.read_model.made import BEGAN, DAYS, IDS, Made, make
from tests.agents.web.read_model.reference import Charge, Key, charges_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from agents.web.read_model.queries.lines import ChargeLine

SEED = int(os.environ.get("READ_MODEL_SEED", "20261130"))
DAY_S = 86_400.0


@dataclass
class Case:
    connection: Connection
    made: Made
    charges: dict[Key, Charge]
    random: Random


@pytest.fixture(scope="module")
def case(url: URL) -> Iterator[Case]:
    print(f"READ_MODEL_SEED={SEED}")  # noqa: T201 # shown where a test fails
    random = Random(SEED)
    made = make(random)
    read_model = build(url, made, random)
    with read_model.reading() as connection:
        yield Case(connection, made, charges_in(made), random)
    read_model.close()


def all_pages(page: Callable[[str | None], Any], name: str) -> list[Any]:
    found, after = [], None
    while True:
        one = page(after)
        found += getattr(one, name)
        after = one.next
        if after is None:
            return found


def keys(lines: Any) -> list[Key]:
    return [(line.charge, line.card) for line in lines]


def assert_like(line: ChargeLine, charge: Charge) -> None:
    scored = charge.scored
    for name in ("card", "merchant", "created", "amount", "currency", "score", "risk", "action"):
        assert getattr(line, name) == scored[name]
    assert (line.given, line.verdict, line.is_disputed) == (
        charge.given, charge.verdict, charge.is_disputed,
    )  # fmt: skip
    assert line.usd == charge.cents / 100
    claim = charge.claim or {"by": None, "until": None}
    assert (line.claimed_by, line.claimed_until) == (claim["by"], claim["until"])


def test_every_charge_with_everything(case: Case) -> None:
    assert len(case.charges) > 300
    for (charge_id, card), charge in case.charges.items():
        view = charge_view(case.connection, charge_id, card)
        assert view is not None
        assert_like(view.line, charge)
        assert view.scored == charge.scored
        optional = ("device", "ip", "email", "mcc")
        assert view.fields == {n: charge.details[n] for n in optional if n in charge.details}
        for kind in ("outcomes", "disputes"):
            events = sorted(getattr(charge, kind).values(), key=lambda e: (e["created"], e["id"]))
            assert list(getattr(view, kind)) == events
        notes = sorted(charge.notes.values(), key=lambda e: (e["created"], e["id"]))
        assert [(n.id, n.by, n.text) for n in view.notes] == [
            (n["id"], n["by"], n["text"]) for n in notes
        ]
    assert charge_view(case.connection, "no such charge") is None


def test_a_charge_by_its_id_alone_is_the_latest_of_that_id(case: Case) -> None:
    latest: dict[str, Charge] = {}
    for (charge_id, _), charge in case.charges.items():
        before = latest.get(charge_id)
        if before is None or charge.scored["created"] > before.scored["created"]:
            latest[charge_id] = charge
    assert len(latest) < len(case.charges)
    for charge_id, charge in latest.items():
        view = charge_view(case.connection, charge_id)
        assert view is not None
        assert view.scored == charge.scored


def test_sums_of_days(case: Case) -> None:
    expected: dict[tuple[str, int, str], Counter[str]] = {}
    for charge in case.charges.values():
        scored, cents = charge.scored, charge.cents
        for merchant in (ALL_MERCHANTS, scored["merchant"]):
            key = merchant, int(scored["created"] // DAY_S), charge.given
            expected.setdefault(key, Counter()).update(
                charges=1,
                usd=cents,
                expected_frauds=round(1e6 * scored["score"]),
                expected_usd=round(cents * scored["score"]),
                disputed=charge.is_disputed,
                disputed_usd=cents * charge.is_disputed,
                found=charge.is_found,
                found_usd=cents * charge.is_found,
                cleared=charge.verdict == "genuine",
            )
    until = BEGAN + DAYS * DAY_S
    merchants = {merchant for merchant, _, _ in expected}
    found = {
        (merchant, (day.day - date(1970, 1, 1)).days, day.given): day
        for merchant in merchants
        for day in day_sums(case.connection, merchant, 0.0, until)
    }
    assert found.keys() == expected.keys()
    for key, day in found.items():
        for name, value in expected[key].items():
            scale = 100 if name.endswith("usd") else 1e6 if name == "expected_frauds" else 1
            assert getattr(day, name) == value / scale, (key, name)


def test_overview(case: Case) -> None:
    waiting = [charge for charge in case.charges.values() if charge.is_waiting]
    seen = overview(case.connection, BEGAN, BEGAN + DAYS * DAY_S)
    assert sum(day.charges for day in seen.days) == len(case.charges)
    assert (seen.waiting, seen.waiting_usd) == (len(waiting), sum(c.cents for c in waiting) / 100)
    assert seen.oldest_waiting == min(charge.scored["created"] for charge in waiting)
    assert seen.rejected == len(case.made.of("charges.rejected"))
    days = sorted({int(c.scored["created"] // DAY_S) for c in case.charges.values()})
    one = overview(case.connection, days[2] * DAY_S + 5, days[2] * DAY_S + 6)
    assert sum(day.charges for day in one.days) == sum(
        int(c.scored["created"] // DAY_S) == days[2] for c in case.charges.values()
    )


ORDER: dict[str, Callable[[Charge], Any]] = {
    "oldest": lambda c: c.scored["created"],
    "newest": lambda c: -c.scored["created"],
    "risk": lambda c: -c.scored["risk"],
    "amount": lambda c: -c.cents,
}


@pytest.mark.parametrize("sort", ORDER)
def test_the_queue_in_every_order_page_by_page(case: Case, sort: Any) -> None:
    some = next(iter(case.charges.values())).scored["merchant"]
    middle = BEGAN + DAYS / 2 * DAY_S
    filters: list[tuple[QueueFilter, Callable[[Charge], bool]]] = [
        (QueueFilter(), lambda _: True),
        (QueueFilter(merchant=some), lambda c: c.scored["merchant"] == some),
        (QueueFilter(risk_min=30), lambda c: c.scored["risk"] >= 30),
        (QueueFilter(usd_min=19.99), lambda c: c.cents >= 1999),
        (QueueFilter(created_max=middle), lambda c: c.scored["created"] <= middle),
        (QueueFilter(created_min=middle), lambda c: c.scored["created"] >= middle),
        (
            QueueFilter(free_for="ann", now=middle),
            lambda c: not c.claim or c.claim["by"] == "ann" or c.claim["until"] <= middle,
        ),
    ]
    assert sum(charge.is_waiting for charge in case.charges.values()) > 30
    for wanted, matches in filters:
        chosen = [(k, c) for k, c in case.charges.items() if c.is_waiting and matches(c)]
        expected = sorted(chosen, key=lambda each: (ORDER[sort](each[1]), *_by_bytes(each[0])))

        def page(after: str | None, wanted: QueueFilter = wanted) -> Any:
            return queue_page(case.connection, wanted, sort, after, limit=7)

        lines = all_pages(page, "lines")
        assert keys(lines) == [key for key, _ in expected], wanted
        for line, (_, charge) in zip(lines, expected, strict=True):
            assert_like(line, charge)
        assert count_queue(case.connection, wanted) == len(expected)


def _by_bytes(key: Key) -> tuple[bytes, ...]:
    return tuple(part.encode() for part in key)


@pytest.mark.parametrize(
    "cursor", ["", "nonsense", "WzFd", "é", "W251bGwsIngiLCJ5Il0", "eyJhIjoxfQ"]
)
def test_a_cursor_of_nothing(case: Case, cursor: str) -> None:
    with pytest.raises(CursorError):
        queue_page(case.connection, QueueFilter(), "oldest", cursor)


@pytest.mark.parametrize("kind", ["card", "merchant", "device", "ip", "email"])
def test_charges_that_share_something(case: Case, kind: Any) -> None:
    shared: dict[str, list[tuple[Key, Charge]]] = {}
    for key, charge in case.charges.items():
        value = charge.scored.get(kind) or charge.details.get(kind)
        if value:
            shared.setdefault(value, []).append((key, charge))
    assert len(shared) > 5
    for value, found in shared.items():
        newest = sorted(
            found, key=lambda e: (e[1].scored["created"], *_by_bytes(e[0])), reverse=True
        )

        def page(after: str | None, value: str = value) -> Any:
            return history_page(case.connection, kind, value, after, limit=5)

        assert keys(all_pages(page, "lines")) == [key for key, _ in newest]
        around = newest[len(newest) // 2][1].scored["created"]
        times = sorted(charge.scored["created"] for _, charge in found)
        near = [t for t in times if t <= around][-3:] + [t for t in times if t > around][:3]
        lines = neighbours(case.connection, kind, value, around, each_side=3)
        assert [line.created for line in lines] == near
        sums = totals(case.connection, kind, value)
        assert sums is not None
        of = [charge for _, charge in found]
        assert sums.charges == len(of)
        assert sums.is_all
        assert sums.usd == sum(charge.cents for charge in of) / 100
        assert sums.by_given == Counter(charge.given for charge in of)
        assert (sums.disputed, sums.found, sums.cleared) == (
            sum(c.is_disputed for c in of), sum(c.is_found for c in of),
            sum(c.verdict == "genuine" for c in of),
        )  # fmt: skip
        assert (sums.first, sums.last) == (times[0], times[-1])
    assert totals(case.connection, kind, "of nobody") is None


def test_search_by_the_beginning_of_ids(case: Case) -> None:
    ids = sorted(case.charges, key=_by_bytes)
    for prefix in (*IDS, "ch_0", "c", "CH_000", "%", "_", "'; DROP TABLE charges; --", "\\"):
        found = search(case.connection, prefix, limit=1000)
        assert keys(found.charges) == [key for key in ids if key[0].startswith(prefix)]
        for name in ("card", "merchant"):
            values = {c.scored[name] for c in case.charges.values()}
            begun = sorted((v for v in values if v.startswith(prefix)), key=str.encode)
            assert list(getattr(found, f"{name}s")) == begun
            assert list(getattr(search(case.connection, prefix, 3), f"{name}s")) == begun[:3]
    assert search(case.connection, " ").charges == ()


def test_rejected_inputs(case: Case) -> None:
    messages = {(m.made_partition, m.made_offset): m for m in case.made.of("charges.rejected")}
    inputs = all_pages(lambda after: rejected_page(case.connection, None, after, 7), "inputs")
    assert {(each.partition, each.place) for each in inputs} == messages.keys()
    assert [each.created for each in inputs] == sorted((e.created for e in inputs), reverse=True)
    counts: Counter[str] = Counter()
    for each in inputs:
        message = messages[each.partition, each.place]
        value = message.made_value or b""
        assert each.payload == value[: 16 * 1024]
        assert each.is_whole == (len(value) <= 16 * 1024)
        assert (each.key, each.topic) == (message.made_key, "charges")
        assert (each.source_partition, each.source_offset) == (1, 7)
        assert each.error.startswith(f"{each.reason}, got ")
        assert rejected_input(case.connection, each.partition, each.place) == each
        counts[each.reason] += 1
    assert {each.reason: each.count for each in count_by_reason(case.connection)} == counts
    for reason in counts:

        def page(after: str | None, reason: str = reason) -> Any:
            return rejected_page(case.connection, reason, after, 7)

        of_it = all_pages(page, "inputs")
        assert of_it == [each for each in inputs if each.reason == reason]
    assert counts.keys() == {
        f"{name}: expected something else" for name in ("card", "amount", "created")
    }
    assert rejected_input(case.connection, 0, 10**6) is None


def test_events_are_json_of_the_same_fields(case: Case) -> None:
    """What is unknown in an outcome, as who it is by, is carried along."""
    views = [charge_view(case.connection, *key) for key in case.charges]
    outcomes = [outcome for view in views if view for outcome in view.outcomes]
    assert outcomes
    assert all(outcome["by"] == "ann" for outcome in outcomes)
    assert orjson.dumps(outcomes)
