"""The job as Faust's documentation teaches it: agents, and tables in RocksDB.

The card agent sends to a topic keyed by merchant. That is what `group_by` does, which would send
each charge once more, since it can only pass on what comes in.
"""

import os
from typing import Any

import faust

from tests.bench.contestants.learning import Learning, features
from tests.bench.contestants.windows import WINDOWS_S, count

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


class TableOfEachWindow:
    """A table for each window, by event time, as the documentation teaches windows."""

    def __init__(self, name: str, record: type[Any]) -> None:
        self._tables = [
            app.Table(f"{name}-{size}", default=int, partitions=PARTITIONS)
            .tumbling(size, expires=size)
            .relative_to_field(record.created)
            for size in WINDOWS_S
        ]

    def count(self, key: str, _created: float) -> list[int]:
        """Count a charge and return the counts."""
        for table in self._tables:
            table[key] += 1
        return [table[key].value() for table in self._tables]


class OneTable:
    """All windows of a key in one value of one table: one read and one write in place of many."""

    def __init__(self, name: str, _record: type[Any]) -> None:
        self._table = app.Table(name, default=list, partitions=PARTITIONS)

    def count(self, key: str, created: float) -> list[int]:
        """Count a charge and return the counts."""
        self._table[key], counts = count(self._table[key], created)
        return counts


Tables = OneTable if os.environ["BENCH_TABLES"] == "one" else TableOfEachWindow
by_card = Tables("card", Charge)
by_merchant = Tables("merchant", Counted)
learning = Learning()


@app.agent(charges)
async def count_cards(stream: Any) -> None:
    """Count the charges of each card, and send them on by merchant."""
    async for charge in stream:
        value = Counted(
            id=charge.id,
            created=charge.created,
            amount=charge.amount,
            card=charge.card,
            merchant=charge.merchant,
            counts=by_card.count(charge.card, charge.created),
        )
        await counted.send(key=charge.merchant, value=value)


@app.agent(counted)
async def score(stream: Any) -> None:
    """Count the charges of each merchant, and score them."""
    async for charge in stream:
        counts = by_merchant.count(charge.merchant, charge.created)
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
