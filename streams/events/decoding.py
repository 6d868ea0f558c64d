"""From bytes to events: what a batch of inputs becomes, and what of it must be rejected."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import msgspec
import orjson

from schemas.aside import NOTHING, Aside
from schemas.charge import Charge
from schemas.dispute import Dispute
from schemas.envelopes import event_in
from schemas.input_rules import DEFAULT_RULES, InputRules
from schemas.outcome import Outcome
from schemas.rejected import InvalidEvent
from schemas.scored import begin_scored
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from streams.events.batch import Batch
from streams.events.headers import put_behind
from streams.events.origin import encode_label_tail
from streams.events.rejected import Input, Rejected, masked_copy, reject
from streams.events.rows import Rows, charge_rows, dispute_rows, outcome_rows

Finding = Literal["ignored", "masked", "card_number", "left_out"]
"""What was found in a field of a valid input: a value that it cannot have, a card number that was
masked, or one that was left in an identifier. What a mapping leaves out counts by its input."""

OTHER_FIELD = "other"
"""Stands for a field that is not the event's own: its name may be anything."""

_FIELDS = frozenset(
    {
        *Charge.__struct_fields__,
        *Dispute.__struct_fields__,
        *Outcome.__struct_fields__,
    }
)

Label = TypeVar("Label", Dispute, Outcome)


class _Carded(msgspec.Struct, gc=False):
    """All that is read of a payload for its card."""

    card: str


_decode_card = msgspec.json.Decoder(_Carded).decode


@dataclass(slots=True)
class Decoded:
    """Decoded inputs: the valid events, and the inputs that were not.

    Attributes
    ----------
    batch
        N events in the order of the inputs.
    index
        N positions: the input each event came from.
    rejected
        The inputs that are no events.
    findings
        How many valid inputs had which finding in which field.
    """

    batch: Batch = field(default_factory=Batch)
    index: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    findings: Counter[tuple[Finding, str]] = field(default_factory=Counter)


def decode_charges(
    inputs: Sequence[Input], max_created: float, rules: InputRules = DEFAULT_RULES
) -> Decoded:
    """Decode a batch of charges.

    Parameters
    ----------
    inputs
        Messages as they came.
    max_created
        Latest event time that is believed, Unix seconds.
    rules
        Of the installation.

    Examples
    --------
    >>> from streams.events.origin import Origin
    >>> charge = b'{"id":"c1","created":1,"amount":5,"currency":"usd","card":"k","merchant":"m"}'
    >>> decoded = decode_charges([Input(b"k", charge, Origin("charges", 0, 0))], 2.0)
    >>> decoded.batch.tails
    [b'{"charge":"c1","card":"k","merchant":"m","amount":5,"currency":"usd","created":1.0']
    """
    decoded = Decoded()
    charges: list[Charge] = []
    for i, received in enumerate(inputs):
        try:
            charge, aside = parse_charge(received.value, received.key, max_created, rules)
        except InvalidEvent as error:
            decoded.rejected.append(reject(received, error))
            continue
        charges.append(charge)
        decoded.batch.cards.append(charge.card.encode())
        decoded.batch.merchants.append(charge.merchant.encode())
        decoded.batch.tails.append(put_behind(begin_scored(charge, aside), received.origin.headers))
        _count(decoded.findings, aside)
        decoded.index.append(i)
    decoded.batch.rows = charge_rows(charges, rules.rates)
    return decoded


def decode_disputes(
    inputs: Sequence[Input], max_created: float, rules: InputRules = DEFAULT_RULES
) -> Decoded:
    """Decode a batch of disputes; see `decode_charges`."""
    return _decode_labels(inputs, max_created, rules, parse_dispute, dispute_rows)


def decode_outcomes(
    inputs: Sequence[Input], max_created: float, rules: InputRules = DEFAULT_RULES
) -> Decoded:
    """Decode a batch of outcomes; see `decode_charges`."""
    return _decode_labels(inputs, max_created, rules, parse_outcome, outcome_rows)


def _decode_labels(
    inputs: Sequence[Input],
    max_created: float,
    rules: InputRules,
    parse: Callable[..., tuple[Label, Aside]],
    encode: Callable[[Sequence[Label]], Rows],
) -> Decoded:
    """Decode a batch of what is about charges."""
    decoded = Decoded()
    labels: list[Label] = []
    for i, received in enumerate(inputs):
        try:
            label, aside = parse(received.value, received.key, max_created, rules)
        except InvalidEvent as error:
            decoded.rejected.append(reject(received, error))
            continue
        copy = masked_copy(received)
        assert copy.key is not None
        assert copy.value is not None
        labels.append(label)
        decoded.batch.cards.append(label.card.encode())
        decoded.batch.merchants.append(label.merchant.encode())
        decoded.batch.tails.append(encode_label_tail(copy.origin, copy.key, copy.value))
        decoded.index.append(i)
        _count(decoded.findings, aside)
    decoded.batch.rows = encode(labels)
    return decoded


def card_in(value: bytes) -> bytes | None:
    """Return the key that a message of this payload should have, `None` where it has no card.

    Examples
    --------
    >>> card_in(b'{"card": "tok_1"}'), card_in(b"nonsense")
    (b'tok_1', None)
    """
    try:
        return _decode_card(value).card.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _card_in_all_of(value)


def _card_in_all_of(value: bytes) -> bytes | None:
    """Return what `card_in` does; also of a payload that only the slower decoder can read."""
    try:
        fields = orjson.loads(value)
        card = (event_in(fields) or fields)["card"]
        return card.encode() if isinstance(card, str) else None
    except (orjson.JSONDecodeError, KeyError, TypeError, UnicodeEncodeError):
        return None


def _count(findings: Counter[tuple[Finding, str]], aside: Aside) -> None:
    """Count what was found beside an event."""
    if aside is NOTHING:
        return
    findings.update(("ignored", name) for name in aside.ignored)
    findings.update(("masked", name if name in _FIELDS else OTHER_FIELD) for name in aside.masked)
    findings.update(("card_number", name) for name in aside.left)
