"""Thresholds in rules: numbers compared with a constant, which could be another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from agents.rules.attributes import ATTRIBUTES
from agents.rules.nodes import And, Attribute, Boolean, Comparison, Metadata, Number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from agents.rules.nodes import Condition, Operator

_TURNED: Final[Mapping[Operator, Operator]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_HOLDS: Final[Mapping[Operator, Callable[[Any, float], Any]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison by order of an attribute with a constant, as a part of a condition.

    Attributes
    ----------
    attribute
        What is compared.
    operator
        How, with the attribute on the left.
    constant
        With what.
    rest
        What else has to be true; `true` where there is nothing else.
    """

    attribute: Attribute | Metadata
    operator: Operator
    constant: float
    rest: Condition

    @property
    def is_lower_limit(self) -> bool:
        """Whether larger values are those that match."""
        return self.operator in {">", ">="}

    def holds(self, values: NDArray[np.float64], constant: float) -> NDArray[np.bool_]:
        """Tell which values are beyond a constant, bool[N]; one that is missing, NaN, is not."""
        beyond: NDArray[np.bool_] = _HOLDS[self.operator](values, constant)
        return beyond

    def comparison(self, constant: float) -> Comparison:
        """Return the comparison with a constant."""
        return Comparison(self.operator, self.attribute, Number(constant))


def thresholds_in(condition: Condition) -> Iterator[Threshold]:
    """Find the thresholds at the top of a condition, or within its `and`, in their order.

    Examples
    --------
    >>> from agents.rules.rule_set import parse
    >>> text = "block if 200 < :amount_usd: and not :weekend: and :score: >= 0.5"
    >>> [rule] = parse(text).rules
    >>> for each in thresholds_in(rule.condition):
    ...     print(each.comparison(each.constant), "|", each.rest)
    :amount_usd: > 200 | not :weekend: and :score: >= 0.5
    :score: >= 0.5 | 200 < :amount_usd: and not :weekend:
    """
    parts = list(_joined(condition))
    for place, part in enumerate(parts):
        found = _threshold(part)
        if found:
            attribute, operator, constant = found
            others = (*parts[:place], *parts[place + 1 :])
            yield Threshold(attribute, operator, constant, _all(others))


def _joined(condition: Condition) -> Iterator[Condition]:
    """Return what has to be true for a condition to be."""
    if isinstance(condition, And):
        for operand in condition.operands:
            yield from _joined(operand)
    else:
        yield condition


def _threshold(node: Condition) -> tuple[Attribute | Metadata, Operator, float] | None:
    if not isinstance(node, Comparison) or node.operator not in _TURNED:
        return None
    match node.left, node.right:
        case (Attribute() | Metadata() as attribute, Number(constant)) if _is_number(attribute):
            return attribute, node.operator, constant
        case (Number(constant), Attribute() | Metadata() as attribute) if _is_number(attribute):
            return attribute, _TURNED[node.operator], constant
        case _:
            return None


def _is_number(node: Attribute | Metadata) -> bool:
    return isinstance(node, Metadata) or ATTRIBUTES[node.name].type == "number"


def _all(conditions: tuple[Condition, ...]) -> Condition:
    match conditions:
        case ():
            return Boolean(value=True)
        case (one,):
            return one
        case _:
            return And(conditions)
