"""The job as Faust's documentation teaches it: agents, and windowed tables in RocksDB.

The card agent sends to a topic keyed by merchant. That is what `group_by` does, which would send
each charge once more, since it can only pass on what comes in.
"""

import os
from typing import Any

import faust

from tests.bench.contestants.learning import WINDOWS_S, Learning, features

PREFIX = os.environ["BENCH_PREFIX"]
PARTITIONS = int(os.environ["BENCH_PARTITIONS"])

app = faust.App(
    f"{PREFIX}faust",
    broker=f"kafka://{os.environ['BENCH_SERVERS']}",
    store="rocksdb://",
    datadir=os.environ["BENCH_STATE"],
    topic_partitions=PARTITIONS,
    web_enabled=False,
)


class Charge(faust.Record):
    """What is used of a charge."""

    id: str
    created: float
    amount: int
    card: str
    merchant: str


class Counted(faust.Record):
    """A charge and the counts of its card."""

    id: str
    created: float
    amount: int
    card: str
    merchant: str
    counts: list[int]


class Dispute(faust.Record):
    """What is used of a dispute."""

    charge: str
    reason: str


class Scored(faust.Record):
    """What comes out."""

    charge: str
    card: str
    merchant: str
    amount: int
    created: float
    score: float


charges = app.topic(f"{PREFIX}charges", key_type=str, value_type=Charge)
disputes = app.topic(f"{PREFIX}disputes", key_type=str, value_type=Dispute)
scored = app.topic(f"{PREFIX}scored", key_type=str, value_type=Scored)
counted = app.topic(
    f"{PREFIX}faust-by-merchant",
    key_type=str,
    value_type=Counted,
    partitions=PARTITIONS,
    internal=True,
)


def windows(name: str, record: type[Any]) -> list[Any]:
    """Return a table for each window, by event time."""
    return [
        app.Table(f"{name}-{size}", default=int, partitions=PARTITIONS)
        .tumbling(size, expires=size)
        .relative_to_field(record.created)
        for size in WINDOWS_S
    ]


by_card = windows("card", Charge)
by_merchant = windows("merchant", Counted)
learning = Learning()


@app.agent(charges)
async def count_cards(stream: Any) -> None:
    """Count the charges of each card, and send them on by merchant."""
    async for charge in stream:
        for table in by_card:
            table[charge.card] += 1
        value = Counted(
            id=charge.id,
            created=charge.created,
            amount=charge.amount,
            card=charge.card,
            merchant=charge.merchant,
            counts=[table[charge.card].value() for table in by_card],
        )
        await counted.send(key=charge.merchant, value=value)


@app.agent(counted)
async def score(stream: Any) -> None:
    """Count the charges of each merchant, and score them."""
    async for charge in stream:
        for table in by_merchant:
            table[charge.merchant] += 1
        counts = [table[charge.merchant].value() for table in by_merchant]
        value = Scored(
            charge=charge.id,
            card=charge.card,
            merchant=charge.merchant,
            amount=charge.amount,
            created=charge.created,
            score=learning.score(charge.id, features(charge.amount, charge.counts, counts)),
        )
        await scored.send(key=charge.card, value=value)


@app.agent(disputes)
async def learn(stream: Any) -> None:
    """Learn from frauds."""
    async for dispute in stream:
        if dispute.reason == "fraudulent":
            learning.learn_fraud(dispute.charge)


if __name__ == "__main__":
    app.main()
