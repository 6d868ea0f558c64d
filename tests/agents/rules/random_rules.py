"""Random rules that are right, and charges that they may match, missing values among them."""

from __future__ import annotations

import json
from math import inf
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from agents.policy.lists import NamedLists
from agents.rules import nodes
from agents.rules.event_columns import EventColumns
from agents.rules.figures import Figures
from agents.rules.rule import ACTIONS, Rule
from schemas.currency import bundled_rates
from schemas.lists import ListEntry
from streams.events.decoding import decode_charges
from streams.events.origin import Origin
from streams.events.rejected import Input
from streams.features.entities import FEATURE_NAMES, FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

    from tests.agents.rules.naive import Row, Stays

NOW = 1_700_000_000.0
COUNTRIES = ("DE", "US", "AT", "OTHER")
TOKENS = (
    "tok_1",
    "tok_2",
    "T",
    "gift card",
    "50% off",
    "a_b",
    'say "a"',
    "c:\\d",
    "ä€𝄞",
    "\u202e\n",
)
IPS = (
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "11.0.0.1",
    "2001:db8::1",
    "2001:db8:0::1",
    "2001:db9::1",
    "::1",
)
TEXTS: dict[str, tuple[str, ...]] = {
    "id": TOKENS,
    "card": TOKENS,
    "merchant": TOKENS,
    "currency": ("usd", "eur", "jpy"),
    "merchant_country": COUNTRIES,
    "card_country": COUNTRIES,
    "ip_country": COUNTRIES,
    "funding": ("credit", "debit", "prepaid"),
    "channel": ("online", "in_person", "recurring"),
    "payment_method": ("card", "other"),
    "device": TOKENS,
    "ip": (*TOKENS, *IPS, *IPS),
    "email": TOKENS,
    "cvc_check": ("pass", "fail", "unchecked"),
    "postal_check": ("pass", "fail", "unchecked"),
}
WITHOUT_TEXT = ("device", "ip", "email")
REQUIRED = ("id", "card", "merchant", "currency")
FLAGS = (
    *(feature.name for feature in FEATURES if feature.unit == "flag"),
    "card_new_to_merchant",
)
NUMBERS = (
    *("created", "amount", "amount_usd", "amount_eur", "mcc", "score", "risk"),
    *("fraud_rate_to_100_eur", "fraud_rate_to_250_eur", "fraud_rate_to_500_eur"),
    *("card_minutes_since_first_seen", "merchant_minutes_since_first_seen"),
    *(each.name for each in FEATURES if each.unit != "flag" and each.name != "amount"),
)
FRAUD_RATES = {100: 0.5, 250: 0.0, 500: None}
FIGURES = Figures(1.25, (0.5, 0.0, float("nan")))
METADATA = ("shop", "seats", "order-id", "v.1", "absent")
ANYTHING = (
    *TOKENS,
    "usd",
    "DE",
    "7",
    "10.1.2.3",
    7,
    "",
    0,
    1,
    2,
    -1,
    0.5,
    1e300,
    2**70,
    True,
    False,
    None,
    [1],
    {"a": 1},
)
ENTRIES: dict[str, tuple[str, ...]] = {
    "tokens": (*TOKENS[:5], "DE", "usd", "card"),
    "numbers": ("0", "1", "1.0", "2", "-1", ".5", "0.50", "1999", "1e300", "1e999", "7", "a7"),
    "cases": ("de", "DE", "Us", "other", "USD", "eur", "Card", "CREDIT", "in_Person", "pass", "t"),
    "ranges": (
        *("10.0.0.0/8", "10.1.0.0/16", "11.0.0.1", "2001:db8::/32", "2001:db8::1", "::/0"),
        *("0.0.0.0/0", "::ffff:11.0.0.0/104", "tok_1"),
    ),
}
LISTS = (*ENTRIES, "absent")
OPERATORS: tuple[nodes.Operator, ...] = ("=", "!=", "<", "<=", ">", ">=")


