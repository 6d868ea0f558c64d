"""Signals: fields of a producer's own, beside those of a charge, from which models learn."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from schemas.charge import Charge
from schemas.scored import Scored

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["number", "category"]

SIGNALS_MAX: Final = 64
NUMBER_MAX: Final = 3.4e38
"""Of a number: what a 32-bit float holds."""

CATEGORY_CHARACTERS_MAX: Final = 128

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f:{}]{1,64}")
_TAKEN: Final = frozenset({*Charge.__struct_fields__, *Scored.__struct_fields__})
_SHOWN: Final = re.compile(r"\{value(?::\+?(?:\.\d{1,2})?[fg%])?\}")


class SignalError(ValueError):
    """Signals cannot be as they are told; the message names the first that cannot."""


class Signal(Struct, frozen=True):
    """A field of a charge that is none of its own.

    Attributes
    ----------
    name
        Of the field.
    kind
        Whether its values have an order.
    text
        Of a reason: a template of ``{value}``, of a number also ``{value:.2f}`` and the like.
    """

    name: str
    kind: Kind
    text: str = ""


def may_be_named(name: str) -> bool:
    """Whether a field of this name can be a signal."""
    return bool(_NAME.fullmatch(name)) and name not in _TAKEN


def signals_of(table: Mapping[str, object]) -> tuple[Signal, ...]:
    """Return the signals that a table of settings tells.

    Parameters
    ----------
    table
        By the name of the field, its kind, or a table of ``kind`` and ``text``.

    Raises
    ------
    SignalError
        When one of them cannot be, or there are more than `SIGNALS_MAX`.

    Examples
    --------
    >>> signals_of({"shop": "category", "ip_risk": {"kind": "number", "text": "risk {value:.0f}"}})
    (Signal(name='shop', kind='category', text=''), \
Signal(name='ip_risk', kind='number', text='risk {value:.0f}'))
    >>> signals_of({"risk": "number"})
    Traceback (most recent call last):
    schemas.signals.SignalError: risk: is a field that a charge or its scored event has itself
    """
    if len(table) > SIGNALS_MAX:
        raise SignalError(f"{len(table)} signals: expected at most {SIGNALS_MAX}")
    return tuple(_signal(name, told) for name, told in table.items())


def _signal(name: str, told: object) -> Signal:
    if not _NAME.fullmatch(name):
        raise SignalError(f"{name!r}: expected 1 to 64 characters without a colon or a brace")
    if name in _TAKEN:
        raise SignalError(f"{name}: is a field that a charge or its scored event has itself")
    parts = told if isinstance(told, dict) else {"kind": told}
    kind, text = parts.get("kind"), parts.get("text", "")
    if unknown := parts.keys() - {"kind", "text"}:
        raise SignalError(f"{name}: expected kind and text, got {min(unknown)}")
    if kind not in ("number", "category"):
        raise SignalError(f"{name}: expected number or category, got {kind!r}")
    if not isinstance(text, str):
        raise SignalError(f"{name}: expected a text, got {text!r}")
    shown = _SHOWN.findall(text)
    if len(shown) > 1 or re.search(r"[{}]", _SHOWN.sub("", text)):
        raise SignalError(f"{name}: expected a text with one {{value}} or none, got {text!r}")
    if kind == "category" and shown and shown != ["{value}"]:
        raise SignalError(f"{name}: a category is written as {{value}}, got {shown[0]}")
    return Signal(name, kind, text)


def is_missing(content: object) -> bool:
    """Whether the content of a field says that there is none."""
    return content is None or content == ""


def number_in(content: object) -> float:
    """Return the number that a field's content is or says, NaN if it is none.

    >>> number_in(5), number_in("-1.5e3"), number_in(True), number_in("high"), number_in([1])
    (5.0, -1500.0, 1.0, nan, nan)
    """
    if not isinstance(content, (int, float, str)):
        return math.nan
    try:
        number = float(content)
    except (ValueError, OverflowError):
        return math.nan
    return number if -NUMBER_MAX <= number <= NUMBER_MAX else math.nan


def category_in(content: object) -> str:
    """Return the category that a field's content is, "" if it is none, or too long for one.

    A number is the category that its text is.

    >>> category_in("5411"), category_in(5411), category_in(5411.0), category_in(False)
    ('5411', '5411', '5411', 'false')
    >>> category_in({"a": 1})
    ''
    """
    if isinstance(content, str):
        return content if len(content) <= CATEGORY_CHARACTERS_MAX else ""
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, float) and content.is_integer() and abs(content) < 2.0**63:
        return str(int(content))
    return str(content) if isinstance(content, (int, float)) else ""


def is_read(signal: Signal, content: object) -> bool:
    """Whether the content of a signal's field is a value that it can have, or none at all."""
    if type(content) is float and signal.kind == "number":  # as nearly all are
        return -NUMBER_MAX <= content <= NUMBER_MAX
    if is_missing(content):
        return True
    if signal.kind == "number":
        return not math.isnan(number_in(content))
    return category_in(content) != ""
