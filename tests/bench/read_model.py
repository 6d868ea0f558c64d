"""`python -m tests.bench.read_model`: how fast the read model is built, and how soon it answers.

Charges with their scored events, 2% of them disputed and most reviews judged, are put on a real
Kafka, up to now and as if they had come when they were made. A process builds the read model of
them, from nothing; then each query is asked many times, of the merchant, card and device that have
the most charges, too, and each page of a console, over HTTP.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
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
from streams.durations import DAY_S
from streams.kafka.config import client_config
from tests.agents.web.read_model.databases import PostgreSQL, postgresql_binaries, sqlite_url
from tests.bench.console_pages import (
    addresses,
    put_what_else_there_is,
    times_ms,
    verdicts_ms,
)
from tests.bench.machine import machine
from tests.bench.made_charges import made_events
from tests.bench.percentiles import quantile
from tests.bench.process import CPU_TICKS_PER_S
from tests.integration.follower import FollowerProcess, wait_until_fresh
from tests.integration.gateway import Gateway
from tests.integration.kafka import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from streams.kafka.config import Config

SPAN_S = 60 * DAY_S
UNTIL = time.time()
BEGAN = UNTIL - SPAN_S
LATEST, LATEST_SPAN_S = 2000, 60.0
"""Charges of the last moment, when pages are asked."""
BUILD_TIMEOUT_S = 1800.0
ROUNDS = 15
AS_SENT = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
"""Of topics whose messages tell when they were put there: as if they had come all along."""

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
        gateway = stack.enter_context(Gateway(kafka, "", directory))
        url = sqlite_url(directory)
        if database == "postgresql":
            binaries = postgresql_binaries()
            assert binaries, "PostgreSQL is not installed"
            url = stack.enter_context(PostgreSQL(binaries)).url
        for topic in (gateway.topics.charges, gateway.topics.scored):
            set_topic_config(kafka, topic, AS_SENT)
        say(f"publishing {charges:,} charges")
        events = publish(kafka.config, charges)
        say("building")
        built = build(kafka, url, directory)
        show(database, events, built, url)
        say("pages")
        show_pages(kafka, gateway, url, charges)


def set_topic_config(kafka: Kafka, topic: str, config: Mapping[str, str]) -> None:
    """Change settings of a topic."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient(kafka.config)
    [done] = admin.incremental_alter_configs([resource]).values()
    done.result()


def publish(config: Config, charges: int, began: float = BEGAN, span_s: float = SPAN_S) -> int:
    """Publish charges and all that is about them; return how many events they are."""
    producer = Producer(config | {"linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    count = 0
    for topic, card, event, at in made_events(charges, began, span_s):
        while True:
            try:
                producer.produce(topic, orjson.dumps(event), card, timestamp=round(1e3 * at))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        count += 1
    assert producer.flush(60) == 0
    return count


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
    read_model = ReadModel(url)
    took_ms = {
        what: [_asked_ms(read_model, ask) for _ in range(ROUNDS)]
        for what, ask in _queries(read_model)
    }
    read_model.close()
    console.print(_table("query", took_ms))


def show_pages(kafka: Kafka, gateway: Gateway, url: URL, charges: int) -> None:
    """Have a console go on with the read model, ask for its pages, and print how long it took."""
    put_what_else_there_is(kafka, gateway, charges, UNTIL)
    read_model = ReadModel(url)
    with read_model.reading() as connection:
        most, charge = _most(connection), _some_charge(connection)
    read_model.close()
    port = gateway.console(
        CHARGEWATCH_READ_MODEL_URL=url.render_as_string(hide_password=False)
    ).port
    publish(kafka.config, LATEST, time.time() - LATEST_SPAN_S, LATEST_SPAN_S)
    wait_until_fresh(url, time.time())
    took_ms = times_ms(port, addresses(charge, most), ROUNDS)
    took_ms["a verdict, and the next charge"] = verdicts_ms(port)
    console = Console(width=100)
    console.print(_table("page", took_ms))
    console.print(f"load {os.getloadavg()}")


def _table(what: str, took_ms: Mapping[str, Sequence[float]]) -> Table:
    """Tell how long each took: the first time, in the median, at the most."""
    table = Table(box=box.SIMPLE)
    for name in (what, "first, ms", "median", "slowest"):
        table.add_column(name, justify="left" if name == what else "right")
    for name, each in took_ms.items():
        figures = each[0], quantile(sorted(each), 0.5), max(each)
        table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    return table


def _asked_ms(read_model: ReadModel, ask: Callable[[Connection], object]) -> float:
    began = time.perf_counter()
    with read_model.reading() as connection:
        ask(connection)
    return 1e3 * (time.perf_counter() - began)


def _queries(read_model: ReadModel) -> list[Query]:
    with read_model.reading() as connection:
        most, charge = _most(connection), _some_charge(connection)
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


def _most(connection: Connection) -> dict[str, str]:
    """Return the card, merchant and device that have the most charges."""
    most: dict[str, str] = {}
    for table, names in ((tables.charges, ("card", "merchant")), (tables.details, ("device",))):
        for name in names:
            column = table.c[name]
            query = select(column).group_by(column).order_by(func.count().desc()).limit(1)
            most[name] = str(connection.scalar(query))
    return most


def _some_charge(connection: Connection) -> str:
    return str(connection.scalar(select(tables.charges.c.charge).limit(1).offset(1000)))


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
