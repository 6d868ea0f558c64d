"""Lists say of any value at any time what a dict of entries says, whatever was changed before."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.policy import periods
from agents.policy.lists import NamedList, NamedLists
from schemas.addresses import address_of
from schemas.lists import ListEntry, Removed
from streams.events.rows import hash_of
from tests.agents.policy.naive_lists import NaiveLists

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.rules.columns import Kind

LISTS = ("a", "b", "c")
VALUES = (
    *(f"tok_{n}" for n in range(20)),
    *("7", "7.0", "07", "7e0", "-.5", "-0.5", "0", "-0", "1e999", "7a", "+7", " 7"),
    *("de", "DE", "De", "usd", "USD", "other", "OTHER", "Card", "credit", "Tok_1", "ä"),
    *("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "::ffff:10.1.0.0/112", "192.0.2.0/31"),
    *("2001:db8::/32", "2001:db8:1::/48", "2001:db8::/64", "2001:db8::1", "::/0", "10.1.2.3/32"),
)
TEXTS = (*VALUES, "absent", "TOK_1", "tok_20")
NUMBERS = (7.0, -0.5, 0.0, -0.0, 8.0, 1e300, -1e300)
CASED = ("DE", "US", "OTHER", "SS")
IPS = (
    *("10.1.2.3", "10.1.2.4", "10.2.0.0", "11.0.0.0", "9.255.255.255", "::ffff:10.1.2.3"),
    *(
        "192.0.2.1",
        "192.0.2.2",
        "2001:db8::1",
        "2001:db8:1::2",
        "2001:db9::",
        "::1",
        "tok_1",
        "1.1",
    ),
)
TIMES = (*map(float, range(13)), 0.5, 5.5, 11.5)


def random_entry(random: Random) -> ListEntry:
    times = sorted(random.sample(range(1, 12), random.choice((1, 2, 2, 4, 6))))
    pairs = [(float(times[n]), float(times[n + 1])) for n in range(0, len(times) - 1, 2)]
    if len(times) % 2:
        pairs.append((float(times[-1]), float(times[-1] + 1)))
    start, until = pairs[-1]
    return ListEntry(
        list=random.choice(LISTS),
        value=random.choice(VALUES),
        start=0.0 if len(pairs) == 1 and random.random() < 0.3 else start,
        until=None if random.random() < 0.3 else until,
        at=0.0,
        version=1,
        earlier=tuple(pairs[:-1]),
    )


def random_changes(random: Random, count: int) -> list[ListEntry | Removed]:
    changes: list[ListEntry | Removed] = []
    for _ in range(count):
        entry = random_entry(random)
        is_removed = random.random() < 0.3
        changes.append(Removed(entry.list, entry.value) if is_removed else entry)
    return changes


def answers(lists: NamedLists) -> list[bool]:
    """Return what all lists say of all values at all times."""
    found = []
    for name in LISTS:
        of_list = lists.get(name, NamedList())
        found += each_time(of_list, hashes(TEXTS), "text")
        found += each_time(of_list, np.array(NUMBERS), "number")
        found += each_time(of_list, hashes(CASED), "one_case")
        texts = each_time(of_list, hashes(IPS), "text")
        addresses = each_time(of_list, np.array([*map(address_of, IPS)], np.uint64), "address")
        found += [one or other for one, other in zip(texts, addresses, strict=True)]
    return found


def hashes(texts: Sequence[str]) -> np.ndarray:
    return np.array([hash_of(text) for text in texts], np.uint64)


def each_time(of_list: NamedList, values: np.ndarray, kind: Kind) -> list[bool]:
    times = np.tile(TIMES, len(values))
    found = of_list.contains(values.repeat(len(TIMES)), times, kind)
    return [bool(each) for each in found]


def expected(lists: NaiveLists) -> list[bool]:
    found = []
    for name in LISTS:
        for values, attribute in (
            (TEXTS, "card"), (NUMBERS, ""), (CASED, "card_country"), (IPS, "ip")
        ):  # fmt: skip
            for value in values:
                found += lists.contains(name, value, TIMES, attribute)
    return found


def check(lists: NamedLists, naive: NaiveLists, seed: int) -> None:
    assert list(lists) == naive.names(), f"seed {seed}"
    assert [lists[name].size for name in lists] == [*map(naive.size, naive.names())], f"seed {seed}"
    found, wanted = answers(lists), expected(naive)
    wrong = [n for n, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1]]
    assert wrong == [], f"seed {seed}"


@pytest.mark.parametrize("seed", range(10))
def test_lists_say_what_a_dict_of_entries_says(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps of many sizes, with tables that are merged never, often, or now and then."""
    random = Random(seed)
    monkeypatch.setattr(periods, "_RECENT_MIN", random.choice((0, 3, 20, 4096)))
    monkeypatch.setattr(periods, "_SORTED_FROM", random.choice((0, 128, 10_000)))
    lists, naive = NamedLists(), NaiveLists()
    for _ in range(6):
        changes = random_changes(random, random.choice((1, 3, 60, 200)))
        lists.take(changes)
        naive.take(changes)
        check(lists, naive, seed)


@pytest.mark.parametrize("seed", range(5))
def test_neither_order_nor_cuts_make_a_difference(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of entries of different values; those of one value stay in theirs."""
    random = Random(seed)
    monkeypatch.setattr(periods, "_RECENT_MIN", 10)
    changes = random_changes(random, 300)
    at_once, one_by_one = NamedLists(), NamedLists()
    at_once.take(changes)
    order = {value: random.random() for value in VALUES}
    for change in sorted(changes, key=lambda change: order[change.value]):
        one_by_one.take([change])
    assert answers(at_once) == answers(one_by_one), f"seed {seed}"
    assert list(at_once) == list(one_by_one)


def test_many_at_once_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.policy.lists._AT_ONCE", 7)
    changes = random_changes(Random(1), 100)
    lists, naive = NamedLists(), NaiveLists()
    lists.take(iter(changes))
    naive.take(changes)
    check(lists, naive, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: ListEntry(list="a", value="7", start=float(n), at=0.0, version=1),
        lambda n: Removed("a", "7") if n % 2 else ListEntry(list="a", value="7", at=0.0, version=1),
    ],
)
def test_an_entry_that_changes_often_stays_one_row(
    change: Callable[[int], ListEntry | Removed],
) -> None:
    lists = NamedLists()
    lists.take([ListEntry(list="a", value="8", at=0.0, version=1)])
    for n in range(200):
        lists.take([change(n)])
    assert all(len(table) <= 2 for table in lists["a"]._periods.values())


def test_a_list_without_entries_is_none() -> None:
    lists = NamedLists()
    assert len(lists) == 0
    lists.take([Removed("a", "tok_1")])
    assert "a" not in lists
    entry = ListEntry(list="a", value="tok_1", until=1.0, at=0.0, version=1)
    lists.take([entry])
    assert "a" in lists  # it was on it
    lists.take([Removed("a", "tok_1")])
    assert dict(lists) == {}


def test_what_is_missing_is_found_nowhere() -> None:
    lists = NamedLists()
    lists.take(
        ListEntry(list="a", value=value, at=0.0, version=1)
        for value in ("0", "nan", "", "0.0.0.0/0", "::/0", "0.0.0.0")
    )
    one = np.ones(1)
    assert not lists["a"].contains(np.zeros(1, np.uint64), one, "text")[0]
    assert not lists["a"].contains(np.zeros(1, np.uint64), one, "address")[0]
    assert not lists["a"].contains(np.full(1, np.nan), one, "number")[0]
