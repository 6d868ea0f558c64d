"""One message of the simulated stream, as its consumer gets it."""

from typing import Literal, NamedTuple

from streams.simulator.wire import Value


class SimulatedEvent(NamedTuple):
    """One message of the stream, and what only the simulator knows about it.

    Parameters
    ----------
    topic
        The topic's name without its prefix.
    key
        The message key: the card, UTF-8.
    value
        The event, in the fields of the wire; ready for a JSON encoder.
    event_time
        `created` of the event, Unix seconds (for a damaged event, of the good one beside it).
    publish_time
        When the producer sends it, Unix seconds; never before `event_time`, never falling.
    fraud
        The pattern of fraud that the charge (or the disputed charge) is part of; None if genuine.
    disputed
        Whether the charge, if it goes through, is disputed as fraudulent, however late.
    duplicate
        Whether it is a duplicate of an earlier message.
    fault
        The reason for which the event is to be rejected; None for a good one.
    """

    topic: Literal["charges", "disputes"]
    key: bytes
    value: Value
    event_time: float
    publish_time: float
    fraud: str | None = None
    disputed: bool = False
    duplicate: bool = False
    fault: str | None = None
