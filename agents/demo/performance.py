"""The performance: publishes a play, reads what comes of it, and shows how it goes."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event as Flag
from time import monotonic
from types import TracebackType
from typing import Self, cast

from confluent_kafka import Message

from agents.demo.cluster import Cluster
from agents.demo.figures import Figures, Report
from agents.demo.ledger import Ledger
from agents.demo.scenario import Play
from agents.demo.screen import Screen
from agents.demo.worker import Worker
from agents.models.kinds import DEFAULT
from agents.terminal.publishing import by_topic, paced
from schemas.rejected import ERROR, TOPIC
from schemas.snapshot import decode_snapshot
from streams.kafka.publisher import Publisher
from streams.kafka.subscriber import Subscriber
from streams.simulator import SimulatedEvent
from streams.wire.examples import decode_examples

_FRAME_S = 0.5
_AHEAD = 15_000
_AHEAD_WAIT_S = 0.02
_READ_WAIT_S = 0.1
_AFTER_WATCHDOG_S = 30.0
"""How much later than the worker's own watchdog the demo gives up: that one knows more."""


class Performance:
    """A play on a cluster with a running worker.

    Parameters
    ----------
    cluster, worker
        Where it is played.
    play
        What is played.
    screen
        Where it is shown.
    sleep
        What to wait with from one view to the next.
    """

    def __init__(
        self,
        cluster: Cluster,
        worker: Worker,
        play: Play,
        screen: Screen,
        sleep: Callable[[float], None],
    ) -> None:
        self._cluster = cluster
        self._worker = worker
        self._play = play
        self._screen = screen
        self._sleep = sleep
        self._stalled_s = cluster.settings.wedged_after_s + _AFTER_WATCHDOG_S
        self._ledger = Ledger(cluster.settings.input_rules.rates)
        self._figures = Figures(self._ledger, self._play, cluster.settings.costs)
        topics = cluster.topics
        self._takers: dict[str | None, Callable[[list[Message]], None]] = {
            topics.rejected: self._take_rejected,
            topics.examples: self._take_examples,
            topics.models: self._take_snapshots,
        }
        self._subscriber = Subscriber(cluster.config, [topics.scored, *filter(None, self._takers)])
        self._publisher = Publisher(cluster.config)
        self._stopped = Flag()
        self._threads = ThreadPoolExecutor(2, "demo")
        self._reading = self._threads.submit(self._read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._threads.shutdown()
        self._subscriber.__exit__(kind, error, trace)

    def perform(self) -> Report:
        """Play both parts and return what came of them.

        Raises
        ------
        DemoError
            When the worker ends, or nothing comes back any more.
        PublishError
            When events cannot be published.
        """
        began_at = monotonic()
        ends_at = began_at + self._play.scenario.history_max_s
        history = self._play.history(lambda: monotonic() > ends_at)
        with self._screen.part(stays=False):
            self._follow(
                self._publish(self._as_fast_as_scored(paced(history, lambda _number, _event: 0.0))),
                lambda: self._screen.history(self._figures.history(monotonic() - began_at)),
            )
        history_s = monotonic() - began_at
        self._screen.history_done(self._figures.history(history_s), history_s)
        events = self._play.live()
        interval_s = self._play.scenario.live_s / len(events)
        live_began_at = monotonic()
        with self._screen.part(stays=True):
            self._follow(
                self._publish(paced(events, lambda number, _: number * interval_s)),
                lambda: self._screen.live(self._figures.live(live_began_at, monotonic())),
            )
        return self._figures.report(history_s, live_began_at, monotonic() - live_began_at)

    def _as_fast_as_scored(
        self, batches: Iterable[list[SimulatedEvent]]
    ) -> Iterator[list[SimulatedEvent]]:
        """Hand batches on, but wait while many charges are not scored yet."""
        counts = self._ledger.counts
        for batch in batches:
            while counts.charges - counts.scored > _AHEAD and not self._stopped.is_set():
                time.sleep(_AHEAD_WAIT_S)
            yield batch

    def _publish(self, batches: Iterable[Sequence[SimulatedEvent]]) -> "Future[None]":
        return self._threads.submit(self._publish_all, batches)

    def _publish_all(self, batches: Iterable[Sequence[SimulatedEvent]]) -> None:
        for batch in batches:
            if self._stopped.is_set():
                return
            self._ledger.publishing(batch, monotonic())
            self._publisher.publish_in_turn(by_topic(batch, self._cluster.topics))
        self._publisher.flush()

    def _follow(self, publishing: "Future[None]", show: Callable[[], None]) -> None:
        """Show how it goes until all that is published has come back."""
        counts = self._ledger.counts
        seen, moved_at = -1, monotonic()
        while not (publishing.done() and counts.is_settled):
            self._worker.check()
            for future in (publishing, self._reading):
                if future.done():
                    future.result()
            now_seen = counts.scored + counts.rejected
            if now_seen != seen:
                seen, moved_at = now_seen, monotonic()
            elif monotonic() - moved_at > self._stalled_s:
                what = f"nothing was scored for {self._stalled_s:.0f} s: {counts}"
                raise self._worker.failure(what)
            show()
            self._sleep(_FRAME_S)
        publishing.result()
        show()

    def _read(self) -> None:
        """Take down what the worker writes until the performance is over."""
        while not self._stopped.is_set():
            messages = self._subscriber.read(_READ_WAIT_S)
            read_at = monotonic()
            scored = []
            others: dict[str | None, list[Message]] = {}
            for message in messages:
                if message.topic() in self._takers:
                    others.setdefault(message.topic(), []).append(message)
                else:
                    scored.append(_value(message))
            self._ledger.scored(scored, read_at)
            for topic, batch in others.items():
                self._takers[topic](batch)

    def _take_rejected(self, messages: list[Message]) -> None:
        headers = [dict(cast("list[tuple[str, bytes]]", m.headers())) for m in messages]
        charges = self._cluster.topics.charges.encode()
        of_charges = [found[ERROR].decode() for found in headers if found[TOPIC] == charges]
        self._ledger.rejected(of_charges)
        self._ledger.disputes_rejected(len(headers) - len(of_charges))

    def _take_examples(self, messages: list[Message]) -> None:
        frauds = decode_examples([_value(message) for message in messages])["label"] == 1
        self._ledger.labelled([message.offset() or 0 for message in messages], frauds.tolist())

    def _take_snapshots(self, messages: list[Message]) -> None:
        own = [message for message in messages if message.key() == DEFAULT.encode()]
        if own:
            self._ledger.learned(decode_snapshot(_value(own[-1])))


def _value(message: Message) -> bytes:
    value = message.value()
    assert value is not None, "these topics hold no tombstones"
    return value
