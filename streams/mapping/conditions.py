"""Conditions on a row: `status = 'failed' and not livemode = false`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.mapping.paths import getter, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.events.row_files import Row

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>'[^']*')
    | (?P<name>"[^"]+")
    | (?P<sign>!=|=|\(|\)|,)
    | (?P<word>[^\s'"=!(),]+)
    )""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_TOKENS_MAX: Final = 2_000
EXPECTED: Final = (
    "expected conditions such as status = 'failed', status in ('a', 'b'), status missing, "
    "not status = 'failed', with `and` between them"
)


class ConditionError(ValueError):
    """A text is no condition; the message says what was expected."""


class Condition(NamedTuple):
    """One comparison: of a path with values, of which none stands for being missing."""

    path: str
    values: tuple[str, ...]
    negated: bool


def parse(text: str) -> tuple[Condition, ...]:
    """Return the conditions of a text, all of which have to hold.

    Raises
    ------
    ConditionError
        When it is none.

    Examples
    --------
    >>> for condition in parse('"Is Fraud?" = 1 and not status in (1, 2)'):
    ...     print(condition)
    Condition(path='Is Fraud?', values=('1',), negated=False)
    Condition(path='status', values=('1', '2'), negated=True)
    """
    tokens = list(_tokens(text))
    found: list[Condition] = []
    while True:
        condition, tokens = _one(tokens)
        found.append(condition)
        if not tokens:
            return tuple(found)
        if tokens[0] != ("word", "and"):
            raise ConditionError(f"expected `and`, got {tokens[0][1]!r}; {EXPECTED}")
        tokens = tokens[1:]


def compiled(conditions: tuple[Condition, ...], missing: frozenset[str]) -> Callable[[Row], bool]:
    """Return what tells whether all conditions hold for a row.

    Numbers are equal by value, and texts as they are written, except that `true` and `false` are
    so in any case.

    Examples
    --------
    >>> holds = compiled(parse("Class = 1 and not test = true"), frozenset())
    >>> holds({"Class": "1"}), holds({"Class": 1.0}), holds({"Class": "1", "test": "TRUE"})
    (True, True, False)
    """
    tests = [_test(condition, missing) for condition in conditions]
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _test(condition: Condition, missing: frozenset[str]) -> Callable[[Row], bool]:
    get, negated = getter(condition.path, missing), condition.negated
    if not condition.values:
        return lambda row: (get(row) is None) is not negated
    wanted = frozenset(map(_comparable, condition.values))
    # The texts that were seen are few, and each is looked at closely once.
    known: dict[str, bool] = {}

    def test(row: Row) -> bool:
        text = text_of(get(row))
        if text is None:
            return negated
        found = known.get(text)
        if found is None:
            found = _comparable(text) in wanted
            if len(known) < _TOKENS_MAX:
                known[text] = found
        return found is not negated

    return test


def _comparable(text: str) -> str | float:
    lower = text.strip().lower()
    if lower in {"true", "false"}:
        return lower
    return float(lower) if len(lower) < 16 and _NUMBER.fullmatch(lower) else text


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    rest = text.rstrip()
    while place < len(rest):
        match = _TOKEN.match(rest, place)
        if match is None:
            raise ConditionError(f"{rest[place : place + 20]!r} is not closed; {EXPECTED}")
        kind = match.lastgroup or ""
        content = match[kind]
        yield (kind, content[1:-1] if kind in {"text", "name"} else content)
        place = match.end()


def _one(tokens: list[tuple[str, str]]) -> tuple[Condition, list[tuple[str, str]]]:
    negated = bool(tokens) and tokens[0] == ("word", "not")
    rest = tokens[1:] if negated else tokens
    if len(rest) < 2 or rest[0][0] not in {"word", "name"}:
        raise ConditionError(EXPECTED)
    path, verb = rest[0][1], rest[1]
    if verb == ("word", "missing"):
        return Condition(path, (), negated), rest[2:]
    if verb in {("sign", "="), ("sign", "!=")} and len(rest) > 2 and _is_value(rest[2]):
        return Condition(path, (rest[2][1],), negated is not (verb[1] == "!=")), rest[3:]
    if verb == ("word", "in") and rest[2:3] == [("sign", "(")]:
        return _in_list(path, rest[3:], negated=negated)
    raise ConditionError(EXPECTED)


def _in_list(
    path: str, tokens: list[tuple[str, str]], *, negated: bool
) -> tuple[Condition, list[tuple[str, str]]]:
    values: list[str] = []
    for place in range(0, len(tokens) - 1, 2):
        if not _is_value(tokens[place]):
            break
        values.append(tokens[place][1])
        if tokens[place + 1] == ("sign", ")"):
            return Condition(path, tuple(values), negated), tokens[place + 2 :]
        if tokens[place + 1] != ("sign", ","):
            break
    raise ConditionError(EXPECTED)


def _is_value(token: tuple[str, str]) -> bool:
    kind, content = token
    is_plain = content in {"true", "false"} or _NUMBER.fullmatch(content) is not None
    return kind == "text" or (kind == "word" and is_plain)
