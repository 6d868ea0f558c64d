"""What the real stages must have computed: the same as one undisturbed run over the same logs."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from xxhash import xxh3_128_digest

from agents.learning.learner import LearnerStage
from agents.learning.model_registry import ModelBook, as_loaded
from agents.models.kinds import DEFAULT
from agents.models.prior import PriorScorer
from agents.policy import fraud_rates
from agents.shared_entities.entity_stage import EntityStage
from agents.shared_entities.gathering import Gathered, Gathering
from agents.shared_entities.scattering import Scatter
from agents.stages.tasks import TaskStages, bare_policy
from schemas.control import Loaded, decode_loaded, loaded_key
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.events.batch import Batch, RowBatch
from streams.events.decoding import Decoded, decode_charges, decode_disputes, decode_outcomes
from streams.events.origin import Origin, decode_label_tail
from streams.events.rejected import Input
from streams.events.rows import CHARGE
from streams.features.card_record import CARD
from streams.features.entities import CARDS, FEATURES, MERCHANTS, SHARED
from streams.layouts.layout import number_in
from streams.state.store import MemoryStore
from streams.state.tables import (
    CHARGES,
    DRIFT,
    GATHERING,
    META,
    PENDING,
    SEEN,
    TIMERS,
    WAITING,
    TaskState,
)
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT, PART_LAYOUT
from streams.wire.examples import CONTROL, decode_examples, encode_examples
from streams.wire.frames import FRAME, decode_frames
from streams.wire.matured import decode_matured
from streams.wire.row_messages import decode_rows
from tests.simulation.checks import Checks, differences
from tests.simulation.disk import EVERYTHING
from tests.simulation.labels_oracle import Label, LabelsOracle, Told
from tests.simulation.operator import model
from tests.simulation.real_stages import ORPHAN_WAIT_S, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.events.rows import Rows
    from streams.kafka.topics import Topics
    from tests.simulation.broker import Broker
    from tests.simulation.labels_oracle import Hash
    from tests.simulation.partition_log import Record

    Decode = Callable[[list[Input], float], Decoded]
    Place = tuple[str, int, int]

_TABLES = (
    CARDS.prefix, CHARGES, SEEN, MERCHANTS.prefix, SHARED.prefix, PENDING, TIMERS, WAITING, DRIFT,
    GATHERING,
)  # fmt: skip
NO_FRAMES = Batch(np.empty(0, FRAME))
_FRAUD_VALUE = META + b"fraud_value/"
_LATEST = 4e9

MODELS = {DEFAULT, *SETTINGS.challengers}


class RealChecks(Checks):
    """Checks of schedules with the real stages, whose labels come whenever they do."""

    def rejected(self) -> list[tuple[str, ...]]:
        """Return what was rejected, save the disputes and outcomes that have waited in vain."""
        given_up = self._given_up()
        return [each for each in super().rejected() if each not in given_up]

    def stages(self) -> Iterator[str]:
        examples: list[bytes] = []
        scored: list[bytes] = []
        for number in range(self.broker.partitions[self.topics.charges]):
            yield from self._task(number, examples, scored)
        found = [record.value or b"" for record in self.broker.committed(self.topics.examples)]
        yield from differences("an example", map(_label, found), map(_label, examples))
        yield from differences("scored so", self._answers(), map(_without_time, scored))
        yield from self._learned(found)
        yield from self._passed_on()
        yield from self._labels(found)
        yield from self._told_entities()

    def _passed_on(self) -> Iterator[str]:
        """Compare the disputes and outcomes with those between the stages: each is there once.

        One may be given up only for what came before it: charges of its partition which have passed
        it by the wait. One whose charge is not there waits.
        """
        given_up, sent = self._given_up(), Counter(self._order)
        for number in range(self.broker.partitions[self.topics.charges]):
            log = self._log(self.topics.charges, number)
            charges = _decoded(decode_charges, self.topics.charges, number, log).batch.rows
            labels = self._labels_of(number)
            for label, place in zip(labels.rows, _places(labels), strict=True):
                same = np.flatnonzero((charges["charge"] == label["charge"]).all(axis=1))
                before = charges["created"][: same[0] if len(same) else None]
                has_passed = (before > label["created"] + ORPHAN_WAIT_S).any()
                is_given_up = tuple(map(str, place)) in given_up
                if is_given_up and not has_passed:
                    yield f"{place} was given up without a reason"
                wanted = int(len(same) > 0 and not is_given_up)
                if sent[place] != wanted:
                    yield f"{place} was passed on {sent[place]} times, not {wanted}"

    def _labels(self, examples: list[bytes]) -> Iterator[str]:
        """Compare what is learned with what is to be learned of the events between the stages."""
        answers: dict[Hash, dict[str, Any]] = {}
        for event in self.scored():
            digest = xxh3_128_digest(f"{event['card']}\0{event['charge']}".encode())
            answers.setdefault(tuple(np.frombuffer(digest, ">u8").tolist()), event)
        wanted, told = list[Label](), list[Told]()
        for number in range(self.broker.partitions[self.topics.by_merchant]):
            oracle = LabelsOracle(SETTINGS, answers)
            oracle.follow(self._gathered(number).frames.rows["event"])
            wanted += oracle.labels
            yield from oracle.problems
            told += oracle.matured
        learned = [decode_examples([example])[0] for example in examples]
        found = [
            (tuple(row["charge"].tolist()), int(row["label"]), int(row["source"]))
            for row in learned
            if row["source"] != CONTROL
        ]
        yield from differences("learned", found, wanted)
        messages = self.broker.committed(self.topics.matured)
        rows = decode_matured([message.value or b"" for message in messages])
        yield from differences("told at its horizon", map(_told, rows), told)

    def _sent(self, number: int) -> Batch:
        """Return the frames of a partition between the stages."""
        return Batch.joined([NO_FRAMES, *_frames_in(self._batches(number))])

    def _batches(self, number: int) -> list[Batch]:
        """Return the messages of a partition between the stages: frames, and parts of vectors."""
        values = [record.value or b"" for record in self._log(self.topics.by_merchant, number)]
        return [
            RowBatch(decode_rows([value], PART_LAYOUT)[0])
            if number_in(value) == PART_LAYOUT.layout.number
            else decode_frames([value])[0]
            for value in values
        ]

    def _gathered(self, number: int) -> Gathered:
        """Return the frames of a partition as they were scored, and what they share with others."""
        gathering = Gathering(TaskState(MemoryStore()), SETTINGS.entities)
        gathered = gathering.take([NO_FRAMES, *self._batches(number)])
        assert len(gathering) == 0, "all parts have come"
        return gathered

    def _told_entities(self) -> Iterator[str]:
        """Compare what entities were told with the frames, and what they answered with that."""
        numbers = range(self.broker.partitions[self.topics.by_entity])
        told, wanted, answers = list[object](), list[object](), list[object]()
        scatter = Scatter(SETTINGS.entities)
        parts = [
            batch.rows
            for number in numbers
            for batch in self._batches(number)
            if isinstance(batch, RowBatch)
        ]
        for number in numbers:
            events = self._entity_events(number)
            told += _entity_events(events[events["kind"] == CHARGE])
            stage = EntityStage(TaskState(MemoryStore()), 1000)
            answers += [part.tobytes() for part in stage.process(events).parts]
            frames = self._sent(number)
            wanted += _entity_events(scatter(frames, np.zeros(len(frames))).events)
        yield from differences("told to an entity", told, wanted)
        found = [part.tobytes() for rows in parts for part in rows]
        yield from differences("answered by an entity", found, answers)

    def _entity_events(self, number: int) -> Rows:
        log = self._log(self.topics.by_entity, number)
        return decode_rows([record.value or b"" for record in log], ENTITY_EVENT_LAYOUT)[0]

    @cached_property
    def _order(self) -> list[Place]:
        """The places of all labels between the stages, those of a charge in their order."""
        partitions = range(self.broker.partitions[self.topics.by_merchant])
        sent = [self._sent(number) for number in partitions]
        return [
            place
            for frames in sent
            for place in _places(frames.at(np.flatnonzero(frames.rows["event"]["kind"] != CHARGE)))
        ]

    def _labels_of(self, number: int) -> Batch:
        """Return the disputes and outcomes of a task, those of each topic in their order."""
        inputs = (
            (decode_disputes, self.topics.disputes),
            (decode_outcomes, self.topics.outcomes),
        )
        return Batch.joined(
            [
                _decoded(decode, topic, number, self._log(topic, number)).batch
                for decode, topic in inputs
            ]
        )

    def _given_up(self) -> set[tuple[str, ...]]:
        """Return topic, partition and offset of the disputes and outcomes that waited in vain."""
        return set(super().rejected()) - set(self.bad())

    def _task(self, number: int, examples: list[bytes], scored: list[bytes]) -> Iterator[str]:
        """Compare the state of a task; add what it should have put out."""
        state = TaskState(MemoryStore())
        stages = TaskStages(state, SETTINGS)
        charges = self._log(self.topics.charges, number)
        stages.card.process(_decoded(decode_charges, self.topics.charges, number, charges).batch)
        for label in self._counted_labels(number):
            stages.card.process(label, is_paused=True)
        if self._log(self.topics.by_merchant, number):
            gathered = self._gathered(number)
            output = stages.merchant.process(
                gathered.frames,
                PriorScorer(FEATURES),
                bare_policy(SETTINGS),
                lambda: 0.0,
                shared=gathered.shared,
            )
            yield from self._told(number, stages.merchant.fraud_value)
            scored += output.scored
            examples += encode_examples(output.examples)
        stages.entities.process(self._entity_events(number))
        stages.flush()
        state.commit(0)
        wanted = dict(state.store.scan(EVERYTHING))
        found = self.restored(number)
        for key in sorted(wanted.keys() | found.keys()):
            is_compared = key[:1] in _TABLES or key.startswith(_FRAUD_VALUE)
            if is_compared and _kept(key, wanted) != _kept(key, found):
                yield f"task {number}: state of {key!r} is not that of an undisturbed run"

    def _told(self, number: int, wanted: fraud_rates.FraudValue) -> Iterator[str]:
        """Look for what a task has told of charges and frauds: as much as it had, and no more."""
        told = [
            fraud_rates.decode(record.value or b"")
            for record in self.broker.committed(self.topics.installation)
            if record.key == fraud_rates.key_of(number)
        ]
        if not told:
            yield f"task {number} has told nothing of fraud"
        for value in told:
            sums, most = (*value.charged, *value.disputed), (*wanted.charged, *wanted.disputed)
            if any(one > other for one, other in zip(sums, most, strict=True)):
                yield f"task {number} has told {value}, and has {wanted}"

    def _counted_labels(self, number: int) -> list[Batch]:
        """Return the disputes and outcomes of a task that count, one by one.

        What one says may depend on what another has said of its charge: those of a charge are in
        the order in which they counted.
        """
        given_up = self._given_up()
        order = {place: at for at, place in enumerate(self._order)}
        labels = self._labels_of(number)
        places = _places(labels)
        counted = [i for i, place in enumerate(places) if tuple(map(str, place)) not in given_up]
        counted.sort(key=lambda i: order.get(places[i], len(order)))
        return [labels.part(i, i + 1) for i in counted]

    def _learned(self, examples: list[bytes]) -> Iterator[str]:
        """Compare every snapshot with that of a learner that learned the same undisturbed."""
        log = self.broker.logs[self.topics.examples, 0]
        offsets = [record.offset for record in log.committed()]
        rows = [(o, decode_examples([e])) for o, e in zip(offsets, examples, strict=True)]
        book = _book(self.broker, self.topics)
        for name, snapshots in _snapshots(self.broker, self.topics).items():
            for loaded, since in groupby(snapshots, lambda snapshot: snapshot.loaded):
                yield from _followed(name, loaded, list(since), rows)
            loads = [loaded for loaded, _ in groupby(s.loaded for s in snapshots)]
            places = [self._loads(name).index(loaded) for loaded in loads]
            if places != sorted(set(places)):
                yield f"{name}: a model loaded earlier came back: {loads}"
            last = book.loaded(name)
            if last is not None and loads[-1] != last.id:
                yield f"{name}: goes on from {loads[-1]!r}, not from {last.id}, which came last"

    def _loads(self, name: str) -> list[str]:
        """Return the ids of the models loaded of a name in their order, none first."""
        key = loaded_key(name)
        records = [r for r in self.broker.committed(self.topics.models) if r.key == key]
        return ["", *(decode_loaded(record.value or b"").id for record in records)]

    def _answers(self) -> list[str]:
        return [_without_time(r.value or b"") for r in self.broker.committed(self.topics.scored)]

    def _log(self, topic: str, number: int) -> list[Record]:
        return self.broker.logs[topic, number].committed()


def has_learned_all(broker: Broker, topics: Topics) -> bool:
    """Tell whether every model goes on from what was loaded, and has learned all examples."""
    examples, book = broker.committed(topics.examples), _book(broker, topics)
    if not examples:
        return True
    end = examples[-1].offset + 1
    newest = [(book.snapshot(name), book.loaded(name)) for name in sorted(MODELS)]
    return all(
        snapshot is not None
        and snapshot.offset == end
        and (loaded is None or snapshot.loaded == loaded.id)
        for snapshot, loaded in newest
    )


def _followed(
    name: str, loaded: str, found: list[Snapshot], rows: list[tuple[int, Rows]]
) -> Iterator[str]:
    """Compare snapshots that go on from one model, or from none, with an undisturbed learner's."""
    (began, *others) = {snapshot.loaded_at for snapshot in found}
    if others:
        yield f"{name}: {loaded} was loaded at {began}, and at {others}"
    start = as_loaded(Loaded(loaded, model(10 + int(loaded, 16))), began) if loaded else None
    learner = LearnerStage(start, len(rows) + 100, name)
    undisturbed = {began: learner.snapshot()} if loaded else {}
    for offset, example in rows:
        if offset >= began:
            learner.learn(example, [offset])
            undisturbed[offset + 1] = learner.snapshot()
    for snapshot in found:
        wanted = undisturbed.get(snapshot.offset)
        if wanted is None or encode_snapshot(wanted) != encode_snapshot(snapshot):
            yield f"the model {snapshot.version} is not that of an undisturbed run"
    reached = [snapshot.offset for snapshot in found]
    if reached != sorted(reached):
        yield f"an older model of {name} came after a newer one: {reached}"


