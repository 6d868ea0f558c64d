"""How long more partitions take: `python -m tests.bench.grow --cards 1000000 --charges 2000000`.

The state is made of records that stages have written, under as many keys as are asked for, and is
put into the changelogs of a real Kafka. What is there afterwards is counted apart from the product.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import orjson
from confluent_kafka import Producer
from xxhash import xxh3_64_intdigest

from agents.growing.procedure import Growing
from agents.settings.schema import Settings
from deploy.local_kafka import LocalKafka
from streams.durations import DAY_S
from streams.engine.task import POSITIONS
from streams.features.entities import CARDS, MERCHANTS
from streams.kafka.clients import Clients
from streams.kafka.config import Admin, client_config
from streams.kafka.installation import Installation
from streams.kafka.partition_reader import PartitionReader
from streams.kafka.partitioner import partitions_of
from streams.kafka.topics import Topics, ensure_topics
from streams.labels.charge_index import index_key
from streams.labels.pending import day_key
from streams.simulator import Simulation
from streams.state.tables import CHARGES, META, PENDING, TIMERS
from tests.agents.growing.tasks import Records, Tasks
from tests.agents.stages.stages import START, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.kafka.config import Config

SEED = 7
DAYS = 90
AT_ONCE = 10_000
TIMED_EVERY = 60
"""A charge of so many has a timer: 30 days of 180, and a tenth of the charges."""

_FLUSH_S = 600.0
_STARTED = time.monotonic()


class Record(NamedTuple):
    """A record for a changelog."""

    partition: int
    key: bytes
    value: bytes


def main() -> None:
    """Fill, grow, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=100_000)
    parser.add_argument("--charges", type=int, default=200_000)
    parser.add_argument("--before", type=int, default=12)
    parser.add_argument("--after", type=int, default=24)
    asked = parser.parse_args()
    with LocalKafka() as kafka, TemporaryDirectory(prefix="grow-") as directory:
        config = client_config(kafka.bootstrap_servers, {})
        topics, admin = Topics("grow."), Admin(config)
        ensure_topics(admin, topics, asked.before)
        Installation(config, topics).keep_partitions(asked.before)
        began = time.monotonic()
        fill(config, topics, asked)
        say(f"filled in {time.monotonic() - began:.0f} s")
        held = counted(config, topics, asked.before)
        settings = Settings(topic_prefix="grow.", state_dir=Path(directory) / "state")
        began, cpu_s = time.monotonic(), time.process_time()
        Growing(settings, admin, config, topics, say).to(asked.after)
        say(
            f"grown in {time.monotonic() - began:.0f} s, CPU {time.process_time() - cpu_s:.0f} s, "
            f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB of memory"
        )
        check(held, counted(config, topics, asked.after), asked.after)


def say(line: str) -> None:
    """Print a line with the seconds since the start of the process."""
    sys.stdout.write(f"{time.monotonic() - _STARTED:6.0f} s  {line}\n")
    sys.stdout.flush()


def fill(config: Config, topics: Topics, asked: argparse.Namespace) -> None:
    """Write the state of so many cards and charges into the changelogs."""
    tasks = Tasks(1)
    tasks.feed(simulated(Simulation(seed=SEED, cards=60, merchants=20, days=5.0,
                                    charges_per_day=60.0)))  # fmt: skip
    [samples] = tasks.records()
    producer = Producer(config | {"enable.idempotence": True, "linger.ms": 5,
                                  "compression.type": "lz4",
                                  "queue.buffering.max.messages": 1_000_000})  # fmt: skip
    for record in made(samples, asked.cards, asked.charges, asked.before):
        while True:
            try:
                producer.produce(topics.changelog, record.value, record.key, record.partition)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(_FLUSH_S) == 0


