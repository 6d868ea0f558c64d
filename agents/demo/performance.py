"""The performance: publishes a play, reads what comes of it, and shows how it goes."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event as Flag
from time import monotonic
from types import TracebackType
from typing import Self, cast

from confluent_kafka import Message

from agents.acting.acting import Acting
from agents.demo.cluster import Cluster
from agents.demo.console import DemoConsole
from agents.demo.figures import Figures, Report
from agents.demo.ledger import Ledger
from agents.demo.scenario import Play
from agents.demo.screen import Screen
from agents.demo.views import learned
from agents.demo.worker import Worker
from agents.models.kinds import DEFAULT
from agents.terminal.publishing import by_topic, following_scored, paced
from agents.terminal.scored_values import ScoredValues
from schemas.rejected import ERROR, TOPIC
from schemas.snapshot import decode_snapshot
from streams.kafka.publisher import Event, Publisher
from streams.kafka.subscriber import Subscriber
from streams.simulator import SimulatedEvent
from streams.wire.examples import IMPUTED, decode_examples

_FRAME_S = 0.5
_TAKEN_WITHIN_S = 20.0
_AHEAD = 15_000
_AHEAD_WAIT_S = 0.02
_READ_WAIT_S = 0.1
_AFTER_WATCHDOG_S = 30.0
"""How much later than the worker's own watchdog the demo gives up: that one knows more."""


