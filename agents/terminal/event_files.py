"""What a file of events holds, and how much of it could be used: asked before it is used."""

import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import orjson

from agents.evaluation.rejections import Rejections
from agents.settings.schema import Settings
from schemas.aside import Aside
from schemas.envelopes import event_in
from schemas.outcome import OUTCOMES
from schemas.rejected import InvalidEvent
from schemas.validation import parse_charge, parse_dispute, parse_outcome
from streams.events.decoding import card_in
from streams.events.files import FileError, read_events
from streams.events.origin import Origin
from streams.events.rejected import Input, reject
from streams.events.sources import Source

Kind = Literal["charges", "disputes", "outcomes"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

ALLOW = "--allow-rejected"
LOOKED_AT = 1000
"""Events at the start of a file that are looked at where not all are."""

_NAMED: Final[dict[str, Kind]] = {
    "charge": "charges",
    "dispute": "disputes",
    "early_fraud_warning": "disputes",
    "radar.early_fraud_warning": "disputes",
    "outcome": "outcomes",
}
"""What an event is that says it itself, in `object`."""

_PARSE: Final[dict[Kind, Callable[..., tuple[object, Aside]]]] = {
    "charges": parse_charge,
    "disputes": parse_dispute,
    "outcomes": parse_outcome,
}
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
        How many of them are of another kind.
    first_other
        Number of the first of those, from 1.
    other_kind
        What that one is.
    rejections
        What could not be used.
    """

    kind: Kind
    events: int
    others: int
    first_other: int
    other_kind: Kind | None
    rejections: Rejections


def kind_in(event: bytes) -> Kind | None:
    """Tell a charge from what is about one, a dispute or an outcome; `None` for what is neither.

    Examples
    --------
    >>> kind_in(b'{"id":"c1","amount":1999}'), kind_in(b"nonsense")
    ('charges', None)
    >>> kind_in(b'{"id":"d1","charge":"c1","reason":"fraudulent","amount":1999}')
    'disputes'
    >>> kind_in(b'{"id":"o1","charge":"c1","outcome":"authorized"}')
    'outcomes'
    """
    try:
        written = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    fields = event_in(written) or written
    if not isinstance(fields, dict):
        return None
    named = fields.get("object")
    if isinstance(named, str) and named in _NAMED:
        return _NAMED[named]
    return _kind_by_fields(
        {n: content for n, content in fields.items() if content not in (None, "")}
    )


def _kind_by_fields(given: Mapping[str, Any]) -> Kind | None:
    """Tell the kind by fields alone: disputes and outcomes may have amounts and each other's."""
    outcome = given.get("outcome")
    if "charge" in given:
        if isinstance(outcome, str) and outcome.lower() in OUTCOMES:
            return "outcomes"
        if "reason" in given or "fraud_type" in given:
            return "disputes"
        if isinstance(outcome, str):
            return "outcomes"
    if "amount" in given:
        return "charges"
    return "disputes" if "charge" in given or "fraud_type" in given else None


def kind_of(file: Path) -> Kind:
    """Return what the first event of a file that is of any kind is.

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
        f"{file}: holds no charge, dispute or outcome at its start; --as charges, --as disputes or "
        f"--as outcomes says what it holds{example}"
    )


def survey(
    source: Source,
    kind: Kind,
    settings: Settings,
    limit: int | None = None,
    show: Callable[[int], None] = lambda _: None,
) -> Survey:
    """Look at the events of a file, as a worker would.

    Parameters
    ----------
    source
        A file, as it is or by a mapping.
    kind
        What its events are to be.
    settings
        As for a worker.
    limit
        How many rows are looked at, `None` for all.
    show
        Called now and then with how many have been.

    Raises
    ------
    FileError
        When it cannot be read.
    """
    parse = _PARSE[kind]
    max_created = time.time() + settings.future_allowance_minutes * 60.0
    rejections = Rejections(None)
    number = others = first_other = 0
    other_kind: Kind | None = None
    events = source.events() if limit is None else source.first(limit)
    for number, event in enumerate(events, 1):
        card = card_in(event)
        try:
            _, aside = parse(event, card, max_created, settings.input_rules)
            is_plain = not aside.unknown
        except InvalidEvent as error:
            received = Input(card, event, Origin(source.name, 0, number - 1))
            rejections.add([reject(received, error)])
            is_plain = False
        if not is_plain and (found := kind_in(event)) not in {kind, None}:
            others += 1
            if not first_other:
                first_other, other_kind = number, found
        if number % _SHOWN_EVERY == 0:
            show(number)
    show(number)
    return Survey(kind, number, others, first_other, other_kind, rejections)