def made(samples: Records, cards: int, charges: int, partitions: int) -> Iterator[Record]:
    """Make the records, each in the partition in which workers would have it."""
    values = {
        table: [value for key, value in samples.items() if key[:1] == table]
        for table in (CARDS.prefix, MERCHANTS.prefix, PENDING)
    }
    for key, value in samples.items():
        if key[:1] == META:
            for partition in range(partitions):
                yield Record(partition, key, value)
    nothing = orjson.dumps(dict.fromkeys(("charges", "disputes", "by_merchant"), 0))
    for partition in range(partitions):
        yield Record(partition, META + POSITIONS, nothing)
    for table, name, count in (
        (CARDS.prefix, b"card_%09d", cards), (MERCHANTS.prefix, b"shop_%06d", cards // 100),
    ):  # fmt: skip
        for start in range(0, count, AT_ONCE):
            names = [name % number for number in range(start, min(start + AT_ONCE, count))]
            places = partitions_of(names, partitions).tolist()
            for number, (place, own) in enumerate(zip(places, names, strict=True)):
                yield Record(place, table + own, values[table][number % len(values[table])])
    yield from charges_made(values[PENDING], cards, charges, partitions)


def charges_made(
    pending: list[bytes], cards: int, charges: int, partitions: int
) -> Iterator[Record]:
    """Make the records of charges: index, kept vector and, of some, the timer."""
    rng = np.random.default_rng(SEED)
    for start in range(0, charges, AT_ONCE):
        some = min(AT_ONCE, charges - start)
        hashes = [rng.bytes(16) for _ in range(some)]
        made_at = (START + rng.random(some) * DAYS * DAY_S).tolist()
        of_cards = [b"card_%09d" % number for number in rng.integers(cards, size=some).tolist()]
        shops = [b"shop_%06d" % number for number in rng.integers(cards // 100, size=some).tolist()]
        at_card = partitions_of(of_cards, partitions).tolist()
        at_shop = partitions_of(shops, partitions).tolist()
        for i in range(some):
            kept = day_key(int(made_at[i] // DAY_S)) + hashes[i]
            created = np.float64(made_at[i])
            yield Record(at_card[i], CHARGES + index_key(kept), created.tobytes() + shops[i])
            yield Record(at_shop[i], PENDING + kept, pending[i % len(pending)])
            if i % TIMED_EVERY == 0:
                time_key = created.astype(">f8").tobytes()
                yield Record(at_shop[i], TIMERS + time_key + hashes[i], kept)


def counted(config: Config, topics: Topics, partitions: int) -> list[dict[bytes, int]]:
    """Return what each changelog holds in the end: by key a hash of its value."""
    held = []
    for partition in range(partitions):
        reader = PartitionReader(Clients(config), topics.changelog, partition)
        latest: dict[bytes, int] = {}
        for messages in reader.read_to_end():
            for message in messages:
                key, value = message.key() or b"", message.value()
                if value is None:
                    latest.pop(key, None)
                else:
                    latest[key] = xxh3_64_intdigest(value)
        reader.close()
        held.append(latest)
    return held


def check(before: list[dict[bytes, int]], after: list[dict[bytes, int]], partitions: int) -> None:
    """Compare what there was with what there is."""
    moved = {CARDS.prefix, MERCHANTS.prefix, PENDING, TIMERS}
    there = [
        Counter(item for held in all_ for item in held.items() if item[0][:1] in moved)
        for all_ in (before, after)
    ]
    assert there[0] == there[1], "each record is there once, as it was"
    indexed = [
        {item for held in all_ for item in held.items() if item[0][:1] == CHARGES}
        for all_ in (before, after)
    ]
    assert indexed[0] == indexed[1]
    for number, held in enumerate(after):
        own = [key[1:] for key in held if key[:1] in {CARDS.prefix, MERCHANTS.prefix}]
        assert set(partitions_of(own, partitions).tolist()) <= {number}
        kept = {key[1:] for key in held if key[:1] == PENDING}
        assert {key[9:] for key in held if key[:1] == TIMERS} <= {key[4:] for key in kept}
    total = sum(there[1].values()) + len(indexed[1])
    say(f"counted apart: {total:,} records, as before; sizes {[len(held) for held in after]}")


if __name__ == "__main__":
    main()
