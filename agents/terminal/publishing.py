"""Publishing with progress, as fast as it goes or at a pace."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agents.terminal.scored_values import ScoredValues
from streams.kafka.config import Config
from streams.kafka.publisher import Event, Publisher
from streams.kafka.subscriber import Subscriber
from streams.kafka.topics import Topics
from streams.simulator import SimulatedEvent

AT_A_TIME = 2000

T = TypeVar("T")


def publish_batches(config: Config, batches: Iterable[Mapping[str, Sequence[Event]]]) -> int:
    """Publish batches of events by topic, and return how many were delivered.

    What a batch has for a topic is delivered before anything goes to the next one.

    Raises
    ------
    PublishError
        At the end, when any was not delivered.
    """
    publisher = Publisher(config)
    with counting("published") as show:
        for batch in batches:
            publisher.publish_in_turn(batch, lambda: show(publisher.delivered))
            show(publisher.delivered)
        publisher.flush(lambda: show(publisher.delivered))
        show(publisher.delivered)
    return publisher.delivered


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Show a growing number on stderr; it is set by calling what this gives."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} events {task.description}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None, rate=0.0)

        def show(count: int) -> None:
            rate = count / max(time.monotonic() - began, 1e-3)
            progress.update(task, completed=count, rate=rate)

        yield show


def paced(
    events: Iterable[T],
    due_s: Callable[[int, T], float],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[list[T]]:
    """Yield events in batches, none before it is due.

    Parameters
    ----------
    events
        In the order in which they are due.
    due_s
        When an event is due, by its number and itself: seconds from the beginning.
    clock, sleep
        Of this machine, but in a test.

    Examples
    --------
    >>> now = [0.0]
    >>> def wait(seconds):
    ...     now[0] += seconds
    >>> for batch in paced("abcde", lambda number, _: number // 2, lambda: now[0], wait):
    ...     print(now[0], batch)
    0.0 ['a', 'b']
    1.0 ['c', 'd']
    2.0 ['e']
    """
    began = clock()
    batch: list[T] = []
    for number, event in enumerate(events):
        wait_s = due_s(number, event) - (clock() - began)
        if batch and (wait_s > 0 or len(batch) == AT_A_TIME):
            yield batch
            batch = []
            # Whoever took the batch took time for it.
            wait_s = due_s(number, event) - (clock() - began)
        if wait_s > 0:
            sleep(wait_s)
        batch.append(event)
    if batch:
        yield batch


def by_topic(events: Iterable[SimulatedEvent], topics: Topics) -> dict[str, Sequence[Event]]:
    """Sort simulated events by the topic they are for, charges first, ready to be published."""
    charges: list[Event] = []
    disputes: list[Event] = []
    for event in events:
        kind = charges if event.topic == "charges" else disputes
        kind.append((event.key, orjson.dumps(event.value)))
    return {topics.charges: charges, topics.disputes: disputes}


@contextmanager
def following_scored(
    config: Config, topics: Topics, values: ScoredValues
) -> Iterator[Callable[[float], list[bytes]]]:
    """Give a function that returns the events scored since, and waits for the first of them."""
    with Subscriber(config, [topics.scored]) as subscriber:
        yield lambda wait_s: values.as_json(
            [message.value() or b"" for message in subscriber.read(wait_s)]
        )
