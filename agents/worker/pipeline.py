"""What a worker computes with: the engine, its tasks' stages, the models and their learners."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, cast

import numpy as np

from agents.drift.quantities import Watch
from agents.learning.learners import FetchedExamples, Learners
from agents.learning.model_follower import ModelFollower
from agents.policy import fraud_rates
from agents.shared_entities.scattering import Scatter
from agents.stages.tasks import TaskStages, features_of, figures_of, new_task, open_store, terms_of
from agents.telemetry.kafka_clients import KafkaClients
from agents.terminal.payloads import payloads_of
from agents.worker import latencies, metrics
from agents.worker.gauges import Gauges
from agents.worker.policy_follower import PolicyFollower
from agents.worker.scored_format import scored_encoding
from agents.worker.tally import Tally
from schemas.drift import encode_drift
from streams.engine.application import Application, TaskFactory
from streams.engine.engine import Engine
from streams.engine.settings import EngineSettings
from streams.events.batch import Batch
from streams.events.rows import CHARGE
from streams.kafka.installation import PARTITION, KeptLayouts
from streams.kafka.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer
from streams.layouts.raw_rows import rows_at
from streams.wire.examples import encode_examples
from streams.wire.matured import encode_matured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agents.settings.schema import Settings
    from schemas.drift import Drift
    from streams.engine.inputs import Arrived, Told, Work
    from streams.engine.task import Task
    from streams.events.batch import TimedBatch, Times
    from streams.events.headers import Headers
    from streams.events.rejected import Rejected
    from streams.kafka.clients import Clients

    TaskEvents = list[tuple[Task, TimedBatch]]

logger = logging.getLogger(__name__)

_SHOWN_EVERY_S = 1.0


class Pipeline:
    """Everything between the input topics and the output topics.

    Connecting blocks, so this is made in the thread that does everything with Kafka.

    Parameters
    ----------
    settings
        Of the worker.
    clients
        Makes its Kafka clients.
    factory
        Makes its tasks; with their state where `settings` has it when `None`.
    partitions
        That the state of the tasks is of; not watched when `None`.
    """

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        factory: TaskFactory | None = None,
        partitions: int | None = None,
    ) -> None:
        self.retry = clients.retry
        transactional_id = (
            f"{settings.group_id}-{settings.worker_id}" if settings.is_exactly_once else None
        )
        self.topics = Topics(settings.topic_prefix)
        of_charges = latencies.Latencies(is_seen_at_once=not settings.is_exactly_once)
        self._scatter = Scatter(settings.entities)
        self._encode_scored = scored_encoding(settings, self.topics.scored, self.retry)
        self.producer = TransactionalProducer(
            clients, transactional_id, settings.session_timeout_ms
        )
        layouts = KeptLayouts(clients, self.topics.installation)
        factory = factory or TaskFactory(
            partial(open_store, settings=settings), partial(new_task, settings=settings)
        )
        self.engine = Engine(
            EngineSettings(
                application_id=settings.group_id,
                instance_id=settings.instance_id,
                exactly_once=settings.is_exactly_once,
                session_timeout_ms=settings.session_timeout_ms,
                standby_replicas=settings.standby_replicas,
                max_batch=settings.max_batch,
                future_allowance_s=settings.future_allowance_minutes * 60.0,
                input_rules=settings.input_rules,
            ),
            self.topics,
            clients,
            self.producer,
            Application(
                factory,
                latencies.CommitObserver(of_charges),
                layouts,
                payloads_of(settings, clients),
            ),
        )
        features = features_of(settings)
        self.model = ModelFollower(self.topics, clients, settings.challengers, features)
        self.model.catch_up()
        self.policies = PolicyFollower(
            self.topics, clients, terms_of(settings), figures_of(settings)
        )
        self.policies.catch_up()
        self.learners = Learners(settings, self.topics, clients, self.producer, layouts, features)
        self._tally = Tally(of_charges, features, settings.traces_url)
        watch = Watch(features)
        metrics.begin((each.name for each in watch.quantities), self.policies.topics)
        self._gauges = Gauges(self.engine, self.model)
        self._kafka_clients = KafkaClients(clients.statistics)
        self._shown_at = 0.0
        self.engine.start(partitions)

    def fetch(self, timeout_s: float, gathering_s: float) -> tuple[Work, FetchedExamples]:
        """Wait for input and take what is next, and what there is to learn; see `Engine.fetch`."""
        work = self.engine.fetch(timeout_s, gathering_s)
        metrics.count_findings(work.findings)
        self._settle_models()
        return work, self.learners.fetch()

    def count_cards(self, inputs: TaskEvents) -> tuple[list[Arrived], list[Told]]:
        """Run the card stage of each task; send on frames, and what shared entities are told.

        Return what the merchant and the entity stage are handed.
        """
        counted = [
            _stages(task).card.process(events.batch, is_paused=task.is_paused)
            for task, events in inputs
        ]
        times = np.concatenate([output.times for output in counted])
        handed: tuple[list[Arrived], list[Told]] = [], []
        if len(times):
            frames = Batch.joined([output.frames for output in counted])
            handed = self._send_on(frames, times)
            events = frames.rows["event"]
            latencies.count_stage("card", events["published"][events["kind"] == CHARGE])
        for output in counted:
            self._give_up(output.rejected)
        return handed

    def _send_on(self, frames: Batch, times: Times) -> tuple[list[Arrived], list[Told]]:
        """Send frames to the merchant stage, and their charges to the entities they share.

        Either in the order of event time. Return what these stages are handed.
        """
        partitions = self.engine.sending.partitions_of(frames.merchants)
        scattered = self._scatter(frames, times)
        scattered.events["answer_to"] = partitions[scattered.places]
        handed = self.engine.sending.frames(frames, times, partitions)
        in_order = np.argsort(scattered.events["now"], kind="stable")
        return handed, self.engine.sending.entity_events(rows_at(scattered.events, in_order))

    def count_entities(self, events: list[Told]) -> list[Arrived]:
        """Run the entity stage of each task; send the parts of vectors to their charges.

        Return what the merchant stage is handed.
        """
        handed: list[Arrived] = []
        for task, of_task in events:
            rows = of_task.batch.rows
            answers = _stages(task).entities.process(rows)
            handed += self.engine.sending.parts(answers.parts, rows["answer_to"][answers.places])
        return handed

    def score(self, frames: list[Arrived]) -> list[Told]:
        """Run the merchant stage of each task; send scored events, examples, and what matured.

        Charges of one card may be at several merchants: their scored events are sent in the order
        that the charges have in the partition of their card. Return what the entity stage is
        handed.
        """
        scored: list[tuple[bytes | None, bytes | None]] = []
        headers: list[Headers] = []
        handed: list[Told] = []
        offsets = []
        began = time()
        for task, batches in frames:
            gathered = _stages(task).gathering.take(batches)
            if not len(gathered.frames):
                continue
            output = _stages(task).merchant.process(
                gathered.frames, self.model.scorer, self.policies.policy, time, self.model.shadow,
                gathered.shared,
            )  # fmt: skip
            values = output.scored
            if self._encode_scored is not None:
                values = list(map(self._encode_scored, values))
            scored.extend(zip(output.keys, values, strict=True))
            headers.extend(output.headers or [()] * len(output.scored))
            if len(output.examples):
                examples = encode_examples(output.examples)
                self.producer.send(self.topics.examples, [(None, example) for example in examples])
            if len(output.matured):
                matured = encode_matured(output.matured)
                self.producer.send(self.topics.matured, [(None, charges) for charges in matured])
            if output.told_value is not None:
                self._tell(task.number, output.told_value)
            self._give_up(output.rejected)
            self._send_drifts(shift.event(task.number) for shift in output.shifts)
            handed += self.engine.sending.entity_events(output.entity_events)
            events = gathered.frames.rows["event"]
            self._tally.add(output, events, began, self.policies.policy.rules)
            offsets.append(events["offset"][events["kind"] == CHARGE])
        if not offsets:
            return handed
        order = np.argsort(np.concatenate(offsets), kind="stable").tolist()
        self.producer.send(
            self.topics.scored,
            [scored[i] for i in order],
            headers=[headers[i] for i in order] if any(headers) else None,
        )
        return handed

    def learn(self, examples: FetchedExamples) -> None:
        """Learn examples; send a snapshot when one is due.

        Task 0 counts as changed, so that the commit proves that it and its learners are still here.
        """
        self.learners.learn(examples)
        self.engine.tasks[0].is_dirty = True

    def publish_late(self) -> bool:
        """Send snapshots that are late, with the same proof; return whether any was sent."""
        is_sent = self.learners.publish_late(self.model.book)
        if is_sent:
            self.engine.tasks[0].is_dirty = True
        return is_sent

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Send inputs that could not be used to their topic."""
        self.producer.send_rejected(self.topics.rejected, rejected)
        metrics.count_rejected(rejected)

    def _tell(self, task: int, value: fraud_rates.FraudValue) -> None:
        """Tell all workers what a task has of charges and frauds."""
        told = (fraud_rates.key_of(task), fraud_rates.encode(value))
        self.producer.send(self.topics.installation, [told], PARTITION)

    def _give_up(self, labels: Sequence[Rejected]) -> None:
        """Reject disputes and outcomes whose charge is not known, and say so."""
        if labels:
            self.reject(labels)
            reason = dict(labels[0].headers)["error"].decode()
            logger.warning(
                "given up: %d disputes or outcomes, such as one for which %s", len(labels), reason
            )

    def _send_drifts(self, drifts: Iterable[Drift]) -> None:
        """Send drift events, and log them."""
        for drift in drifts:
            self.producer.send(self.topics.drift, [(drift.signal.encode(), encode_drift(drift))])
            logger.warning(
                "drift: %s was %.4g, is %.4g since %s (%s, task %d)",
                drift.signal, drift.before, drift.after,
                datetime.fromtimestamp(drift.since, UTC).date(), drift.unit, drift.task,
            )  # fmt: skip

    def _settle_models(self) -> None:
        """Have the newest models in use, and the learners where task 0 is."""
        has_task = 0 in self.engine.tasks
        if has_task and not self.learners.is_running:
            self.model.catch_up()
        self.model.refresh()
        self.policies.refresh()
        if has_task:
            self.learners.run(self.model.names, self.model.book)
        else:
            self.learners.stop()
        self.show()

    def show(self) -> None:
        """Bring the gauges up to date, and what is counted of many charges, once a second."""
        if monotonic() - self._shown_at < _SHOWN_EVERY_S:
            return
        self._shown_at = monotonic()
        stages = [_stages(task) for task in self.engine.tasks.values()]
        self._gauges.show(stages, self.policies.policy, time())
        self._tally.count(self.policies.policy.rules)

    def show_clients(self) -> None:
        """Bring what the Kafka clients tell of themselves up to date."""
        self.producer.poll()
        self._kafka_clients.show()

    def commit(self) -> None:
        """Begin to make everything since the last commit count."""
        self.engine.commit()

    def abort(self) -> None:
        """Undo everything since the last commit."""
        self.engine.abort()

    def close(self) -> None:
        """Commit and leave."""
        self.learners.stop()
        self.engine.close()
        self.model.close()
        self.policies.close()
        self._tally.close()


def _stages(task: Task) -> TaskStages:
    return cast("TaskStages", task.stages)