def _book(broker: Broker, topics: Topics) -> ModelBook:
    book = ModelBook()
    book.take((record.key, record.value) for record in broker.committed(topics.models))
    return book


def _snapshots(broker: Broker, topics: Topics) -> dict[str, list[Snapshot]]:
    """Return the snapshots of each model in the order in which they were published."""
    snapshots: dict[str, list[Snapshot]] = {}
    for record in broker.committed(topics.models):
        name = (record.key or b"").decode()
        if name in MODELS:
            snapshots.setdefault(name, []).append(decode_snapshot(record.value or b""))
    return snapshots


def _decoded(decode: Decode, topic: str, number: int, records: list[Record]) -> Decoded:
    inputs = [Input(r.key, r.value, Origin(topic, number, r.offset)) for r in records]
    return decode(inputs, _LATEST)


def _places(labels: Batch) -> list[Place]:
    """Return topic, partition and offset of disputes and outcomes."""
    origins = [decode_label_tail(tail)[0] for tail in labels.tails]
    return [(origin.topic, origin.partition, origin.offset) for origin in origins]


def _kept(key: bytes, state: Mapping[bytes, bytes]) -> object:
    """Return what a state has under a key, without what depends on which topic is read first."""
    value = state.get(key)
    if value is None or key[:1] == WAITING:  # since when
        return value is None
    if key[:1] == CARDS.prefix:
        record = np.frombuffer(value, CARD).copy()
        order = np.lexsort((record["dispute_kinds"][0], record["disputed_at"][0]))
        for name in ("disputed_at", "dispute_kinds"):
            record[name] = record[name][0][order]
        return record.tobytes()
    return value


def _label(example: bytes) -> tuple[object, ...]:
    """Return what is learned of a charge, without when."""
    row = decode_examples([example])[0]
    return (tuple(row["charge"].tolist()), int(row["label"]), row["vector"].tobytes())


def _told(charge: np.void) -> Told:
    """Return what is told of a charge at its horizon."""
    digest = tuple(charge["charge"].tolist())
    return digest, int(charge["seen"]), int(charge["action"]), float(charge["propensity"])


def _frames_in(batches: list[Batch]) -> list[Batch]:
    return [batch for batch in batches if not isinstance(batch, RowBatch)]


def _entity_events(events: Rows) -> list[object]:
    """Return what events tell an entity, without when and whom it answers."""
    names = ("entity", "kind", "duplicate", "key", "charge", "offset", "card", "merchant",
             "amount", "created")  # fmt: skip
    return [tuple(event[name].tobytes() for name in names) for event in events]


def _without_time(scored: bytes) -> str:
    event = orjson.loads(scored)
    del event["scored_at"]
    return repr(sorted(event.items()))
