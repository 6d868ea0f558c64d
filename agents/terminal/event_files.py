"""What a file of events holds, and how much of it could be used: asked before it is used."""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from agents.evaluation.rejections import Rejections
from agents.settings.schema import Settings
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute
from streams.events.decoding import card_in
from streams.events.files import FileError, read_events
from streams.events.origin import Origin
from streams.events.rejected import Input, reject

Kind = Literal["charges", "disputes"]

ALLOW = "--allow-rejected"
LOOKED_AT = 1000
"""Events at the start of a file that are looked at where not all are."""

_DISPUTE_OBJECTS = frozenset({"dispute", "early_fraud_warning", "radar.early_fraud_warning"})
_SHOWN_EVERY = 10_000


class Survey(NamedTuple):
    """What was found in a file.

    Attributes
    ----------
    kind
        What its events were taken for.
    events
        How many were looked at.
    others
        How many of them are of the other kind.
    first_other
        Number of the first of those, from 1.
    rejections
        What could not be used.
    """

    kind: Kind
    events: int
    others: int
    first_other: int
    rejections: Rejections


def kind_in(event: bytes) -> Kind | None:
    """Tell a charge from a dispute, which is about a charge; `None` for what is neither.

    Examples
    --------
    >>> kind_in(b'{"id":"c1","amount":1999}'), kind_in(b"nonsense")
    ('charges', None)
    >>> kind_in(b'{"id":"d1","charge":"c1","reason":"fraudulent","amount":1999}')
    'disputes'
    """
    try:
        fields = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    named = fields.get("object")
    given = {name for name, content in fields.items() if content not in (None, "")}
    is_about_a_charge = "charge" in given
    has_reason = not given.isdisjoint({"reason", "fraud_type"})
    if named == "charge":
        return "charges"
    if named in _DISPUTE_OBJECTS or (is_about_a_charge and has_reason):
        return "disputes"
    if "amount" in given:
        return "charges"
    return "disputes" if is_about_a_charge or "fraud_type" in given else None


def kind_of(file: Path) -> Kind:
    """Return what the first event of a file that is of either kind is.

    Raises
    ------
    FileError
        When no event at its start is, or the file cannot be read.
    """
    first = list(islice(read_events(file), LOOKED_AT))
    for event in first:
        if kind := kind_in(event):
            return kind
    example = ""
    if first:
        try:
            parse_charge(first[0], card_in(first[0]), max_created=0.0)
        except InvalidEvent as error:
            example = f"; event 1: {error}"
    raise FileError(
        f"{file}: holds no charge and no dispute at its start; --as charges or --as disputes says "
        f"what it holds{example}"
    )


def survey(
    file: Path,
    kind: Kind,
    settings: Settings,
    limit: int | None = None,
    show: Callable[[int], None] = lambda _: None,
) -> Survey:
    """Look at the events of a file, as a worker would.

    Parameters
    ----------
    file
        As for `streams.events.files.read_events`.
    kind
        What its events are to be.
    settings
        As for a worker.
    limit
        How many are looked at, `None` for all.
    show
        Called now and then with how many have been.

    Raises
    ------
    FileError
        When it cannot be read.
    """
    parse = parse_charge if kind == "charges" else parse_dispute
    max_created = time.time() + settings.future_allowance_minutes * 60.0
    rejections = Rejections(None)
    number = others = first_other = 0
    for number, event in enumerate(islice(read_events(file), limit), 1):
        card = card_in(event)
        try:
            _, aside = parse(event, card, max_created, settings.input_rules)
            is_plain = not aside.unknown
        except InvalidEvent as error:
            received = Input(card, event, Origin(str(file), 0, number - 1))
            rejections.add([reject(received, error)])
            is_plain = False
        if not is_plain and kind_in(event) not in {kind, None}:
            others += 1
            first_other = first_other or number
        if number % _SHOWN_EVERY == 0:
            show(number)
    show(number)
    return Survey(kind, number, others, first_other, rejections)
