"""Proposes a mapping for a file, by what its columns are called and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.signals import SIGNALS_MAX, may_be_named
from streams.events.files import FileError
from streams.mapping import looks
from streams.mapping.mapping import OWN_NAMES
from streams.mapping.samples import sampled_columns
from streams.mapping.spans import delay_of
from streams.mapping.synonyms import is_personal, likeness, says_later, words
from streams.mapping.toml_lines import Line, listed, patterns, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streams.mapping.samples import Column

_SURE: Final = 0.85
_CATEGORIES_MAX, _TIMES_EACH, _CATEGORY_LENGTH_MAX = 50, 5, 40
_PARTS: Final = ("year", "month", "day")
_CARD_WORDS: Final = ("card", "cc ", "pan", "kart", "cart", "tarjeta", "kaart", "карт", "卡")
_BY_NAME: Final = ("payment_method", "device", "ip", "email")


def suggest(path: Path) -> str:
    """Return a page of TOML for a file; what is not sure has a comment.

    Raises
    ------
    FileError
        When the file cannot be read, or nothing in it is like an amount or a time.
    """
    columns = sampled_columns(path)
    proposal = _Proposal(columns)
    lines = proposal.charge()
    if not {"created", "amount"} <= {line.key for line in lines}:
        raise FileError(
            f"{path}: no column is like a time and an amount: its columns are "
            f"{', '.join(column.name for column in columns[:30])}"
        )
    head = [f"# Proposed for {path.name}. Check each line that is not sure; then try it:"]
    head.append("# chargewatch map check FILE --map THIS.toml")
    if proposal.needs_key:
        head.append("# Set CHARGEWATCH_MAPPING_KEY: identifiers are replaced by a keyed hash.")
    sections = [head, [*proposal.carried()], ["[charge]", *map(str, lines)]]
    if proposal.signals:
        told = "# Columns that models learn from; take out what is only known later."
        sections.append([told, "[signals]", *proposal.signals])
    page = _page(sections)
    label = proposal.label()
    if not label:
        return page
    delay_days, doubt = delay_of(path, page)
    delay = Line("delay_days", f"{delay_days:g}", f"when frauds were told of: {doubt}")
    return _page([*sections, ["[dispute]", label, str(delay)]])


def _page(sections: Sequence[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


class _Proposal:
    """Finds the columns of fields, each column for one."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._taken: set[str] = set()
        self.needs_key = False
        self.signals: list[str] = []
        self._label = self._best("fraud", _is_label, _SURE)
        if self._label is not None:
            self._taken.add(self._label.name)

    def charge(self) -> list[Line]:
        """Return the fields of a charge, those that are needed first."""
        created, amount = self._created(), self._amount()
        found = [self._id(), created, amount, self._currency(), self._card(), self._merchant()]
        found += [self._optional(name, test) for name, test in _OPTIONAL.items()]
        return [line for line in found if line is not None]

    def label(self) -> str:
        """Return of which rows disputes are made, by a column of labels; empty if there is none."""
        column = self._label
        if column is None:
            return ""
        value = looks.label_value(column.values) or "1"
        condition = f"\"{column.name}\" = '{value}'"
        return f"when = {quoted(condition)}"

    def carried(self) -> Iterator[str]:
        """Yield which of the other columns are carried along, and why others are not."""
        used = {column.top for column in self._columns if column.name in self._taken}
        others = [column for column in self._columns if column.top not in used]
        left = [c.name for c in others if says_later(c.name) or is_personal(c.name)]
        kept = [c for c in others if c.name not in left and c.top not in OWN_NAMES]
        if left:
            told = ", ".join(repr(name)[1:-1] for name in left[:20])
            yield f"# Left out, as they name somebody or say what is only known later: {told}"
        if any(words(column.name) == "livemode" for column in self._columns):
            yield 'leave_out = "livemode = false"'
        numbers = [c.name for c in kept if c.values and looks.are_numbers(c.values)]
        self._find_signals([c for c in kept if c.name not in numbers], numbers)
        yield f"carry = {listed(patterns([column.top for column in kept]))}"
        if numbers:
            yield f"numbers = {listed(patterns(numbers))}"

    def _find_signals(self, others: Sequence[Column], numbers: Sequence[str]) -> None:
        """Propose what models can learn from: all numbers if they are few, and categories."""
        tops = {column.top for column in self._columns}
        numbers = [name for name in numbers if name in tops and may_be_named(name)]
        categories = [c.name for c in others if _is_category(c) and may_be_named(c.name)]
        if len(numbers) + len(categories) > SIGNALS_MAX:
            return
        of_kinds = ("number", numbers), ("category", categories)
        self.signals = [
            f'{quoted(name)} = "{kind}"' for kind, names in of_kinds for name in patterns(names)
        ]

    def _best(
        self, name: str, test: Callable[[Column], object], least: float = 0.4
    ) -> Column | None:
        """Return the column that is most like a field and passes a test."""
        scored = [
            (likeness(name, column.name), -place, column)
            for place, column in enumerate(self._columns)
            if column.name not in self._taken and column.values
        ]
        for score, _, column in sorted(scored, key=lambda each: each[:2], reverse=True):
            if score < least:
                return None
            if test(column):
                return column
        return None

    def _take(self, column: Column) -> str:
        self._taken.add(column.name)
        return quoted(column.name)

    def _id(self) -> Line:
        column = self._best("id", lambda column: column.is_unique and len(column.values) > 1)
        if column is None:
            return Line("id", '{ row = true, prefix = "row_" }')
        sure = likeness("id", column.name) >= _SURE
        return Line("id", self._take(column), "" if sure else "is it one for each charge?")

    def _created(self) -> Line | None:
        if parts := self._parts_of_time():
            return parts
        column = self._best("created", lambda column: looks.time_look(column.values))
        if column is None:
            column = next(
                (
                    each
                    for each in self._columns
                    if each.name not in self._taken
                    and (look := looks.time_look(each.values))
                    and "start" not in look.toml
                ),
                None,
            )
        if column is None:
            return None
        look = looks.time_look(column.values)
        assert look is not None
        if clock := self._clock(column):
            return clock
        doubt = look.doubt
        if words(column.name) == "step":
            doubt = "counts from a start that is not told; hours are a guess"
            look = look._replace(toml='unit = "hours", start = 2020-01-01T00:00:00Z')
        return Line("created", f"{{ from = {self._take(column)}, {look.toml} }}", doubt)

    def _clock(self, date: Column) -> Line | None:
        """Return a date and a time of day that are columns of their own."""
        look = looks.time_look(date.values)
        if look is None or any(":" in value for value in date.values) or "unit" in look.toml:
            return None
        clocks = (each for each in self._columns if each.values and looks.is_clock(each.values))
        clock = next(clocks, None)
        if clock is None:
            return None
        pattern = look.toml.partition('"')[2].rstrip('"')
        seconds = ":%S" if all(value.count(":") == 2 for value in clock.values) else ""
        how = "iso" if pattern == "iso" else f"{pattern} %H:%M{seconds}"
        sources = f"[{self._take(date)}, {self._take(clock)}]"
        doubt = "the times name no zone: taken for UTC"
        return Line("created", f'{{ from = {sources}, format = "{how}" }}', doubt)

    def _parts_of_time(self) -> Line | None:
        """Return year, month and day, and a time of day if there is one."""
        by_words = {words(column.name): column for column in self._columns}
        parts = [by_words.get(part) for part in _PARTS]
        if any(part is None or not looks.is_integer(part.values) for part in parts):
            return None
        given = [part for part in parts if part is not None]
        clock = next((c for c in self._columns if c.values and looks.is_clock(c.values)), None)
        pattern = "%Y %m %d"
        if clock is not None:
            given.append(clock)
            pattern += " %H:%M:%S" if clock.values[0].count(":") == 2 else " %H:%M"
        sources = ", ".join(self._take(part) for part in given)
        doubt = "the times name no zone: taken for UTC"
        return Line("created", f'{{ from = [{sources}], format = "{pattern}" }}', doubt)

    def _amount(self) -> Line | None:
        column = self._best("amount", lambda c: looks.amount_look(c.values, c.name))
        if column is None:
            return None
        look = looks.amount_look(column.values, column.name)
        assert look is not None
        parts, doubt = look
        if any(value.lstrip("$€£ ").startswith("-") for value in column.values):
            parts += ', negative = "leave_out"'
            doubt = doubt or "negative amounts are taken for refunds, and left out"
        return Line("amount", f"{{ from = {self._take(column)}, {parts} }}", doubt)

    def _currency(self) -> Line:
        column = self._best("currency", lambda column: looks.is_currency(column.values))
        if column is None:
            return Line("currency", '{ value = "usd" }', "no column has a currency")
        return Line("currency", self._take(column))

    def _card(self) -> Line:
        column = self._best("card", lambda column: not column.is_unique or len(column.values) < 3)
        if column is None:
            column = self._best("card", _has_values, _SURE)
        if column is None:
            doubt = "no column tells cards apart: every row is one"
            return Line("card", '{ row = true, prefix = "card_" }', doubt)
        is_card = any(word in words(column.name) for word in _CARD_WORDS)
        doubt = "" if is_card else "is it one a card?"
        return Line("card", self._identifier(column), doubt)

    def _merchant(self) -> Line:
        column = self._best("merchant", _has_values)
        if column is None:
            doubt = "no column tells merchants apart: there is one"
            return Line("merchant", '{ value = "all" }', doubt)
        sure = likeness("merchant", column.name) >= _SURE
        return Line("merchant", self._take(column), "" if sure else "is it the merchant?")

    def _optional(self, name: str, test: Callable[[Sequence[str]], bool]) -> Line | None:
        column = self._best(name, lambda column: test(column.values), _SURE)
        if column is None:
            return None
        is_sure = name not in _BY_NAME or words(column.name.rpartition(".")[2]) == words(name)
        return Line(name, self._identifier(column), "" if is_sure else "by its name alone")

    def _identifier(self, column: Column) -> str:
        """Return what is taken of a column: a keyed hash where it must not be seen."""
        if looks.has_card_numbers(column.values) or looks.is_address(column.values):
            self.needs_key = True
            return f"{{ from = {self._take(column)}, hash = true }}"
        return self._take(column)


