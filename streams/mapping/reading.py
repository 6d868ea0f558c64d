"""Reads a mapping from its page of TOML, or says all that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from schemas.dispute import FRAUDULENT
from schemas.outcome import OUTCOMES
from schemas.signals import SignalError, signals_of
from streams.events.csv_text import Dialect
from streams.mapping.conditions import Condition, ConditionError, parse
from streams.mapping.fields import FieldSpec, read_field
from streams.mapping.mapping import (
    FIELDS,
    KEY_VARIABLE,
    KINDS,
    REQUIRED,
    EventSpec,
    Kind,
    MappedSignal,
    Mapping,
)
from streams.mapping.mistakes import MappingError, Mistakes, quoted

if TYPE_CHECKING:
    from streams.mapping.fields import Table

_TOP: Final = (
    "description", "csv", "missing", "leave_out", "carry", "numbers", "signals",
    "hash_key_variable", *KINDS,
)  # fmt: skip
_CSV: Final = ("delimiter", "encoding", "decimal")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_PATTERN: Final = "*?["
_SETTINGS: Final = "CHARGEWATCH_"
_BYTES_MAX: Final = 1 << 20


def read_mapping(text: str, name: str) -> Mapping:
    """Return what a text says.

    Raises
    ------
    MappingError
        With all that is wrong.

    Examples
    --------
    >>> page = '''
    ... [charge]
    ... id = "trans_num"
    ... created = { from = "unix_time", unit = "s" }
    ... amount = { from = "amt", unit = "major" }
    ... currency = { value = "usd" }
    ... card = "cc_num"
    ... merchant = "shop"
    ... '''
    >>> read_mapping(page, "own").of_kind("charge")[0].fields["card"].sources
    ('cc_num',)
    >>> read_mapping("charge = { card = 5 }", "own")
    Traceback (most recent call last):
    streams.mapping.mistakes.MappingError: own: 6 mistakes:
    ...
    """
    document = _document(text, name)
    mistakes = Mistakes(name)
    for key in document:
        if key not in _TOP:
            mistakes.unknown("", key, _TOP)
    csv = _table(document, "csv", mistakes)
    for key in csv:
        if key not in _CSV:
            mistakes.unknown("csv", key, _CSV)
    decimal = csv.get("decimal", ".")
    if decimal not in {".", ","} or not isinstance(decimal, str):
        mistakes.add("csv.decimal", f'expected "." or ",", got {quoted(decimal)}')
        decimal = "."
    mapping = Mapping(
        name,
        description=_text(document, "description", mistakes),
        events=tuple(_events(document, decimal, mistakes)),
        dialect=_dialect(csv, mistakes),
        missing=frozenset(_texts(document, "missing", mistakes)),
        leave_out=tuple(
            conditions
            for each in _texts(document, "leave_out", mistakes)
            if (conditions := _conditions(each, "leave_out", mistakes))
        ),
        carry=_carry(document, mistakes),
        numbers=_texts(document, "numbers", mistakes),
        signals=_signals(document, mistakes),
        key_variable=_variable(document, mistakes),
    )
    for each in mapping.signals:
        if each.path in mapping.secret:
            mistakes.add(f"signals.{each.signal.name}", "is only to be seen as a keyed hash")
    if not any(kind in document for kind in KINDS):
        mistakes.add("", "expected a table [charge], [dispute] or [outcome]")
    mistakes.settle()
    return mapping


def _document(text: str, name: str) -> dict[str, Any]:
    if len(text) > _BYTES_MAX:
        raise MappingError(f"{name}: expected at most {_BYTES_MAX:,} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{name}: is no TOML: {error}") from None
    except (RecursionError, ValueError):
        raise MappingError(f"{name}: is no TOML that can be read") from None


def _events(document: Table, decimal: str, mistakes: Mistakes) -> list[EventSpec]:
    has_charge = isinstance(document.get("charge"), dict | list)
    found: list[EventSpec] = []
    for kind in KINDS:
        given = document.get(kind)
        tables = given if isinstance(given, list) else [given] if kind in document else []
        for number, table in enumerate(tables):
            place = f"{kind}[{number}]" if isinstance(given, list) else kind
            if not isinstance(table, dict):
                mistakes.add(place, "expected a table")
                continue
            found.append(_event(kind, table, place, decimal, mistakes, has_charge=has_charge))
    return found


def _event(
    kind: Kind, table: Table, place: str, decimal: str, mistakes: Mistakes, *, has_charge: bool
) -> EventSpec:
    label_keys = () if kind == "charge" else ("delay_days",)
    known = (*FIELDS[kind], "when", *label_keys)
    for key in table:
        if key not in known:
            mistakes.unknown(place, key, known)
    fields = {
        name: read_field(name, table[name], f"{place}.{name}", mistakes, decimal)
        for name in FIELDS[kind]
        if name in table
    }
    is_of_charge = kind != "charge" and "charge" not in table and has_charge
    _check_complete(kind, fields, place, mistakes, is_of_charge=is_of_charge)
    conditions = tuple(
        condition
        for each in _texts(table, "when", mistakes, place)
        for condition in _conditions(each, f"{place}.when", mistakes)
    )
    delay = _delay(table.get("delay_days", 0), f"{place}.delay_days", mistakes)
    return EventSpec(kind, place, fields, conditions, delay, is_of_charge)


def _check_complete(
    kind: Kind,
    fields: dict[str, FieldSpec],
    place: str,
    mistakes: Mistakes,
    *,
    is_of_charge: bool,
) -> None:
    """Add what is missing, and complete what follows from the rest."""
    if not is_of_charge:
        for name in REQUIRED[kind]:
            if name not in fields:
                mistakes.add(f"{place}.{name}", "is missing")
    if kind == "dispute" and not {"reason", "fraud_type"} & fields.keys():
        if is_of_charge:
            fields["reason"] = FieldSpec(value=FRAUDULENT)
        else:
            mistakes.add(f"{place}.reason", "is missing, and so is fraud_type")
    if kind == "outcome":
        outcome = fields.get("outcome")
        if outcome is None:
            mistakes.add(f"{place}.outcome", f"is missing; expected one of {', '.join(OUTCOMES)}")
        elif outcome.value is not None and outcome.value not in OUTCOMES:
            mistakes.add(
                f"{place}.outcome.value",
                f"expected one of {', '.join(OUTCOMES)}, got {quoted(outcome.value)}",
            )


def _delay(given: object, place: str, mistakes: Mistakes) -> float | str:
    if isinstance(given, str) and given:
        return given
    if type(given) in {int, float} and isinstance(given, int | float) and 0 <= given <= 3650:
        return float(given)
    mistakes.add(place, f"expected days from 0 to 3650, or a column of them, got {quoted(given)}")
    return 0.0


def _dialect(csv: Table, mistakes: Mistakes) -> Dialect:
    delimiter, encoding = csv.get("delimiter"), csv.get("encoding")
    is_delimiter = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '\r\n"'
    if delimiter is not None and not is_delimiter:
        mistakes.add("csv.delimiter", f"expected one character, got {quoted(delimiter)}")
    if encoding is not None and not _is_encoding(encoding):
        mistakes.add(
            "csv.encoding", f"expected such as utf-8 or windows-1252, got {quoted(encoding)}"
        )
        encoding = None
    return Dialect(delimiter if is_delimiter else None, encoding)


def _is_encoding(encoding: object) -> bool:
    try:
        return isinstance(encoding, str) and b"a".decode(encoding) is not None
    except UnicodeDecodeError:  # an encoding of two bytes a character
        return True
    except (LookupError, ValueError):
        return False


def _carry(document: Table, mistakes: Mistakes) -> tuple[str, ...]:
    given = document.get("carry", "all")
    if given == "all":
        return ("*",)
    if given == "none":
        return ()
    if isinstance(given, str):
        mistakes.add("carry", f'expected "all", "none" or a list of names, got {quoted(given)}')
        return ()
    return _texts(document, "carry", mistakes)


def _signals(document: Table, mistakes: Mistakes) -> tuple[MappedSignal, ...]:
    found: list[MappedSignal] = []
    for name, told in _table(document, "signals", mistakes).items():
        path = told.get("from", name) if isinstance(told, dict) else name
        parts = told
        if isinstance(told, dict):
            parts = {key: part for key, part in told.items() if key != "from"}
        if not isinstance(path, str) or not path:
            mistakes.add(f"signals.{name}.from", f"expected a column, got {quoted(path)}")
            continue
        try:
            (signal,) = signals_of({name: parts})
        except SignalError as error:
            mistakes.add("signals", str(error))
            continue
        is_pattern = path == name and any(sign in path for sign in _PATTERN)
        found.append(MappedSignal(path, signal, is_pattern))
    return tuple(found)


def _variable(document: Table, mistakes: Mistakes) -> str:
    given = document.get("hash_key_variable", KEY_VARIABLE)
    if isinstance(given, str) and _VARIABLE.fullmatch(given):
        if given.startswith(_SETTINGS) and given != KEY_VARIABLE:
            mistakes.add("hash_key_variable", f"names that begin with {_SETTINGS} are of settings")
        return given
    # What is written here may be the key itself: it is not quoted.
    mistakes.add("hash_key_variable", "expected the name of an environment variable")
    return KEY_VARIABLE


def _conditions(text: str, place: str, mistakes: Mistakes) -> tuple[Condition, ...]:
    try:
        return parse(text)
    except ConditionError as error:
        mistakes.add(place, str(error))
        return ()


def _table(document: Table, key: str, mistakes: Mistakes) -> Table:
    given = document.get(key, {})
    if isinstance(given, dict):
        return given
    mistakes.add(key, f"expected a table, got {quoted(given)}")
    return {}


def _text(document: Table, key: str, mistakes: Mistakes) -> str:
    given = document.get(key, "")
    if isinstance(given, str):
        return given
    mistakes.add(key, f"expected a text, got {quoted(given)}")
    return ""


def _texts(table: Table, key: str, mistakes: Mistakes, place: str = "") -> tuple[str, ...]:
    given = table.get(key, [])
    texts = [given] if isinstance(given, str) else given
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return tuple(texts)
    where = f"{place}.{key}" if place else key
    mistakes.add(where, f"expected a text, or a list of texts, got {quoted(given)}")
    return ()
