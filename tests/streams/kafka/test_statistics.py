"""What is read of librdkafka's statistics is where it says it is."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, Producer

from streams.kafka.statistics import ClientStatistics, figures_in

NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "error_cb": lambda _: None}
OF_A_BROKER = ("nodeid", "rtt", "throttle", "outbuf_cnt", "waitresp_cnt", "txerrs", "rxerrs",
               "req_timeouts", "disconnects")  # fmt: skip


def told(make: Any, **settings: object) -> tuple[Any, Any]:
    """Return the statistics of a real client, which has no broker, and what is read of them."""
    statistics, raw = ClientStatistics(), list[str]()
    own = statistics.settings("client")
    note = own["stats_cb"]

    def tell(text: str) -> None:
        raw.append(text)
        note(text)

    own |= {"statistics.interval.ms": 50, "stats_cb": tell}
    client = make(NOWHERE | own | settings)
    deadline = time.monotonic() + 20.0
    while not raw or not orjson.loads(raw[-1])["brokers"]:
        assert time.monotonic() < deadline
        client.poll(0.05)
    return orjson.loads(raw[-1]), statistics.take()["client"]


@pytest.mark.parametrize("make", [Producer, Consumer])
def test_a_client_tells_the_fields_that_are_read(make: Any) -> None:
    settings = {"group.id": "group"} if make is Consumer else {}
    raw, figures = told(make, **settings)
    assert raw["brokers"]
    for broker in raw["brokers"].values():
        assert [name for name in OF_A_BROKER if name not in broker] == []
        assert "p99" in broker["rtt"]
        assert "avg" in broker["throttle"]
    assert "msg_cnt" in raw
    assert ("rebalance_cnt" in raw.get("cgrp", {})) == (make is Consumer)
    assert figures.round_trips_s == {}, "an address to begin with is no broker"


def test_figures_are_of_brokers_in_seconds() -> None:
    broker = {"rtt": {"p99": 2500}, "throttle": {"avg": 40}, "outbuf_cnt": 1, "waitresp_cnt": 2,
              "txerrs": 1, "rxerrs": 2, "req_timeouts": 3, "disconnects": 4}  # fmt: skip
    statistics = {
        "msg_cnt": 7,
        "cgrp": {"rebalance_cnt": 5},
        "brokers": {
            "a:9092/1": {"nodeid": 1, **broker},
            "a:9092/2": {"nodeid": 2, **broker, "rtt": {"p99": 900}},
            "a:9092/bootstrap": {"nodeid": -1, **broker},
        },
    }
    figures = figures_in(orjson.dumps(statistics).decode())
    assert figures.round_trips_s == {"1": 0.0025, "2": 0.0009}
    assert figures.throttled_s == {"1": 0.04, "2": 0.04}
    assert (figures.queued_messages, figures.unanswered, figures.rebalances) == (7, 9, 5)
    assert figures.errors == {"sending": 3, "receiving": 6, "timeout": 9, "disconnect": 12}
