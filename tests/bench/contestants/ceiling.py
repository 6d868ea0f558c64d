"""What the client library allows: consume, decode, produce; no state, no transaction, no work."""

import os
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer

BATCH = 5_000
WAIT_S = 0.1


def main() -> None:
    """Pass charges on until the process is ended."""
    servers, prefix = os.environ["BENCH_SERVERS"], os.environ["BENCH_PREFIX"]
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{prefix}ceiling",
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 5,
            "batch.num.messages": 100_000,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": "lz4",
        }
    )
    consumer.subscribe([f"{prefix}charges"])
    while True:
        scored: list[dict[str, Any]] = []
        for message in consumer.consume(BATCH, WAIT_S):
            value = message.value()
            assert value is not None
            charge = orjson.loads(value)
            scored.append({"key": charge["card"], "value": value})
        producer.produce_batch(f"{prefix}scored", scored)
        producer.poll(0)


if __name__ == "__main__":
    main()
