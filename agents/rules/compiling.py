"""From conditions to the program that computes them all, each part of them once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from agents.rules.attributes import ANY, OF_ADDRESS
from agents.rules.leaves import AreAlike, Column, IsAmong, IsLike, IsListed, IsMissing, Leaf
from agents.rules.nodes import (
    Among,
    And,
    Arithmetic,
    Attribute,
    Boolean,
    Comparison,
    Like,
    Listed,
    Metadata,
    Missing,
    Negative,
    Not,
    Number,
    Or,
    Text,
)
from agents.rules.program import Constants, Inputs, Level, Pairs, Program, Step
from streams.events.rows import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.rules.attributes import Attributes
    from agents.rules.nodes import Condition, Type, Value
    from agents.rules.program import Indices

_TRUE, _BELOW, _EQUAL, _SAME, _LEAF, _ALL = range(6)
"""Kinds of nodes, in the order in which they are computed."""


class _Term(NamedTuple):
    """A node, the n-th of its kind, or its negation."""

    kind: int
    place: int
    is_negated: bool = False


def compile_conditions(conditions: Sequence[Condition], attributes: Attributes) -> Program:
    """Return the program of conditions that `agents.rules.checking` has found right.

    Parameters
    ----------
    conditions
        In the order in which their masks are wanted.
    attributes
        By which they were checked.
    """
    compiler = _Compiler(attributes)
    return compiler.program([compiler.term(condition) for condition in conditions])


class _Rows:
    """Rows of one matrix, each asked for by what is in it."""

    def __init__(self) -> None:
        self._rows: dict[object, int] = {}
        self._inputs: dict[Type, dict[str, int]] = {}
        self.constants: dict[int, float] = {}
        self.steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._rows)

    def input(self, kind: Type, key: str) -> int:
        """Return the row of an attribute."""
        row, _ = self._of(("input", kind, key))
        self._inputs.setdefault(kind, {})[key] = row
        return row

    def constant(self, value: float) -> int:
        """Return the row of a constant."""
        row, is_new = self._of(("constant", value))
        if is_new:
            self.constants[row] = value
        return row

    def step(self, operator: str, left: int, right: int) -> int:
        """Return the row that is computed of two others."""
        row, is_new = self._of((operator, left, right))
        if is_new:
            self.steps.append(Step(row, operator, left, right))
        return row

    def inputs(self, kind: Type) -> Inputs:
        """Return the attributes of a type, and where they are."""
        rows = self._inputs.get(kind, {})
        return Inputs(_indices(rows.values()), list(rows))

    def constants_as(self, dtype: type[np.generic]) -> Constants[Any]:
        """Return the constants, and where they are."""
        values = np.array(list(self.constants.values()), dtype)
        return Constants(_indices(self.constants), values[:, np.newaxis])

    def _of(self, key: object) -> tuple[int, bool]:
        is_new = key not in self._rows
        return self._rows.setdefault(key, len(self._rows)), is_new


class _Compiler:
    """Gives every part of conditions a place, the same to those that are equal."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._numbers = _Rows()
        self._hashes = _Rows()
        self._nodes: list[dict[Any, int]] = [{} for _ in range(_ALL + 1)]
        self._levels: list[int] = []
        self._node(_TRUE, None)

    def program(self, terms: Sequence[_Term]) -> Program:
        """Return the program that computes some conditions."""
        sizes = np.cumsum([0, *map(len, self._nodes)]).tolist()
        conjunctions: list[tuple[_Term, ...]] = list(self._nodes[_ALL])
        order = sorted(
            range(len(conjunctions)),
            key=lambda place: (self._levels[place], -len(conjunctions[place])),
        )
        ranks = {place: rank for rank, place in enumerate(order)}

        def literals(terms: Iterable[_Term]) -> Indices:
            return _indices(
                sizes[kind]
                + (ranks[place] if kind == _ALL else place)
                + (sizes[-1] if is_negated else 0)
                for kind, place, is_negated in terms
            )

        levels = []
        for level in range(1, max(self._levels, default=0) + 1):
            chosen = [conjunctions[place] for place in order if self._levels[place] == level]
            nth = [[terms[n] for terms in chosen if n < len(terms)] for n in range(len(chosen[0]))]
            opposites = [literals(map(_opposite, terms)) for terms in nth]
            levels.append(Level(list(map(literals, nth)), opposites))
        return Program(
            rows=len(self._numbers),
            numbers=self._numbers.inputs("number"),
            booleans=self._numbers.inputs("boolean"),
            constants=self._numbers.constants_as(np.float64),
            steps=self._numbers.steps,
            text_rows=len(self._hashes),
            texts=self._hashes.inputs("text"),
            text_constants=self._hashes.constants_as(np.uint64),
            below=self._pairs(_BELOW),
            equal=self._pairs(_EQUAL),
            same=self._pairs(_SAME),
            leaves=list(self._nodes[_LEAF]),
            levels=levels,
            matched=literals(terms),
            size=sizes[-1],
        )

    def term(self, node: Condition) -> _Term:
        """Return the place of a condition."""
        match node:
            case And(operands):
                return self._all(map(self.term, operands))
            case Or(operands):
                return _opposite(self._all(_opposite(self.term(each)) for each in operands))
            case Not(operand):
                return _opposite(self.term(operand))
            case Comparison():
                return self._comparison(node)
            case Boolean() | Attribute() | Metadata():
                return self._alone(node)
            case _:
                return self._node(_LEAF, self._leaf(node))

    def _pairs(self, kind: int) -> Pairs:
        pairs = list(self._nodes[kind])
        return Pairs(_indices(one for one, _ in pairs), _indices(other for _, other in pairs))

    def _node(self, kind: int, key: object) -> _Term:
        nodes = self._nodes[kind]
        return _Term(kind, nodes.setdefault(key, len(nodes)))

    def _all(self, terms: Iterable[_Term]) -> _Term:
        """Return the conjunction of some terms, in whatever order and however often."""
        joined = tuple(sorted(set(terms)))
        if len(joined) == 1:
            return joined[0]
        if joined not in self._nodes[_ALL]:
            inner = [self._levels[term.place] for term in joined if term.kind == _ALL]
            self._levels.append(1 + max(inner, default=0))
        return self._node(_ALL, joined)

    def _equal(self, one: int, other: int) -> _Term:
        return self._node(_EQUAL, (min(one, other), max(one, other)))

    def _alone(self, node: Boolean | Attribute | Metadata) -> _Term:
        if isinstance(node, Boolean):
            return _Term(_TRUE, 0, not node.value)
        return self._equal(self._column(node, "boolean").row, self._numbers.constant(1.0))

    def _comparison(self, node: Comparison) -> _Term:
        if node.operator in {"=", "!="}:
            term = self._equality(node.left, node.right)
            return term if node.operator == "=" else _opposite(term)
        left, right = (self._column(side, "number").row for side in (node.left, node.right))
        match node.operator:
            case "<":
                return self._node(_BELOW, (left, right))
            case ">=":
                return _opposite(self._node(_BELOW, (left, right)))
            case ">":
                return self._node(_BELOW, (right, left))
            case _:
                return _opposite(self._node(_BELOW, (right, left)))

    def _equality(self, left: Value, right: Value) -> _Term:
        kind = self._type(left) or self._type(right)
        if kind is None:
            pairs = zip(self._columns(left), self._columns(right), strict=True)
            return self._node(_LEAF, AreAlike(tuple(pairs)))
        one, other = self._column(left, kind).row, self._column(right, kind).row
        if kind != "text":
            return self._equal(one, other)
        return self._node(_SAME, (min(one, other), max(one, other)))

    def _leaf(self, node: Among | Listed | Like | Missing) -> Leaf:
        match node:
            case Among(value, items):
                kind = self._type(items[0])
                assert kind
                constants = {_constant(item) for item in items}
                return IsAmong(self._column(value, kind), tuple(sorted(constants)))
            case Listed(value, name):
                return self._listed(value, name)
            case Like(value, pattern):
                assert isinstance(value, (Attribute, Metadata))
                return IsLike(value.key, pattern)
            case Missing(value):
                of_type = self._type(value)
                return IsMissing(
                    (self._column(value, of_type),) if of_type else self._columns(value)
                )

    def _listed(self, value: Value, name: str) -> IsListed:
        """Return what looks a value up, one of any type as a number and as a text."""
        of_type = self._type(value)
        kinds: tuple[Type, ...] = (of_type,) if of_type else ("number", "text")
        columns = tuple(self._column(value, kind) for kind in kinds)
        if not isinstance(value, Attribute):
            return IsListed(columns, name)
        has_one_case = self._attributes[value.name].texts != ANY
        return IsListed(columns, name, has_one_case, has_address=value.name == OF_ADDRESS)

    def _type(self, node: Value) -> Type | None:
        """Return the type of a value, `None` for one of any."""
        match node:
            case Attribute(name):
                return self._attributes[name].type
            case Metadata():
                return None
            case Number() | Text() | Boolean():
                return node.type
            case Negative() | Arithmetic():
                return "number"

    def _columns(self, node: Value) -> tuple[Column, ...]:
        """Return the columns of a value of any type, one for each."""
        return tuple(self._column(node, kind) for kind in ("number", "boolean", "text"))

    def _column(self, node: Value, kind: Type) -> Column:
        """Return where a value is, taken as of a type."""
        is_text = kind == "text"
        rows = self._hashes if is_text else self._numbers
        match node:
            case Attribute() | Metadata():
                return Column(rows.input(kind, node.key), is_text)
            case Number() | Boolean() | Text():
                return Column(rows.constant(_constant(node)), is_text)
            case Negative(operand):
                # Not taken from 0: that would make another zero of one.
                of = self._column(operand, "number").row
                return Column(rows.step("*", of, rows.constant(-1.0)), is_text)
            case Arithmetic(operator, left, right):
                of_left, of_right = (self._column(n, "number").row for n in (left, right))
                return Column(rows.step(operator, of_left, of_right), is_text)


def _constant(node: Number | Boolean | Text) -> float:
    """Return what stands for a constant in its row."""
    return hash_of(node.value) if isinstance(node, Text) else float(node.value)


def _opposite(term: _Term) -> _Term:
    return term._replace(is_negated=not term.is_negated)


def _indices(numbers: Iterable[int]) -> Indices:
    return np.array(list(numbers), np.intp)
