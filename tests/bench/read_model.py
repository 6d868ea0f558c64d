"""`python -m tests.bench.read_model`: how fast the read model is built, and how soon it answers.

Charges with their scored events, 2% of them disputed and most reviews judged, are put on a real
Kafka. A process builds the read model of them, from nothing; then each query is asked many times,
of the merchant, card and device that have the most charges, too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click
import orjson
from confluent_kafka import Producer
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from agents.web.read_model import tables
from agents.web.read_model.database import ReadModel
from agents.web.read_model.queries.charge_view import charge_view
from agents.web.read_model.queries.histories import history_page, neighbours, totals
from agents.web.read_model.queries.latencies import latency_by_day, latest_latency
from agents.web.read_model.queries.overview import day_sums, overview
from agents.web.read_model.queries.rejected_inputs import count_by_reason, rejected_page
from agents.web.read_model.queries.review_queue import QueueFilter, count_queue, queue_page
from agents.web.read_model.queries.search import search
from deploy.local_kafka import LocalKafka
from streams.kafka.config import Admin, client_config
from streams.kafka.topics import Topics, ensure_topics
from tests.agents.web.read_model.databases import PostgreSQL, postgresql_binaries, sqlite_url
from tests.bench.machine import machine
from tests.bench.percentiles import quantile
from tests.bench.process import CPU_TICKS_PER_S
from tests.integration.follower import FollowerProcess, wait_until_fresh
from tests.integration.kafka import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from streams.kafka.config import Config

SEED = 21
BEGAN, SPAN_S = 1_785_000_000.0, 60 * 86_400.0
PARTITIONS = 4
BUILD_TIMEOUT_S = 1800.0
ROUNDS = 15

say = partial(click.echo, err=True)
Query = tuple[str, "Callable[[Connection], object]"]


@click.command()
@click.option("--charges", default=1_000_000, show_default=True)
@click.option("--database", default="sqlite", type=click.Choice(["sqlite", "postgresql"]))
def main(charges: int, database: str) -> None:
    """Build a read model of so many charges, and ask it."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chargewatch-")))
        local = stack.enter_context(LocalKafka())
        kafka = Kafka(client_config(local.bootstrap_servers, {}))
        url = sqlite_url(directory)
        if database == "postgresql":
            binaries = postgresql_binaries()
            assert binaries, "PostgreSQL is not installed"
            url = stack.enter_context(PostgreSQL(binaries)).url
        ensure_topics(Admin(kafka.config), Topics(), PARTITIONS)
        say(f"publishing {charges:,} charges")
        events = publish(kafka.config, charges)
        say("building")
        built = build(kafka, url, directory)
        show(database, events, built, url)


