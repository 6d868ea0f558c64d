"""What a condition means, said again: one charge at a time, on plain values."""

from __future__ import annotations

import math
import operator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from agents.rules import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = dict[str, Any]
Truth = bool | None
Stays = dict[str, list[tuple[float, float]]]
"""When each entry is on a list: from a time on, and up to another."""

IN_ONE_CASE = {
    "currency", "merchant_country", "card_country", "ip_country", "funding", "channel",
    "payment_method", "cvc_check", "postal_check",
}  # fmt: skip
"""Attributes whose texts are found on a list in whatever case they are there."""

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Naive:
    """Evaluates conditions of a row; `None` is neither true nor false, and what is missing."""

    def __init__(self, row: Row, lists: Mapping[str, Stays]) -> None:
        self.row = row
        self.lists = lists
        self.ways: dict[type, Callable[[Any], Truth]] = {
            nodes.And: lambda n: all_of([self.truth(each) for each in n.operands]),
            nodes.Or: lambda n: any_of([self.truth(each) for each in n.operands]),
            nodes.Not: lambda n: opposite(self.truth(n.operand)),
            nodes.Comparison: lambda n: compared(
                n.operator, self.value(n.left), self.value(n.right)
            ),
            nodes.Among: lambda n: is_among(self.value(n.value), [item.value for item in n.items]),
            nodes.Listed: lambda n: self.is_listed(n.value, self.lists.get(n.name, {})),
            nodes.Like: lambda n: is_like(self.value(n.value), n.pattern),
            nodes.Missing: lambda n: self.value(n.value) is None,
        }

    def truth(self, node: Any) -> Truth:
        return self.ways.get(type(node), self.alone)(node)

    def alone(self, node: Any) -> Truth:
        value = self.value(node)
        return value if isinstance(value, bool) else None

    def is_listed(self, node: Any, stays: Stays) -> Truth:
        value, name = self.value(node), node.name if isinstance(node, nodes.Attribute) else ""
        if kind(value) not in {"number", "text"}:
            return None
        return any(
            stands_for(entry, value, name) and start <= self.row["created"] < stop
            for entry, times in stays.items()
            for start, stop in times
        )

    def value(self, node: Any) -> Any:
        match node:
            case nodes.Attribute(name):
                return known(self.row[name])
            case nodes.Metadata(name):
                return known(self.row.get(f"::{name}::"))
            case nodes.Negative(operand):
                number = self.number(operand)
                return None if number is None else -number
            case nodes.Arithmetic(sign, left, right):
                one, other = self.number(left), self.number(right)
                return None if one is None or other is None else computed(sign, one, other)
            case _:
                return node.value

    def number(self, node: Any) -> float | None:
        value = self.value(node)
        return value if kind(value) == "number" else None


def all_of(truths: list[Truth]) -> Truth:
    if False in truths:
        return False
    return None if None in truths else True


def any_of(truths: list[Truth]) -> Truth:
    if True in truths:
        return True
    return None if None in truths else False


def opposite(truth: Truth) -> Truth:
    return None if truth is None else not truth


def is_among(value: Any, items: list[Any]) -> Truth:
    if value is None or kind(value) != kind(items[0]):
        return None
    return any(value == item for item in items)


def stands_for(entry: str, value: Any, name: str) -> bool:
    """Whether an entry of a list is the value of an attribute; of none if the name is empty."""
    if kind(value) == "number":
        return bool(number_of(entry) == value)
    if name in IN_ONE_CASE:
        return bool(entry.lower() == value.lower())
    return entry == value or (name == "ip" and is_in_range(entry, value))


def number_of(entry: str) -> float | None:
    if not set(entry) <= set("0123456789.eE+-") or entry.startswith("+"):
        return None
    try:
        return float(entry)
    except ValueError:
        return None


def is_in_range(entry: str, text: str) -> bool:
    try:
        network, address = ip_network(entry), ip_address(text)
    except ValueError:
        return False
    first, last, asked = map(unmapped, (network[0], network[-1], address))
    if first.version == 6 and (network.prefixlen > 64 or asked in ip_network("::/32")):
        return False
    return first.version == asked.version and int(first) <= int(asked) <= int(last)


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "missing"


def known(value: Any) -> Any:
    return None if value == "" or kind(value) == "missing" else value


def compared(sign: str, left: Any, right: Any) -> Truth:
    if left is None or right is None or kind(left) != kind(right):
        return None
    if sign in ORDERS:
        return ORDERS[sign](left, right) if kind(left) == "number" else None
    is_same: bool = left == right
    return is_same == (sign == "=")


def computed(sign: str, left: float, right: float) -> float | None:
    if sign == "/":
        result = left / right if right else math.nan
    else:
        result = {"+": left + right, "-": left - right, "*": left * right}[sign]
    return None if math.isnan(result) else result


def is_like(text: Any, pattern: str) -> Truth:
    """Whether a text has a pattern, by the places of the pattern that its characters may reach."""
    if not isinstance(text, str):
        return None
    characters = iter(pattern)
    items = [c if c != "\\" else "\\" + next(characters) for c in characters]
    reached = {0}
    for character in [*text, None]:
        for place in sorted(reached):
            while place < len(items) and items[place] == "%":
                place += 1  # noqa: PLW2901 - any text may be none
                reached.add(place)
        if character is None:
            break
        after = set()
        for place in reached:
            item = items[place] if place < len(items) else ""
            if item == "%":
                after.add(place)
            elif item == "_" or item[-1:] == character:
                after.add(place + 1)
        reached = after
    return len(items) in reached