class RandomRules:
    """Makes rules and charges; the same seed makes the same."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def rule(self) -> Rule:
        action = cast("Any", self.random.choice(ACTIONS))
        return Rule(action, self.condition(self.random.randint(0, 3)), self.random.random() < 0.2)

    def condition(self, depth: int) -> nodes.Condition:
        if depth == 0 or self.random.random() < 0.2:
            simple: list[Callable[[], nodes.Condition]] = [
                self.comparison, self.comparison, self.among, self.listed, self.like,
                self.missing, self.alone,
            ]  # fmt: skip
            return self.random.choice(simple)()
        count = self.random.randint(1, 3)
        operands = tuple(self.condition(depth - 1) for _ in range(count))
        if count == 1:
            return nodes.Not(operands[0])
        return nodes.And(operands) if self.random.random() < 0.5 else nodes.Or(operands)

    def comparison(self) -> nodes.Comparison:
        kind = self.random.choice(("number", "number", "text", "boolean", "any"))
        signs = OPERATORS if kind in {"number", "any"} else OPERATORS[:2]
        sign, (left, right) = self.random.choice(signs), (self.value(kind), self.value(kind))
        if isinstance(left, nodes.Text) or isinstance(right, nodes.Text):
            return nodes.Comparison(self.random.choice(OPERATORS[:2]), *self.fitting(left, right))
        return nodes.Comparison(sign, left, right)

    def fitting(self, left: nodes.Value, right: nodes.Value) -> tuple[nodes.Value, nodes.Value]:
        """Return two values; a constant becomes one that the attribute beside it can be."""
        if isinstance(left, nodes.Attribute) and isinstance(right, nodes.Text):
            right = nodes.Text(self.random.choice(TEXTS[left.name]))
        if isinstance(right, nodes.Attribute) and isinstance(left, nodes.Text):
            left = nodes.Text(self.random.choice(TEXTS[right.name]))
        return left, right

    def among(self) -> nodes.Among:
        kind = self.random.choice(("number", "text", "boolean"))
        value = self.value(kind)
        count = self.random.randint(1, 4)
        items = [self.constant(kind) for _ in range(count)]
        if isinstance(value, nodes.Attribute) and kind == "text":
            items = [nodes.Text(self.random.choice(TEXTS[value.name])) for _ in range(count)]
        return nodes.Among(value, tuple(items))

    def listed(self) -> nodes.Listed:
        value = self.value(self.random.choice(("number", "text", "text", "any")))
        if self.random.random() < 0.2:
            value = nodes.Attribute("ip")
        return nodes.Listed(value, self.random.choice(LISTS))

    def like(self) -> nodes.Like:
        names = [name for name in TEXTS if name not in WITHOUT_TEXT]
        if self.random.random() < 0.3:
            value: Any = self.metadata()
        else:
            value = nodes.Attribute(self.random.choice(names))
        return nodes.Like(value, self.pattern(value))

    def pattern(self, value: nodes.Attribute | nodes.Metadata) -> str:
        """Return a text that the attribute may have, parts of which have become wild."""
        known = TEXTS[value.name] if isinstance(value, nodes.Attribute) else TOKENS
        parts = []
        for character in self.random.choice(known):
            chance = self.random.random()
            plain = "\\" + character if character in "%_\\" else character
            parts.append("%" if chance < 0.2 else "_" if chance < 0.3 else plain)
            if chance > 0.95:
                parts.append("%")
        return "".join(parts)

    def missing(self) -> nodes.Missing:
        return nodes.Missing(self.value(self.random.choice(("number", "text", "boolean", "any"))))

    def alone(self) -> nodes.Attribute | nodes.Metadata | nodes.Boolean:
        if self.random.random() < 0.1:
            return nodes.Boolean(self.random.random() < 0.5)
        return self.random.choice((self.metadata(), self.boolean()))

    def value(self, kind: str) -> nodes.Value:
        if kind == "any" or self.random.random() < 0.15:
            return self.metadata()
        if kind == "number":
            return self.number(self.random.choice((0, 0, 1, 2)))
        if self.random.random() < 0.3:
            return self.constant(kind)
        return self.boolean() if kind == "boolean" else nodes.Attribute(self.of(TEXTS))

    def number(self, depth: int) -> nodes.Value:
        chance = self.random.random()
        if depth == 0:
            known = nodes.Attribute(self.of(NUMBERS))
            return known if chance < 0.6 else self.constant("number")
        if chance < 0.2:
            operand = self.number(depth - 1)
            return operand if isinstance(operand, nodes.Number) else nodes.Negative(operand)
        sign = cast("nodes.Sign", self.random.choice("+-*/"))
        return nodes.Arithmetic(sign, self.number(depth - 1), self.number(depth - 1))

    def constant(self, kind: str) -> nodes.Constant:
        if kind == "text":
            return nodes.Text(self.random.choice(TOKENS))
        if kind == "boolean":
            return nodes.Boolean(self.random.random() < 0.5)
        pool = (0, 1, 2, -1, 0.5, 3, 7995, 1999, 19.99, 1e300, -1e300, 1e-300, NOW)
        return nodes.Number(float(self.random.choice(pool)))

    def boolean(self) -> nodes.Attribute:
        return nodes.Attribute(self.of((*FLAGS, *["three_d_secure"] * 20)))

    def metadata(self) -> nodes.Metadata:
        return nodes.Metadata(self.random.choice(METADATA))

    def of(self, names: Iterable[str]) -> str:
        return self.random.choice(list(names))

    def payload(self) -> tuple[dict[str, Any], Row]:
        """Return a charge as it comes in, and what rules are to know of it."""
        charge: dict[str, Any] = {}
        row: Row = {}
        for name, texts in TEXTS.items():
            is_there = name in REQUIRED or self.random.random() < 0.7
            text = self.random.choice(texts) if is_there else None
            row[name] = text
            written = "sepa_debit" if name == "payment_method" and text == "other" else text
            written = "T1" if written == "OTHER" else written
            if is_there or self.random.random() < 0.5:
                charge[name] = written
        for name in METADATA[:-1]:
            if self.random.random() < 0.8:
                charge[name] = self.random.choice(ANYTHING)
                row[f"::{name}::"] = charge[name]
        charge["created"] = row["created"] = NOW + self.random.choice((0, 1, 2, 0.5))
        charge["amount"] = self.random.choice((0, 1, 1999, 2**53 - 1))
        row["amount"] = float(charge["amount"])
        row["amount_usd"] = bundled_rates().usd(charge["amount"], charge["currency"])
        row["amount_eur"] = float(np.round(row["amount_usd"] / FIGURES.usd_per_eur, 2))
        row |= {f"fraud_rate_to_{band}_eur": rate for band, rate in FRAUD_RATES.items()}
        row["mcc"] = charge["mcc"] = self.random.choice((None, 0, 1, 7995))
        secure = charge["three_d_secure"] = self.random.choice((None, True, False))
        row["three_d_secure"] = secure
        return charge, row

    def charges(self, count: int) -> tuple[EventColumns, list[Row]]:
        """Return charges as the merchant stage has them, and what rules are to know of them."""
        made = [self.payload() for _ in range(count)]
        inputs = [
            Input(charge["card"].encode(), json.dumps(charge).encode(), Origin("charges", 0, n))
            for n, (charge, _) in enumerate(made)
        ]
        decoded = decode_charges(inputs, NOW + 60)
        assert decoded.rejected == []
        rng = np.random.default_rng(self.random.getrandbits(32))
        vectors = rng.choice([0, 1, 2, 0.5, -1, 1e30], (count, len(FEATURES))).astype(np.float32)
        for place, feature in enumerate(FEATURES):
            if feature.unit == "flag":
                vectors[:, place] = vectors[:, place] > 0.5
        scores, risks = rng.choice([0, 0.5, 1.0], count), rng.integers(0, 4, count, np.uint8)
        rows = [row for _, row in made]
        for n, row in enumerate(rows):
            row["score"], row["risk"] = float(scores[n]), float(risks[n])
            for place, name in enumerate(FEATURE_NAMES):
                if name != "amount":
                    value = float(vectors[n, place])
                    row[name] = bool(value) if name in FLAGS else value
            for whom in ("card", "merchant"):
                row[f"{whom}_minutes_since_first_seen"] = row[f"{whom}_age"] / 60.0
            row["card_new_to_merchant"] = row["card_merchant_first"]
        columns = EventColumns(
            decoded.batch.rows, vectors, scores, risks, decoded.batch.tails, FIGURES
        )
        return columns, rows

    def lists(self) -> dict[str, Stays]:
        return {
            name: {text: self.stays() for text in texts if self.random.random() < 0.7}
            for name, texts in ENTRIES.items()
        }

    def stays(self) -> list[tuple[float, float]]:
        start = NOW + self.random.choice((-1, 0, 0.5, 1))
        end = start + self.random.choice((0.5, 1, 2))
        again = end + self.random.choice((0, 0.5))
        return [(start, end), (again, inf)][: self.random.randint(1, 2)]


def named_lists(lists: Mapping[str, Stays]) -> NamedLists:
    """Return lists as a worker has them."""
    taken = NamedLists()
    taken.take(
        ListEntry(
            list=name,
            value=text,
            start=stays[-1][0],
            until=None if stays[-1][1] == inf else stays[-1][1],
            at=NOW,
            version=1,
            earlier=tuple(stays[:-1]),
        )
        for name, entries in lists.items()
        for text, stays in entries.items()
    )
    return taken