def publish(config: Config, charges: int) -> int:
    """Publish charges and all that is about them; return how many events they are."""
    producer = Producer(config | {"linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    count = 0
    for topic, card, event in _events(charges):
        while True:
            try:
                producer.produce(topic, orjson.dumps(event), card)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        count += 1
    assert producer.flush(60) == 0
    return count


def _events(charges: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    random = Random(SEED)
    for number in range(charges):
        charge = _charge(random, number, BEGAN + SPAN_S * number / charges)
        card, about = charge["card"], {n: charge[n] for n in ("card", "merchant")}
        yield "charges", card, charge
        draw = random.random()
        action = "allow" if draw < 0.95 else "challenge" if draw < 0.97 else "review"
        action = "block" if draw > 0.985 else action
        yield "scored", card, _scored(random, charge, action)
        about |= {"charge": charge["id"], "created": charge["created"] + 3600.0}
        if random.random() < 0.02:
            yield "disputes", card, about | {"id": f"d{number}", "reason": "fraudulent"}
        if action == "review" and random.random() < 0.6:
            verdict = random.choice(("review_fraud", "review_genuine"))
            yield "outcomes", card, about | {"id": f"o{number}", "outcome": verdict, "by": "ann"}


def _charge(random: Random, number: int, created: float) -> dict[str, Any]:
    """Return a charge. A few cards and merchants have many: what is asked of them is the worst."""
    return {
        "id": f"ch_{random.getrandbits(64):016x}", "created": created,
        "amount": random.randrange(100, 50_000), "currency": "usd",
        "card": f"card_{int(random.paretovariate(0.5)) % 300_000:06d}",
        "merchant": f"acct_{int(random.paretovariate(0.8)) % 2000:05d}", "mcc": 5411,
        "merchant_country": "US", "card_country": "US", "ip_country": "US", "funding": "credit",
        "channel": "online", "device": f"dev_{int(random.paretovariate(0.5)) % 300_000}",
        "ip": f"ip_{random.randrange(300_000)}", "email": f"em_{random.randrange(300_000)}",
        "cvc_check": "pass", "postal_check": "pass", "order": number,
    }  # fmt: skip


def _scored(random: Random, charge: dict[str, Any], action: str) -> dict[str, Any]:
    carried = ("card", "merchant", "amount", "currency", "created", "order")
    reasons = [
        {"feature": f"feature_{n}", "value": 3.25, "text": "3.2 times what this card usually pays"}
        for n in range(3)
    ]
    return {
        "charge": charge["id"], **{name: charge[name] for name in carried},
        "score": random.random() ** 8, "risk": random.randrange(100), "action": action,
        "reasons": reasons, "model": "stack-12345", "scored_at": charge["created"] + 0.1,
        "decided_by": "model",
    }  # fmt: skip


@dataclass(frozen=True)
class Built:
    """What building took, from the start of the process, whose memory `peak_mb` is."""

    seconds: float
    cpu_s: float
    peak_mb: float


def build(kafka: Kafka, url: URL, directory: Path) -> Built:
    """Have a process build the read model."""
    began, wall = time.monotonic(), time.time()
    with FollowerProcess(kafka, "", url, directory / "log") as follower:
        wait_until_fresh(url, wall, BUILD_TIMEOUT_S)
        seconds = time.monotonic() - began
        process = Path(f"/proc/{follower.process.pid}")
        stat = (process / "stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        _, _, peak = (process / "status").read_text(encoding="ascii").partition("VmHWM:")
        follower.stop()
    cpu_s = (int(user) + int(system)) / CPU_TICKS_PER_S
    return Built(seconds, cpu_s, int(peak.split()[0]) / 2**10)


def show(database: str, events: int, built: Built, url: URL) -> None:
    """Ask, and print everything."""
    console = Console(width=100)
    console.print(machine())
    console.print(
        f"{database}: {events:,} events in {built.seconds:.1f} s, "
        f"{events / built.seconds:,.0f} a second; {1e6 * built.cpu_s / events:.1f} microseconds of "
        f"CPU an event; at most {built.peak_mb:,.0f} MB of memory"
    )
    if url.get_backend_name() == "sqlite":
        console.print(f"{Path(url.database or '').stat().st_size / 2**20:,.0f} MB")
    table = Table(box=box.SIMPLE)
    for name in ("query", "first, ms", "median", "slowest"):
        table.add_column(name, justify="left" if name == "query" else "right")
    read_model = ReadModel(url)
    for what, ask in _queries(read_model):
        took_ms = [_asked_ms(read_model, ask) for _ in range(ROUNDS)]
        figures = took_ms[0], quantile(sorted(took_ms), 0.5), max(took_ms)
        table.add_row(what, *(f"{each:.1f}" for each in figures))
    console.print(table)


def _asked_ms(read_model: ReadModel, ask: Callable[[Connection], object]) -> float:
    began = time.perf_counter()
    with read_model.reading() as connection:
        ask(connection)
    return 1e3 * (time.perf_counter() - began)


def _queries(read_model: ReadModel) -> list[Query]:
    most: dict[str, str] = {}
    with read_model.reading() as connection:
        for table, names in ((tables.charges, ("card", "merchant")), (tables.details, ("device",))):
            for name in names:
                column = table.c[name]
                query = select(column).group_by(column).order_by(func.count().desc()).limit(1)
                most[name] = str(connection.scalar(query))
        charge = connection.scalars(select(tables.charges.c.charge).limit(1).offset(1000)).one()
    middle = BEGAN + SPAN_S / 2
    orders: list[Any] = ["oldest", "newest", "risk", "amount"]
    of_it, free = QueueFilter(merchant=most["merchant"]), QueueFilter(free_for="ann", now=1.0)
    return [
        ("overview of 60 days", lambda c: overview(c, BEGAN, BEGAN + SPAN_S)),
        ("latency of 60 days", lambda c: latency_by_day(c, BEGAN, BEGAN + SPAN_S)),
        ("latency now", lambda c: latest_latency(c, 0.0)),
        *((f"queue by {sort}", _queue(QueueFilter(), sort)) for sort in orders),
        ("queue, second page", _second_page),
        ("queue of a merchant", _queue(of_it, "risk")),
        ("queue that is free", _queue(free, "amount")),
        ("count of the queue", lambda c: count_queue(c, free)),
        ("charge", lambda c: charge_view(c, charge)),
        *((f"history of a {kind}", _history(kind, value)) for kind, value in most.items()),
        *((f"nearest of a {kind}", _near(kind, value, middle)) for kind, value in most.items()),
        *((f"totals of a {kind}", _totals(kind, value)) for kind, value in most.items()),
        ("days of a merchant", lambda c: day_sums(c, most["merchant"], BEGAN, BEGAN + SPAN_S)),
        *((f"search {begun!r}", _search(begun)) for begun in ("c", "ch_0", charge, "acct_")),
        ("rejected inputs", lambda c: (count_by_reason(c), rejected_page(c))),
    ]


def _second_page(connection: Connection) -> object:
    first = queue_page(connection, QueueFilter(), "risk")
    return queue_page(connection, QueueFilter(), "risk", first.next)


def _queue(wanted: QueueFilter, sort: Any) -> Callable[[Connection], object]:
    return lambda connection: queue_page(connection, wanted, sort)


def _history(kind: Any, value: str) -> Callable[[Connection], object]:
    return lambda connection: history_page(connection, kind, value)


def _near(kind: Any, value: str, around: float) -> Callable[[Connection], object]:
    return lambda connection: neighbours(connection, kind, value, around)


def _totals(kind: Any, value: str) -> Callable[[Connection], object]:
    return lambda connection: totals(connection, kind, value)


def _search(begun: str) -> Callable[[Connection], object]:
    return lambda connection: search(connection, begun)


if __name__ == "__main__":
    sys.exit(main())
