"""From fetched messages to work: decoding them into buffers, and taking what is next in time."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from confluent_kafka import Message, TopicPartition

from streams.engine.buffers import PartitionBuffer, turn
from streams.engine.group_member import GroupMember
from streams.engine.settings import EngineSettings
from streams.engine.stage_messages import StageMessages, logged_at, offsets_of
from streams.engine.task import (
    BETWEEN_STAGES,
    BY_ENTITY,
    BY_MERCHANT,
    CHARGES,
    DISPUTES,
    OUTCOMES,
    Task,
)
from streams.events.batch import Batch, TimedBatch
from streams.events.decoding import Finding, decode_charges, decode_disputes, decode_outcomes
from streams.events.headers import carried
from streams.events.origin import Origin
from streams.events.rejected import Input, Rejected
from streams.formats.payloads import Payloads
from streams.layouts.layout import Layout

_NEARLY_AT_END = 200
"""Messages that wait in a partition in normal operation: what is in flight at any time."""

_PATIENCE_S = 1.0
"""How long a partition that is behind and delivers nothing holds up the others, seconds."""

_CHARGES_PAUSE_S = 15.0
"""After how long without a charge, seconds, disputes and outcomes do not wait any more for charges
to reach their time. Whoever publishes both does not send them so far ahead."""

_DECODE = {CHARGES: decode_charges, DISPUTES: decode_disputes, OUTCOMES: decode_outcomes}
"""How the messages of an input become events; of those of the same time these come in this order.
"""

_Stage = Literal["inputs", "frames", "entities"]


Told = tuple[Task, TimedBatch]
"""What the entity stage of a task is told, in order."""


class Arrived(NamedTuple):
    """What has come for the merchant stage of a task, in order: frames, and parts of vectors."""

    task: Task
    batches: list[Batch]


def together(arrived: Iterable[Arrived]) -> list[Arrived]:
    """Return what has come for each task as one, in the given order."""
    batches: dict[int, Arrived] = {}
    for task, own in arrived:
        batches.setdefault(task.number, Arrived(task, [])).batches.extend(own)
    return list(batches.values())


@dataclass(slots=True)
class Work:
    """What one turn has for the agents, by task, in the order of event time.

    Attributes
    ----------
    inputs, frames, entities
        Events of the card, the merchant and the entity stage.
    rejected
        Inputs that could not be used.
    findings
        As for `streams.events.decoding.Decoded`, of what was decoded since the last turn.
    """

    inputs: list[tuple[Task, TimedBatch]] = field(default_factory=list)
    frames: list[Arrived] = field(default_factory=list)
    entities: list[Told] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    findings: Counter[tuple[Finding, str]] = field(default_factory=Counter)

    def mark_dirty(self) -> None:
        """Note that the tasks have work that belongs to the next commit."""
        for task, _ in (*self.inputs, *self.entities):
            task.is_dirty = True
        for arrived in self.frames:
            arrived.task.is_dirty = True

    def __bool__(self) -> bool:
        return bool(self.inputs or self.frames or self.entities or self.rejected)


class Inputs:
    """Fills the buffers of the tasks, and empties them in the order of event time.

    Parameters
    ----------
    member
        Fetches; is paused where enough is waiting.
    settings
        Of the engine: how much is taken at a time, and how inputs are read.
    clock
        Gives seconds of a clock that never goes back.
    layouts
        Those in which messages of the stages may be, by number.
    payloads
        Reads the payloads of inputs, where they may be other than plain JSON.
    """

    def __init__(
        self,
        member: GroupMember,
        settings: EngineSettings,
        clock: Callable[[], float],
        layouts: Mapping[int, Layout],
        payloads: Payloads | None = None,
    ) -> None:
        self._consumer = member.consumer
        self._topic_of = member.topics.inputs
        self._source_of = {topic: source for source, topic in self._topic_of.items()}
        self._settings = settings
        self._clock = clock
        self._between = StageMessages(layouts)
        self._payloads = payloads
        self._waiting_since: dict[_Stage, float] = {}
        self._charges_came: dict[int, tuple[int, float]] = {}
        self._findings: Counter[tuple[Finding, str]] = Counter()

    def add(self, tasks: Mapping[int, Task], messages: Iterable[Message]) -> None:
        """Decode messages into the buffers of their partitions."""
        by_partition: dict[tuple[str | None, int | None], list[Message]] = {}
        for message in messages:
            by_partition.setdefault((message.topic(), message.partition()), []).append(message)
        for (topic, partition), batch in by_partition.items():
            task = tasks.get(cast("int", partition))
            if task is not None:
                source = self._source_of[cast("str", topic)]
                self._decode(task, source, _not_passed_by(task.buffers[source], batch))

    def note_end(self, tasks: Mapping[int, Task], end: Message) -> None:
        """Note that nothing is left before an offset, commit markers included."""
        task = tasks.get(cast("int", end.partition()))
        if task is not None:
            buffer = task.buffers[self._source_of[cast("str", end.topic())]]
            buffer.note_end(cast("int", end.offset()))

    def take(
        self,
        tasks: Sequence[Task],
        reach: Mapping[str, Mapping[int, int]],
        *,
        inputs: bool = True,
    ) -> Work:
        """Take what is next; inputs only while the other stages keep up with the card stage.

        Parameters
        ----------
        tasks
            The running tasks.
        reach
            By source, offsets that partitions of the other stages are known to reach: these are
            waited for, so that what was sent on together is taken together.
        inputs
            Whether more is taken than what the stages have sent each other.
        """
        self._release(tasks)
        self._hold_back(tasks, reach)
        work = Work(findings=self._findings)
        self._findings = Counter()
        self._take_frames(tasks, work)
        self._take_entity_events(tasks, work)
        if inputs and self._keeps_up(tasks):
            self._take_inputs(tasks, work)
        work.mark_dirty()
        return work

    def _keeps_up(self, tasks: Sequence[Task]) -> bool:
        """Tell whether the other stages keep up with the card stage."""
        sent_on = [task.buffers[source] for task in tasks for source in BETWEEN_STAGES]
        waiting = sum(task.stages.waiting for task in tasks)
        return not any(buffer.is_behind for buffer in sent_on) and waiting < self._waiting_max

    @property
    def _waiting_max(self) -> int:
        """Charges that wait for parts from elsewhere when no more are taken in."""
        return self._settings.max_buffered

    def _take_frames(self, tasks: Sequence[Task], work: Work) -> None:
        until = self._turn("frames", [task.buffers[BY_MERCHANT] for task in tasks])
        for task in tasks:
            if taken := task.buffers[BY_MERCHANT].take(until):
                work.frames.append(Arrived(task, [timed.batch for timed in taken]))

    def _take_entity_events(self, tasks: Sequence[Task], work: Work) -> None:
        until = self._turn("entities", [task.buffers[BY_ENTITY] for task in tasks])
        for task in tasks:
            if taken := task.buffers[BY_ENTITY].take(until):
                work.entities.append((task, TimedBatch.merged(taken)))

    def _take_inputs(self, tasks: Sequence[Task], work: Work) -> None:
        until = self._turn("inputs", _inputs_of(tasks))
        for task in tasks:
            buffers = _inputs_of([task])
            has_paused = self._note_pause(task)
            if parts := [part for buffer in buffers for part in buffer.take(until)]:
                work.inputs.append((task, TimedBatch.merged(parts)))
            elif has_paused:
                work.inputs.append((task, TimedBatch()))
            for buffer in buffers:
                if rejected := buffer.take_rejected():
                    task.is_dirty = True
                    work.rejected.extend(rejected)

    def _note_pause(self, task: Task) -> bool:
        """Note whether the charges of a task have paused; return whether they have just done so."""
        charges, now = task.buffers[CHARGES], self._clock()
        fetched, came_at = self._charges_came.get(task.number, (-1, now))
        if fetched != charges.fetched or len(charges) or charges.held:
            came_at = now
        self._charges_came[task.number] = (charges.fetched, came_at)
        was_paused, task.is_paused = task.is_paused, now - came_at >= _CHARGES_PAUSE_S
        return task.is_paused and not was_paused

    def _release(self, tasks: Iterable[Task]) -> None:
        """Decode what was held, where something has come that it may have waited for."""
        if self._payloads is None or not self._payloads.settle():
            return
        for task in tasks:
            for source, buffer in task.buffers.items():
                if buffer.held:
                    self._decode(task, source, buffer.release())

    def _decode(self, task: Task, source: str, messages: Sequence[Message]) -> None:
        buffer = task.buffers[source]
        if not messages:
            return
        if source not in _DECODE:
            self._between.add(source, buffer, messages)
        elif buffer.held:
            buffer.hold(messages)
        else:
            self._decode_inputs(task, source, messages)

    def _decode_inputs(self, task: Task, source: str, messages: Sequence[Message]) -> None:
        buffer, topic = task.buffers[source], self._topic_of[source]
        offsets = offsets_of(messages)
        headers = [carried(cast("Any", message.headers())) for message in messages]
        inputs = [
            Input(message.key(), message.value(), Origin(topic, task.number, offset, own))
            for message, offset, own in zip(messages, offsets.tolist(), headers, strict=True)
        ]
        fetched = int(offsets[-1]) + 1
        if self._payloads is not None:
            read = self._payloads.read(source, inputs)
            buffer.hold(messages[len(read) :])
            if not read:
                return
            fetched = int(offsets[len(read) - 1]) + 1
            places = [place for place, each in enumerate(read) if each is not None]
            if len(places) < len(read):
                self._findings["left_out", source] += len(read) - len(places)
            inputs = [each for each in read if each is not None]
            messages, offsets = [messages[place] for place in places], offsets[places]
        decoded = _DECODE[source](
            inputs, time() + self._settings.future_allowance_s, self._settings.input_rules
        )
        self._findings += decoded.findings
        rows = decoded.batch.rows
        rows["published"] = logged_at(messages)[decoded.index]
        rows["offset"] = offsets[decoded.index]
        buffer.add(
            rows["created"],
            decoded.batch,
            offsets[decoded.index],
            rows["published"],
            [(int(dict(copy.headers)["offset"]), copy) for copy in decoded.rejected],
            fetched,
        )

    def _hold_back(self, tasks: Sequence[Task], reach: Mapping[str, Mapping[int, int]]) -> None:
        """Find out who is behind, and pause the partitions of which enough is waiting.

        In normal operation what is in flight is not waited for. While catching up it is: the last
        200 disputes are those of days, and learning should not depend on which fetch comes first.
        """
        for task in tasks:
            for source, buffer in task.buffers.items():
                partition = TopicPartition(self._topic_of[source], task.number)
                _, end = self._consumer.get_watermark_offsets(partition, cached=True)
                is_far = end < 0 or end - buffer.fetched > _NEARLY_AT_END
                buffer.is_behind = is_far or bool(buffer.held)
                buffer.end = max(end, buffer.fetched)
                self._pause_or_resume(partition, buffer)
            for source, offsets in reach.items():
                sent_on = task.buffers[source]
                if sent_on.fetched < offsets.get(task.number, 0):
                    sent_on.is_behind = True
        inputs = _inputs_of(tasks)
        if any(buffer.lag > _NEARLY_AT_END for buffer in inputs):
            for buffer in inputs:
                buffer.is_behind |= buffer.fetched < buffer.end

    def _pause_or_resume(self, partition: TopicPartition, buffer: PartitionBuffer) -> None:
        waiting = len(buffer) + len(buffer.held)
        if not buffer.is_paused and waiting > self._settings.max_buffered:
            self._consumer.pause([partition])
            buffer.is_paused = True
        elif buffer.is_paused and waiting < self._settings.max_buffered // 2:
            self._consumer.resume([partition])
            buffer.is_paused = False

    def _turn(self, stage: _Stage, buffers: Sequence[PartitionBuffer]) -> float:
        """Tell up to when to take, without waiting for ever for a partition that is behind."""
        until = turn(buffers, self._settings.max_batch)
        if until > -np.inf:
            self._waiting_since.pop(stage, None)
        elif any(len(buffer) for buffer in buffers):
            now = self._clock()
            if now - self._waiting_since.setdefault(stage, now) >= _PATIENCE_S:
                return turn([buffer for buffer in buffers if len(buffer)], self._settings.max_batch)
        return until


def _not_passed_by(buffer: PartitionBuffer, messages: list[Message]) -> list[Message]:
    """Return the messages that were not handed on before they could be fetched."""
    first = cast("int", messages[0].offset())
    if first >= buffer.fetched:
        return messages
    return [message for message in messages if cast("int", message.offset()) >= buffer.fetched]


def _inputs_of(tasks: Iterable[Task]) -> list[PartitionBuffer]:
    return [task.buffers[source] for task in tasks for source in _DECODE]
