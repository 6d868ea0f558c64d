"""Every feature is written by its name, so the order of the table can change no value.

Kernels write a row by constants alone, which is read from their sources. These follow the names in
a table of any order, or end the import, which is seen by swapping every feature with some others.
The values of the table as it is are those of brute force, by name.
"""

from __future__ import annotations

import ast
import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from streams.features import card as card_features
from streams.features import card_habits, card_places, charge_categories
from streams.features import charge as charge_features
from streams.features import merchant as merchant_features
from streams.features import merchant_fraud_history as merchant_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from streams.features.spec import Feature

    Table = tuple[Feature, ...]

SEED = 31
SWAPS = 3
"""How many others each feature is swapped with."""

HELPERS = {"column", "first_column"}

TABLES = {
    "CHARGE_FEATURES": charge_features,
    "CATEGORY_FEATURES": charge_categories,
    "CARD_FEATURES": card_features,
    "PLACE_FEATURES": card_places,
    "HABIT_FEATURES": card_habits,
    "MERCHANT_FEATURES": merchant_features,
    "LABEL_FEATURES": merchant_labels,
}
"""The module that writes the features of each table."""

every_table = pytest.mark.parametrize("table", TABLES)


class Column(NamedTuple):
    """A constant: one feature, or the first of some that have a fixed order."""

    constant: str
    is_first: bool


def source_of(module: ModuleType) -> ast.Module:
    assert module.__file__
    return ast.parse(Path(module.__file__).read_text(), module.__file__)


def columns_of(module: ModuleType) -> list[Column]:
    """The constants of a module that are taken from a table by name."""
    found = []
    for node in source_of(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            [target], called = node.targets, node.value.func
            if isinstance(called, ast.Name) and called.id in HELPERS:
                assert isinstance(target, ast.Name)
                found.append(Column(target.id, called.id == "first_column"))
    return found


def places_in_rows(module: ModuleType) -> Iterator[ast.expr]:
    """What the rows of a module are indexed with, and the bounds where it is a slice."""
    for node in ast.walk(source_of(module)):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "row":
            if isinstance(node.slice, ast.Slice):
                assert node.slice.lower, "from the first column, whichever that is"
                yield node.slice.lower
            else:
                yield node.slice


@every_table
def test_kernels_write_rows_by_constants_only(table: str) -> None:
    module = TABLES[table]
    columns = {column.constant: column for column in columns_of(module)}
    used = set()
    for place in places_in_rows(module):
        base = place
        if isinstance(place, ast.BinOp):  # one of those that have a fixed order
            assert isinstance(place.op, ast.Add)
            assert isinstance(place.right, ast.Name), ast.unparse(place)
            base = place.left
        assert isinstance(base, ast.Name), ast.unparse(place)
        assert base.id in columns, ast.unparse(place)
        assert columns[base.id].is_first or base is place, ast.unparse(place)
        used.add(base.id)
    assert used == columns.keys()


@every_table
def test_constants_are_plain_numbers(table: str) -> None:
    """Which numba compiles in."""
    columns = columns_of(TABLES[table])
    assert columns
    assert {type(vars(TABLES[table])[column.constant]) for column in columns} == {int}


def with_table(name: str, change: Callable[[Table], Table]) -> dict[str, Any]:
    """Run the module of a table as if the table had been written otherwise; return its names."""
    source = source_of(TABLES[name])
    [assigned] = [
        node
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    assigned.value = ast.Call(ast.Name("change", ast.Load()), [assigned.value], [])
    names = {"__name__": TABLES[name].__name__, "change": change}
    exec(compile(ast.fix_missing_locations(source), str(TABLES[name].__file__), "exec"), names)
    return names


def swapped(table: Table, one: int, other: int) -> Table:
    features = list(table)
    features[one], features[other] = features[other], features[one]
    return tuple(features)


def without(table: Table, place: int) -> Table:
    return (*table[:place], *table[place + 1 :])


@every_table
def test_constants_follow_the_names_in_any_order(table: str) -> None:
    module, rng, refused = TABLES[table], random.Random(SEED), 0
    before: Table = vars(module)[table]
    names = {c.constant: before[vars(module)[c.constant]].name for c in columns_of(module)}
    for one in range(len(before)):
        for other in rng.sample(range(len(before)), SWAPS):
            try:
                after = with_table(table, partial(swapped, one=one, other=other))
            except ValueError as error:
                assert "do not follow each other" in str(error)  # noqa: PT017 # or no error at all
                refused += 1
                continue
            assert {name: after[table][after[name]].name for name in names} == names
    assert refused < SWAPS * len(before)


@every_table
def test_every_feature_has_its_constant(table: str) -> None:
    """Swapped with any other, a feature takes a constant with it, or the import ends."""
    module = TABLES[table]
    before: Table = vars(module)[table]
    own = {before[vars(module)[c.constant]].name for c in columns_of(module)}
    for place, feature in enumerate(before):
        if feature.name not in own:
            with pytest.raises(ValueError, match=f"{feature.name}.* do not follow each other"):
                with_table(table, partial(swapped, one=place, other=place - 1))


@every_table
def test_a_feature_without_its_name_ends_the_import(table: str) -> None:
    for column in columns_of(TABLES[table]):
        place = vars(TABLES[table])[column.constant]
        with pytest.raises(ValueError, match=r"^0 features are named |do not follow each other"):
            with_table(table, partial(without, place=place))
