"""From a message to a valid event, or to the precise reason why it is none.

The common path is one pass and a few comparisons; whatever goes wrong there is looked at again,
slowly, to say what it was. Decisions the contract leaves open:

- a number without a fraction is an integer however it is written (1999.0), as in JSON Schema;
- an optional field that is null or an empty string is missing, one with a value that it cannot have
  is ignored, and so is a text in which a card number was masked: all those would be the same;
- of a field that comes twice the last one counts;
- a number that no 64-bit float holds (1e999) is no JSON here;
- the message key is the card's UTF-8 bytes;
- an event in an envelope that is known is the event, and nothing of the envelope is carried along.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec
import orjson

from schemas.aside import NOTHING, Aside, Unknown
from schemas.card_numbers import (
    JSON_STRING,
    card_token,
    has_plain_card_number,
    mask,
    may_hold_card_number,
)
from schemas.charge import Charge
from schemas.currency import is_currency
from schemas.dispute import Dispute
from schemas.envelopes import event_in
from schemas.expectations import expectations, kind, quoted
from schemas.fields import COUNTRIES, country_code
from schemas.hints import explained, time_hint
from schemas.input_rules import DEFAULT_RULES, InputRules
from schemas.outcome import Outcome
from schemas.rejected import InvalidEvent
from schemas.screening import CLEAN, Screened, screen
from schemas.signals import Signal, is_read

__all__ = ["InvalidEvent", "parse_charge", "parse_dispute", "parse_outcome"]

PAYLOAD_BYTES_MAX: Final = 64 * 1024
NESTING_MAX: Final = 250  # orjson encodes 254 levels, and decodes 1,024

Event = TypeVar("Event", Charge, Dispute, Outcome)

_COUNTRY_FIELDS: Final = ("merchant_country", "card_country", "ip_country")
_COUNTRIES_OR_NONE: Final = frozenset({None, *COUNTRIES})
_BRACKET: Final = re.compile(rb"[\[\]{}]")
_WRITTEN_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Known(Generic[Event]):
    """An event type and what its fields expect."""

    def __init__(self, event_type: type[Event], *, ignores_optional: bool) -> None:
        self.event_type: type[Event] = event_type
        expected = expectations(event_type, ignores_optional=ignores_optional)
        self.fields = {field.name: field for field in expected}
        self.names = frozenset(self.fields)
        self.known_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(event_type)
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


_CHARGE: Final = _Known(Charge, ignores_optional=True)
# A dispute is its reason: one that cannot be read is not worth less than the rest.
_DISPUTE: Final = _Known(Dispute, ignores_optional=False)
_OUTCOME: Final = _Known(Outcome, ignores_optional=False)


def parse_charge(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    rules: InputRules = DEFAULT_RULES,
    *,
    is_carried: bool = True,
) -> tuple[Charge, Aside]:
    r"""Return the charge of a message, and what there is beside it.

    Parameters
    ----------
    value, key
        The message's payload and key.
    max_created
        The latest event time that is not called the future, Unix seconds.
    rules
        Of the installation.
    is_carried
        Whether what is beside it is wanted: where it is not, most charges that have unknown fields
        are read as soon as those that have none.

    Returns
    -------
    tuple
        The charge, and its unknown fields with what was found in the known ones.

    Raises
    ------
    InvalidEvent
        And nothing else, whatever the bytes.

    Examples
    --------
    >>> value = b'{"id":"ch_1","created":1.5,"amount":1999,"currency":"usd",' \
    ...     b'"card":"tok_1","merchant":"m_1","order":7}'
    >>> charge, aside = parse_charge(value, b"tok_1", max_created=60.0)
    >>> charge.amount, charge.mcc, orjson.dumps(aside.unknown)
    (1999, None, b'{"order":7}')
    >>> parse_charge(value.replace(b"1999", b"-5"), b"tok_1", max_created=60.0)
    Traceback (most recent call last):
    schemas.rejected.InvalidEvent: amount: expected an integer of at least 0, got -5
    """
    decoder = _CHARGE.decoder if is_carried else _CHARGE.known_decoder
    charge, aside = _parse(value, key, max_created, _CHARGE, rules, rules.signals, decoder)
    if (
        charge.currency in rules.rates
        and charge.merchant_country in _COUNTRIES_OR_NONE
        and charge.card_country in _COUNTRIES_OR_NONE
        and charge.ip_country in _COUNTRIES_OR_NONE
    ):
        return charge, aside
    return _with_codes(charge, aside, rules)


def parse_dispute(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    rules: InputRules = DEFAULT_RULES,
) -> tuple[Dispute, Aside]:
    """Return the dispute of a message, and what there is beside it; all as for `parse_charge`."""
    dispute, aside = _parse(value, key, max_created, _DISPUTE, rules)
    if dispute.reason is None and dispute.fraud_type is None:
        raise _DISPUTE.fields["reason"].missing()
    return dispute, aside


def parse_outcome(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    rules: InputRules = DEFAULT_RULES,
) -> tuple[Outcome, Aside]:
    """Return the outcome of a message, and what there is beside it; all as for `parse_charge`."""
    outcome, aside = _parse(value, key, max_created, _OUTCOME, rules)
    if outcome.outcome == "answered" and outcome.action is None:
        raise _OUTCOME.fields["action"].missing()
    return outcome, aside


def _parse(
    value: bytes | None,
    key: bytes | None,
    max_created: float,
    known: _Known[Event],
    rules: InputRules,
    signals: Sequence[Signal] = (),
    decoder: msgspec.json.Decoder[Event] | None = None,
) -> tuple[Event, Aside]:
    event, aside, is_card_number = _decode_plain(value, decoder or known.decoder), NOTHING, False
    if event is None:
        try:
            event, aside, is_card_number = _decode_any(value, known, rules, signals)
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
    if is_card_number:
        token = card_token(event.card, rules.card_hash_key)
        event = msgspec.structs.replace(event, card=token)
    return event, aside


def _with_codes(charge: Charge, aside: Aside, rules: InputRules) -> tuple[Charge, Aside]:
    """Return a charge with its currency and countries in the case that events have them in."""
    changes: dict[str, str | None] = {}
    currency = charge.currency.lower()
    if not charge.currency.isascii() or not is_currency(currency):
        raise _CHARGE.fields["currency"].refuse(charge.currency)
    if currency not in rules.rates:
        raise InvalidEvent(
            "range",
            f"currency: expected one with a rate, got {quoted(charge.currency)}; to take it, add "
            "it to a copy of schemas/currencies.toml and name that in the setting currency_rates",
        )
    if currency != charge.currency:
        changes["currency"] = currency
    ignored = set[str]()
    for name in _COUNTRY_FIELDS:
        written: str | None = getattr(charge, name)
        if written is not None and written not in COUNTRIES:
            changes[name] = country_code(written)
            if changes[name] is None:
                ignored.add(name)
    if ignored:
        own = {*aside.ignored, *ignored}
        signals = (name for name in aside.ignored if name not in _CHARGE.fields)
        named = (*(name for name in _CHARGE.fields if name in own), *signals)
        aside = aside._replace(ignored=named)
    return msgspec.structs.replace(charge, **changes), aside


def _decode_plain(value: bytes | None, decoder: msgspec.json.Decoder[Event]) -> Event | None:
    """Decode in one pass what most payloads are; `None` for what has to be looked at closely.

    Plain is an object of fields that the decoder takes, without escapes or card numbers.
    """
    if value is None or len(value) > PAYLOAD_BYTES_MAX or b"\\" in value:
        return None
    try:
        event = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if has_plain_card_number(value) else event


def _decode_any(
    value: bytes | None, known: _Known[Event], rules: InputRules, signals: Sequence[Signal]
) -> tuple[Event, Aside, bool]:
    """Decode any payload to an event and what is beside it, or say why it is none.

    Tell, too, whether its card is a card number that is to be replaced.
    """
    value, fields = _decode(value)
    if (inside := event_in(fields)) is not None:
        return _decode_any(orjson.dumps(inside), known, rules, signals)
    screened, unknown, unread = CLEAN, NOTHING.unknown, tuple[str, ...]()
    is_suspect = may_hold_card_number(value)
    if is_suspect or not known.names.issuperset(fields):
        written = _WRITTEN_FIELDS.decode(value)
        if is_suspect:
            screened = screen(written, known.names, rules)
        unknown = _unknown(written, known, screened)
        unread = tuple(
            signal.name
            for signal in signals
            if signal.name not in screened.masked and not is_read(signal, fields.get(signal.name))
        )
        fields = {name: content for name, content in fields.items() if name in known.names}
    for name, masked in screened.masked.items():
        if name in fields:
            fields[name] = known.fields[name].masked(orjson.loads(masked))
    try:
        event, ignored = msgspec.convert(fields, known.event_type), tuple[str, ...]()
    except msgspec.ValidationError:
        event, ignored = _convert_slowly(fields, known)
    aside = Aside(unknown, tuple(map(mask, screened.masked)), ignored + unread, screened.left)
    return event, aside, screened.is_card


def _unknown(
    written: Mapping[str, msgspec.Raw], known: _Known[Event], screened: Screened
) -> Unknown:
    """Return the unknown fields as they may be written."""
    masked = screened.masked
    return {
        mask(name) if name in masked else name: orjson.Fragment(masked.get(name) or bytes(content))
        for name, content in written.items()
        if name not in known.names
    }


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


def _convert_slowly(
    fields: dict[str, object], known: _Known[Event]
) -> tuple[Event, tuple[str, ...]]:
    """Return the event as it is meant and the fields that are ignored, or say what is wrong."""
    meant, ignored = {}, []
    for name, field in known.fields.items():
        if name not in fields:
            continue
        content = field.normal(fields[name])
        if not field.ignorable or field.accepts(content):
            meant[name] = content
        else:
            ignored.append(name)
    try:
        return msgspec.convert(meant, known.event_type), tuple(ignored)
    except msgspec.ValidationError:
        for name, field in known.fields.items():
            if not field.ignorable:
                field.check(meant.get(name))
        raise
