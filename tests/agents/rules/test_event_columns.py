"""Every attribute can be asked for, as its type says, and only what rules name is."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents.rules.attributes import ATTRIBUTES
from agents.rules.event_columns import EventColumns
from agents.rules.rule_set import parse
from schemas.charge import Charge
from streams.events.rows import hash_of
from tests.agents.rules.naive import known
from tests.agents.rules.random_rules import RandomRules
from tests.streams.features.kernels import Kernels, event_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CHARGES = RandomRules(Random("columns")).charges(40)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_attribute_is_that_of_the_charge(name: str) -> None:
    columns, rows = CHARGES
    expected = [known(row[name]) for row in rows]
    attribute = ATTRIBUTES[name]
    if attribute.type == "text":
        assert columns.hashes([name])[0].tolist() == [hash_of(text) for text in expected]
        if attribute.has_text:
            assert columns.texts(name) == expected
    else:
        ask = columns.numbers if attribute.type == "number" else columns.booleans
        assert ask([name]).dtype == np.float64
        np.testing.assert_array_equal(ask([name]), np.array([expected], np.float64))
    if attribute.has_text:
        assert [columns.row(place, [name])[name] for place in range(40)] == expected


def test_what_is_derived_is_known_from_the_first_charge_on() -> None:
    """A card and a merchant that are new, and again a minute and a half later, with another."""
    made = [("card_1", "shop_1", 0.0), ("card_1", "shop_1", 90.0), ("card_1", "shop_2", 180.0)]
    charges = [
        Charge(f"charge_{n}", 1.7e9 + created, 100, "usd", card, merchant)
        for n, (card, merchant, created) in enumerate(made)
    ]
    vectors = Kernels().count(charges, [None] * len(charges)).vectors
    columns = EventColumns(
        event_rows(charges), vectors, np.zeros(3), np.zeros(3, np.uint8), [b"{"] * 3
    )
    names = ["card_minutes_since_first_seen", "merchant_minutes_since_first_seen"]
    assert columns.numbers(names).tolist() == [[0.0, 1.5, 3.0], [0.0, 1.5, 0.0]]
    assert columns.booleans(["card_new_to_merchant"]).tolist() == [[1.0, 0.0, 1.0]]
    matched = parse("review if :card_minutes_since_first_seen: < 2 and :card_new_to_merchant:")
    assert matched.match(columns).tolist() == [[True, False, False]]


def test_metadata_of_another_type_is_missing() -> None:
    columns, rows = RandomRules(Random("metadata")).charges(200)
    found = [row.get("::shop::") for row in rows]
    [numbers] = columns.numbers(["::shop::"])
    [booleans] = columns.booleans(["::shop::"])
    texts = columns.texts("::shop::")
    assert {type(value) for value in found} == {str, int, float, bool, list, dict, type(None)}
    for value, number, boolean, text in zip(found, numbers, booleans, texts, strict=True):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert number == value if is_number else np.isnan(number)
        assert boolean == value if isinstance(value, bool) else np.isnan(boolean)
        assert text == (value if isinstance(value, str) and value else None)


class Asked:
    """Columns that tell what they were asked for."""

    def __init__(self, columns: EventColumns) -> None:
        self._columns = columns
        self.times = columns.times
        self.asked: list[str] = []

    def __len__(self) -> int:
        return len(self._columns)

    def numbers(self, keys: Sequence[str]) -> NDArray[np.float64]:
        self.asked += [f"number {key}" for key in keys]
        return self._columns.numbers(keys)

    def booleans(self, keys: Sequence[str]) -> NDArray[np.float64]:
        self.asked += [f"boolean {key}" for key in keys]
        return self._columns.booleans(keys)

    def hashes(self, keys: Sequence[str]) -> NDArray[np.uint64]:
        self.asked += [f"hash {key}" for key in keys]
        return self._columns.hashes(keys)

    @property
    def addresses(self) -> NDArray[np.uint64]:
        self.asked.append("addresses")
        return self._columns.addresses

    def texts(self, key: str) -> Sequence[str | None]:
        self.asked.append(f"text {key}")
        return self._columns.texts(key)


def test_what_several_rules_name_is_asked_for_once() -> None:
    columns = Asked(RandomRules(Random("asked")).charges(5)[0])
    rules = parse(
        "block if :amount_usd: > 200 and :card_country: != :ip_country:\n"
        "review if :amount_usd: > 100 and :id: like 'a%' and not :amount_usd: > 200\n"
        "challenge if :card_country: in ('US', 'DE') or ::seats:: > :amount_usd: / 2\n"
        "allow if :three_d_secure: or :id: like 'a%'"
    )
    rules.match(columns)
    assert sorted(columns.asked) == [
        "boolean three_d_secure",
        "hash card_country",
        "hash ip_country",
        "number ::seats::",
        "number amount_usd",
        "text id",
    ]
    assert len(rules.program.below.left) == 3  # :amount_usd: > 200 is there once
    assert len(rules.program.leaves) == 2