def _is_category(column: Column) -> bool:
    """Whether a column has few values, most of them again and again, and none of which is long."""
    kinds = set(column.values)
    is_repeated = 2 <= len(kinds) <= min(_CATEGORIES_MAX, len(column.values) / _TIMES_EACH)
    return is_repeated and "." not in column.name and max(map(len, kinds)) <= _CATEGORY_LENGTH_MAX


def _is_label(column: Column) -> bool:
    return '"' not in column.name and looks.label_value(column.values) is not None


def _has_values(column: Column) -> bool:
    return bool(column.values)


def _of(*known: str) -> Callable[[Sequence[str]], bool]:
    wanted = set(known)
    return lambda values: looks.fits(values, lambda value: value.lower() in wanted)


_OPTIONAL: Final[dict[str, Callable[[Sequence[str]], bool]]] = {
    "mcc": looks.is_category,
    "merchant_country": looks.is_country,
    "card_country": looks.is_country,
    "ip_country": looks.is_country,
    "funding": _of("credit", "debit", "prepaid"),
    "channel": _of("online", "in_person", "recurring"),
    "payment_method": lambda values: len(set(values)) <= 30,
    "device": bool,
    "ip": bool,
    "email": bool,
    "cvc_check": _of("pass", "fail", "unchecked"),
    "postal_check": _of("pass", "fail", "unchecked"),
    "three_d_secure": _of("true", "false"),
}
