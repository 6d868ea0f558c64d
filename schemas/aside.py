"""What there is to tell of a message, and to carry along, beside its event."""

from typing import Final, NamedTuple

import orjson

Unknown = dict[str, orjson.Fragment]


class Aside(NamedTuple):
    """What validation found beside the event.

    Attributes
    ----------
    unknown
        Fields beyond the known ones, to be written with `orjson.dumps`: byte for byte as they came
        save masked card numbers. Not to be changed: it is often the same empty dict.
    masked
        Names of the fields in which a card number was masked, in the message's order; masked too.
    ignored
        Names of the optional fields that had a value they cannot have, in the type's order, and of
        the signals that had.
    left
        Names of the identifiers that look like a card number and were left as they are.
    """

    unknown: Unknown
    masked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


NOTHING: Final = Aside({})