class Performance:
    """A play on a cluster with a running worker and console.

    Parameters
    ----------
    cluster, worker, console
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
        console: DemoConsole,
        play: Play,
        screen: Screen,
        sleep: Callable[[float], None],
    ) -> None:
        self._cluster = cluster
        self._worker = worker
        self._console = console
        self._play = play
        self._screen = screen
        self._sleep = sleep
        self._scored_values = ScoredValues(cluster.settings)
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
        self._following = ExitStack()
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
        self._following.__exit__(kind, error, trace)
        self._subscriber.__exit__(kind, error, trace)

    def perform(self) -> Report:
        """Play both parts and return what came of them.

        Raises
        ------
        DemoError
            When the worker or the console ends, or nothing comes back any more.
        PublishError
            When events cannot be published.
        """
        history_s = self._play_history()
        with self._screen.step("Waiting for the model to learn from all of it") as done:
            self._wait_until_learned()
            done(f"the model has learned from {learned(self._ledger.newest_model())}")
        with self._screen.step("Restarting the worker, now with its actions carried out") as done:
            self._worker.restart_enforced()
            self._worker.wait_until_ready(self._sleep)
            done("the worker restarted: from now on its actions are carried out")
        live_began_at = monotonic()
        self._play_live(live_began_at)
        live_s = monotonic() - live_began_at
        taken = self._ledger.counts.outcomes - self._outcomes_not_taken()
        return self._figures.report(history_s, live_began_at, live_s, taken)

    def go_on(self) -> None:
        """Go on with what comes after the live part until what it waits with raises.

        Raises
        ------
        DemoError
            When the worker or the console ends.
        PublishError
            When events cannot be published.
        """
        now = time.time()
        rest = paced(
            self._play.rest(),
            lambda _, event: self._play.rest_due_s(event, now),
            sleep=self._stopped.wait,
        )
        publishing = self._threads.submit(self._publish_acted, rest)
        while True:
            self._check(publishing)
            self._sleep(_FRAME_S)

    def _play_history(self) -> float:
        """Play the history, and return how many seconds it took."""
        began_at = monotonic()
        ends_at = began_at + self._play.scenario.history_max_s
        history = self._play.history(lambda: monotonic() > ends_at)
        with self._screen.part(stays=False):
            self._follow(
                self._threads.submit(self._publish_history, history),
                lambda: self._screen.history(self._figures.history(monotonic() - began_at)),
            )
        history_s = monotonic() - began_at
        self._screen.history_done(self._figures.history(history_s), history_s)
        return history_s

    def _wait_until_learned(self) -> None:
        """Wait for a snapshot of the model that has learned from all that is labelled so far."""
        ends_at = monotonic() + self._stalled_s
        while not self._ledger.has_learned():
            self._worker.check()
            if monotonic() > ends_at:
                raise self._worker.failure(f"the model did not learn for {self._stalled_s:.0f} s")
            self._sleep(_FRAME_S)

    def _play_live(self, began_at: float) -> None:
        """Publish the live part, and carry out what is decided on it."""
        cluster = self._cluster
        values = following_scored(cluster.config, cluster.topics, self._scored_values)
        self._acting = Acting(
            cluster.settings.costs,
            self._following.enter_context(values),
            unanswered_max_s=math.inf,  # `_follow` gives up, with the log of the worker
            is_over=self._stopped.is_set,
        )
        events = self._play.live()
        interval_s = self._play.scenario.live_s / len(events)
        live = paced(events, lambda number, _: number * interval_s)
        with self._screen.part(stays=True):
            self._follow(
                self._threads.submit(self._publish_acted, live),
                lambda: self._screen.live(self._figures.live(began_at, monotonic())),
            )

    def _outcomes_not_taken(self) -> int:
        """Wait until the worker has taken all outcomes, but not for long; return how many not."""
        ends_at = monotonic() + _TAKEN_WITHIN_S
        topic = self._cluster.topics.outcomes
        while (left := self._cluster.not_taken(topic)) and monotonic() < ends_at:
            self._worker.check()
            self._sleep(_FRAME_S)
        return left

    def _as_fast_as_scored(
        self, batches: Iterable[list[SimulatedEvent]]
    ) -> Iterator[list[SimulatedEvent]]:
        """Hand batches on, but wait while many charges are not scored yet."""
        counts = self._ledger.counts
        for batch in batches:
            while counts.charges - counts.scored > _AHEAD and not self._stopped.is_set():
                time.sleep(_AHEAD_WAIT_S)
            yield batch

    def _publish_history(self, events: Iterable[SimulatedEvent]) -> None:
        for batch in self._as_fast_as_scored(paced(events, lambda _number, _event: 0.0)):
            if self._stopped.is_set():
                return
            self._send(batch)
        self._publisher.flush()

    def _publish_acted(self, batches: Iterable[list[SimulatedEvent]]) -> None:
        for acted in self._acting.carry_out(batches):
            if self._stopped.is_set():
                return
            self._ledger.acted(acted)
            self._send(acted.events, acted.outcomes)
        self._publisher.flush()

    def _send(self, events: Sequence[SimulatedEvent], outcomes: Sequence[Event] = ()) -> None:
        topics = self._cluster.topics
        self._ledger.publishing(events, monotonic())
        self._publisher.publish(topics.outcomes, outcomes)  # their charges are scored already
        self._publisher.publish_in_turn(by_topic(events, topics))

    def _follow(self, publishing: "Future[None]", show: Callable[[], None]) -> None:
        """Show how it goes until all that is published has come back."""
        counts = self._ledger.counts
        seen, moved_at = -1, monotonic()
        while not (publishing.done() and counts.is_settled):
            self._check(publishing)
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

    def _check(self, publishing: "Future[None]") -> None:
        """Raise what any part of it has failed with."""
        self._worker.check()
        self._console.check()
        for future in (publishing, self._reading):
            if future.done():
                future.result()

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
            self._ledger.scored(self._scored_values.as_json(scored), read_at)
            for topic, batch in others.items():
                self._takers[topic](batch)

    def _take_rejected(self, messages: list[Message]) -> None:
        headers = [dict(cast("list[tuple[str, bytes]]", m.headers())) for m in messages]
        topics = self._cluster.topics
        errors: defaultdict[str, list[str]] = defaultdict(list)
        for found in headers:
            errors[found[TOPIC].decode()].append(found[ERROR].decode())
        self._ledger.rejected(errors[topics.charges])
        self._ledger.labels_rejected(
            disputes=len(errors[topics.disputes]), outcomes=len(errors[topics.outcomes])
        )

    def _take_examples(self, messages: list[Message]) -> None:
        examples = decode_examples([_value(message) for message in messages])
        frauds = (examples["label"] == 1) & (examples["source"] != IMPUTED)
        self._ledger.labelled([message.offset() or 0 for message in messages], frauds.tolist())

    def _take_snapshots(self, messages: list[Message]) -> None:
        own = [message for message in messages if message.key() == DEFAULT.encode()]
        if own:
            self._ledger.learned(decode_snapshot(_value(own[-1])))


def _value(message: Message) -> bytes:
    value = message.value()
    assert value is not None, "these topics hold no tombstones"
    return value
