"""From a message to a valid event, or to the precise reason why it is none.

The common path is one pass and a few comparisons; whatever goes wrong there is looked at again,
slowly, to say what it was. Decisions the contract leaves open:

- a number without a fraction is an integer however it is written (1999.0), as in JSON Schema;
- an optional field that is null, or an empty string where any text may stand, is missing;
- of a field that comes twice the last one counts, but a card number in any of them rejects;
- a number that no 64-bit float holds (1e999) is no JSON here;
- the message key is the card's UTF-8 bytes.
"""

import re
from typing import Final, Generic, NoReturn, TypeVar

import msgspec
import orjson

from schemas.card_numbers import (
    JSON_STRING,
    has_long_digits,
    json_holds_card_number,
    may_hold_card_number,
)
from schemas.charge import Charge
from schemas.currency import is_currency
from schemas.dispute import Dispute
from schemas.expectations import expectations, kind, quoted
from schemas.hints import explained, time_hint
from schemas.input_rules import DEFAULT_RULES, InputRules
from schemas.rejected import InvalidEvent

__all__ = ["InvalidEvent", "Unknown", "parse_charge", "parse_dispute"]

PAYLOAD_BYTES_MAX: Final = 64 * 1024
NESTING_MAX: Final = 250  # orjson encodes 254 levels, and decodes 1,024

Event = TypeVar("Event", Charge, Dispute)
Unknown = dict[str, orjson.Fragment]

_NO_FIELDS: Final[Unknown] = {}
_BRACKET: Final = re.compile(rb"[\[\]{}]")
_WRITTEN_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Known(Generic[Event]):
    """An event type and what its fields expect."""

    def __init__(self, event_type: type[Event]) -> None:
        self.event_type: type[Event] = event_type
        self.fields = {field.name: field for field in expectations(event_type)}
        self.names = frozenset(self.fields)
        # The same event, but with unknown fields refused: those have to be carried along.
        plain = msgspec.defstruct(
            event_type.__name__,
            [],
            bases=(event_type,),
            frozen=True,
            gc=False,
            forbid_unknown_fields=True,
        )
        self.decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(plain)


_CHARGE: Final = _Known(Charge)
_DISPUTE: Final = _Known(Dispute)


def parse_charge(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    rules: InputRules = DEFAULT_RULES,  # noqa: ARG001 - used by what follows
) -> tuple[Charge, Unknown]:
    r"""Return the charge of a message, and the fields it has beyond the known ones.

    Parameters
    ----------
    value, key
        The message's payload and key.
    max_created
        The latest event time that is not called the future, Unix seconds.
    rules
        Of the installation.

    Returns
    -------
    tuple
        The charge, and its unknown fields to be carried along with `orjson.dumps`, which writes
        them byte for byte as they came (not to be changed: it is often the same empty dict).

    Raises
    ------
    InvalidEvent
        And nothing else, whatever the bytes.

    Examples
    --------
    >>> value = b'{"id":"ch_1","created":1.5,"amount":1999,"currency":"usd",' \
    ...     b'"card":"tok_1","merchant":"m_1","order":7}'
    >>> charge, unknown = parse_charge(value, b"tok_1", max_created=60.0)
    >>> charge.amount, charge.mcc, orjson.dumps(unknown)
    (1999, None, b'{"order":7}')
    >>> parse_charge(value.replace(b"1999", b"-5"), b"tok_1", max_created=60.0)
    Traceback (most recent call last):
    schemas.rejected.InvalidEvent: amount: expected an integer above 0, got -5
    """
    charge, unknown = _parse(value, key, max_created, _CHARGE)
    if not is_currency(charge.currency):
        raise _CHARGE.fields["currency"].refuse(charge.currency)
    return charge, unknown


def parse_dispute(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    rules: InputRules = DEFAULT_RULES,  # noqa: ARG001 - used by what follows
) -> tuple[Dispute, Unknown]:
    """Return the dispute of a message, and its unknown fields; all as for `parse_charge`."""
    return _parse(value, key, max_created, _DISPUTE)


