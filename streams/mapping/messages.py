"""Messages in a company's own shape, as the events that a mapping makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.envelopes import event_in
from schemas.rejected import InvalidEvent
from schemas.unusable import unusable_in, unusable_row
from schemas.validation import PAYLOAD_BYTES_MAX
from streams.events.rejected import Input, Original
from streams.mapping.mistakes import MappingError
from streams.mapping.paths import getter, text_of
from streams.mapping.row_events import RowEvents

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.events.row_files import Row
    from streams.mapping.making import Means
    from streams.mapping.mapping import Kind, Mapping

KINDS: Final[dict[str, Kind]] = {
    "charges": "charge",
    "disputes": "dispute",
    "outcomes": "outcome",
}
"""Of the events of each input."""


class MessageMapping:
    """Makes events of the messages of the inputs.

    Parameters
    ----------
    mapping
        What their fields are. What it makes of the row of a charge beside the charge does not come
        of a message: disputes and outcomes have messages of their own.
    means
        What it needs.

    Raises
    ------
    MappingError
        When it makes no charges, or ids of the numbers of rows, which messages have not.
    """

    def __init__(self, mapping: Mapping, means: Means) -> None:
        own = replace(mapping, events=tuple(e for e in mapping.events if not e.is_of_charge))
        if not own.of_kind("charge"):
            raise MappingError(f"{mapping.name}: makes no charges of the messages of a topic")
        for event in own.events:
            if any(spec.by_row for spec in event.fields.values()):
                raise MappingError(
                    f"{mapping.name}: {event.place}: a message is no row with a number: for a "
                    "worker, `row` has to be a column, or a `digest` of some"
                )
        self._made = {
            source: RowEvents(own, kind, means, {})
            for source, kind in KINDS.items()
            if own.of_kind(kind)
        }
        self._raw_cards = {source: _raw_cards(own, KINDS[source]) for source in self._made}

    def read(self, source: str, received: Input) -> Input | None:
        """Return an input with its event for a payload; `None` where the mapping leaves it out.

        What is no JSON object stays as it is, and so does all of an input that the mapping says
        nothing of. The key is the card, as the event has it or as it is written in the message.
        """
        made = self._made.get(source)
        value = received.value
        if made is None or value is None or len(value) > PAYLOAD_BYTES_MAX:
            return received
        row = _row(value)
        if row is None or unusable_in(row) is not None:
            return received
        events = list(made.of(row, received.origin.offset))
        if not events:
            return None
        original = received.original or Original(received.key, value)
        event, key = events[0], received.key
        if len(events) > 1:
            event = InvalidEvent("schema", "payload: the mapping makes several events of it")
        if isinstance(event, InvalidEvent):
            return Input(key, unusable_row(event), received.origin, original)
        card = event.get("card")
        if isinstance(card, str) and key in {raw(row) for raw in self._raw_cards[source]}:
            key = card.encode()
        return Input(key, _encoded(event), received.origin, original)


def _row(value: bytes) -> Row | None:
    """Return the row of a payload, out of its envelope if there is one."""
    try:
        row: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    while (inside := event_in(row)) is not None:
        row = inside
    return row if isinstance(row, dict) else None


def _raw_cards(mapping: Mapping, kind: Kind) -> list[Callable[[Row], bytes | None]]:
    """Return what reads the card as it is written, of each event of a kind."""
    specs = [event.fields["card"] for event in mapping.of_kind(kind) if "card" in event.fields]
    return [_raw_card(spec.paths[0]) for spec in specs if len(spec.paths) == 1]


def _raw_card(path: str) -> Callable[[Row], bytes | None]:
    get = getter(path)

    def raw(row: Row) -> bytes | None:
        text = text_of(get(row))
        return None if text is None else text.encode()

    return raw


def _encoded(event: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(event)
    except (TypeError, ValueError) as error:
        return unusable_row(InvalidEvent("json", f"payload: {error}"))
