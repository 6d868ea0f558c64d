"""What Kafka clients measure of themselves: librdkafka's statistics, as far as operators need them.

Fields: "Statistics" in librdkafka's STATISTICS.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD_EVERY_MS: Final = 10_000

_ERRORS: Final = {
    "sending": "txerrs",
    "receiving": "rxerrs",
    "timeout": "req_timeouts",
    "disconnect": "disconnects",
}
"""Kinds of errors, and the fields of a broker that count them."""


class ClientFigures(NamedTuple):
    """What a client measures of itself.

    Attributes
    ----------
    round_trips_s
        By broker, the 99th percentile of the time from a request to its answer, seconds.
    throttled_s
        By broker, how long the client was told to wait, as it is over its quota, seconds a request.
    queued_messages
        Messages that wait in the client to be sent.
    unanswered
        Requests whose answer is yet to come, or that wait to be sent.
    errors
        Since the client was made, by kind: of `sending`, of `receiving`, `timeout` of a request,
        `disconnect`.
    rebalances
        Of its group, since it was made.
    """

    round_trips_s: Mapping[str, float]
    throttled_s: Mapping[str, float]
    queued_messages: int
    unanswered: int
    errors: Mapping[str, int]
    rebalances: int


class ClientStatistics:
    """The newest statistics of the clients of a process, by the name of each.

    They come by the callbacks of a client, so one that has them is polled now and then.

    Examples
    --------
    >>> statistics = ClientStatistics()
    >>> tell = statistics.settings("inputs")["stats_cb"]
    >>> tell('{"msg_cnt": 3, "brokers": {"b:9092/1": {"nodeid": 1, "rtt": {"p99": 1500}}}}')
    >>> figures = statistics.take()["inputs"]
    >>> figures.round_trips_s, figures.queued_messages
    ({'1': 0.0015}, 3)
    >>> statistics.take()
    {}
    """

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}

    def settings(self, client: str) -> dict[str, Any]:
        """Return the settings by which a client tells its statistics under a name."""
        note = partial(self._newest.__setitem__, client)
        return {"statistics.interval.ms": TOLD_EVERY_MS, "stats_cb": note}

    def take(self) -> dict[str, ClientFigures]:
        """Return what has been told since this was last called."""
        told, found = list(self._newest), {}
        for client in told:
            found[client] = figures_in(self._newest.pop(client))
        return found


def figures_in(statistics: str) -> ClientFigures:
    """Return what operators need of the statistics of a client.

    Only of brokers by their number: what is left out is an address to begin with, or stands for
    the coordinator of a group, which is one of them.
    """
    told = orjson.loads(statistics)
    brokers = {
        str(broker["nodeid"]): broker
        for broker in told["brokers"].values()
        if broker["nodeid"] >= 0
    }
    return ClientFigures(
        round_trips_s={n: broker["rtt"]["p99"] / 1e6 for n, broker in brokers.items()},
        throttled_s={
            n: broker.get("throttle", {}).get("avg", 0) / 1e3 for n, broker in brokers.items()
        },
        queued_messages=told.get("msg_cnt", 0),
        unanswered=sum(
            broker.get("outbuf_cnt", 0) + broker.get("waitresp_cnt", 0)
            for broker in told["brokers"].values()
        ),
        errors={
            kind: sum(broker.get(field, 0) for broker in told["brokers"].values())
            for kind, field in _ERRORS.items()
        },
        rebalances=told.get("cgrp", {}).get("rebalance_cnt", 0),
    )