def _parse(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    known: _Known[Event],
) -> tuple[Event, Unknown]:
    event, unknown = _decode_plain(value, known), _NO_FIELDS
    if event is None:
        try:
            event, unknown = _decode_any(value, known)
        except InvalidEvent as error:
            raise explained(error, value) from None
    if event.created > max_created:
        raise InvalidEvent(
            "future",
            f"created: expected a time up to {max_created!r} (now and an allowance), "
            f"got {event.created!r}{time_hint(event.created)}",
        )
    # Tokens are not quoted: the message is logged.
    if key != event.card.encode():
        found = "none" if key is None else "another value"
        raise InvalidEvent("key", f"key: expected the event's card, got {found}")
    return event, unknown


def _decode_plain(value: bytes | None, known: _Known[Event]) -> Event | None:
    """Decode in one pass what most payloads are; `None` for what has to be looked at closely.

    Plain is an object of known fields and right types, without escapes or long digits.
    """
    if value is None or len(value) > PAYLOAD_BYTES_MAX:
        return None
    if b"\\" in value or has_long_digits(value):
        return None
    try:
        return known.decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _decode_any(value: bytes | None, known: _Known[Event]) -> tuple[Event, Unknown]:
    """Decode any payload to an event and its unknown fields, or say why it is none."""
    value, fields = _decode(value)
    if may_hold_card_number(value) and json_holds_card_number(value):
        _refuse_card_number(fields)
    unknown = _NO_FIELDS
    if not known.names.issuperset(fields):
        unknown = {
            name: orjson.Fragment(bytes(written))
            for name, written in _WRITTEN_FIELDS.decode(value).items()
            if name not in known.names
        }
        fields = {name: content for name, content in fields.items() if name in known.names}
    try:
        return msgspec.convert(fields, known.event_type), unknown
    except msgspec.ValidationError:
        return _convert_slowly(fields, known), unknown


def _decode(value: bytes | None) -> tuple[bytes, dict[str, object]]:
    """Return a payload that is there, and the fields of the JSON object it holds."""
    if value is None:
        raise InvalidEvent("json", "payload: expected a JSON object, got none (a tombstone)")
    if len(value) > PAYLOAD_BYTES_MAX:
        raise InvalidEvent(
            "too_large", f"payload: expected at most {PAYLOAD_BYTES_MAX} bytes, got {len(value)}"
        )
    if len(value) > 2 * NESTING_MAX:  # each level is opened and closed
        _check_nesting(value)
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent("json", f"payload: expected a JSON object, got {error}") from None
    if type(fields) is not dict:
        raise InvalidEvent("json", f"payload: expected a JSON object, got {kind(fields)}")
    return value, fields


def _check_nesting(value: bytes) -> None:
    """Refuse a payload that is nested too deeply to be encoded again."""
    if value.count(b"[") + value.count(b"{") <= NESTING_MAX:
        return
    depth = 0
    for bracket in _BRACKET.findall(JSON_STRING.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        if depth > NESTING_MAX:
            raise InvalidEvent("nesting", f"payload: expected at most {NESTING_MAX} nested levels")


def _refuse_card_number(fields: dict[str, object]) -> NoReturn:
    """Name the field that holds a card number."""
    for name, content in fields.items():
        if json_holds_card_number(orjson.dumps([name, content])):
            raise InvalidEvent(
                "card_number",
                f"{quoted(name)[1:-1]}: expected a token, got what looks like a card number",
            )
    raise InvalidEvent(
        "card_number", "payload: a field that is repeated holds what looks like a card number"
    )


def _convert_slowly(fields: dict[str, object], known: _Known[Event]) -> Event:
    """Return the event as it is meant, or say which field is wrong."""
    meant = {
        name: field.normal(fields[name]) for name, field in known.fields.items() if name in fields
    }
    try:
        return msgspec.convert(meant, known.event_type)
    except msgspec.ValidationError:
        for name, field in known.fields.items():
            field.check(meant.get(name))
        raise
