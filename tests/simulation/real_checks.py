"""What the real stages must have computed: the same as one undisturbed run over the same logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from agents.card import CardBatch
from agents.learner import LearnerStage
from agents.models.prior import PriorScorer
from agents.models.registry import DEFAULT
from agents.tasks import TaskStages
from schemas.snapshot import Snapshot, decode_snapshot, encode_snapshot
from streams.decoding import Decoded, Input, decode_charges, decode_disputes
from streams.features import FEATURES
from streams.frames import Origin, decode_examples, decode_frames, encode_examples
from streams.state import CARDS, DUE, MERCHANTS, ORPHANS, PENDING, SEEN, TaskState
from streams.store import MemoryStore
from tests.simulation.checks import Checks, differences
from tests.simulation.disk import EVERYTHING
from tests.simulation.real_stages import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.topics import Topics
    from tests.simulation.broker import Broker
    from tests.simulation.partition_log import Record

_TABLES = (CARDS, SEEN, MERCHANTS, PENDING, DUE, ORPHANS)
_LATEST = 4e9

MODELS = {DEFAULT, *SETTINGS.challengers}


class RealChecks(Checks):
    """Checks of schedules with the real stages, whose disputes come after all charges."""

    def stages(self) -> Iterator[str]:
        examples: list[bytes] = []
        scored: list[bytes] = []
        for number in range(self.broker.partitions[self.topics.charges]):
            yield from self._task(number, examples, scored)
        found = [record.value or b"" for record in self.broker.committed(self.topics.examples)]
        yield from differences("an example", map(_label, found), map(_label, examples))
        yield from differences("scored so", self._answers(), map(_without_time, scored))
        yield from self._learned(found)

    def _task(self, number: int, examples: list[bytes], scored: list[bytes]) -> Iterator[str]:
        """Compare the state of a task; add what it should have put out."""
        state = TaskState(MemoryStore())
        stages = TaskStages(state, SETTINGS)
        for topic, decode in (
            (self.topics.charges, decode_charges),
            (self.topics.disputes, decode_disputes),
        ):
            decoded = decode(_inputs(topic, number, self._log(topic, number)), _LATEST)
            if len(decoded.rows):
                stages.card.process(_batch(decoded))
        frames = self._log(self.topics.by_merchant, number)
        if frames:
            output = stages.merchant.process(
                [frame.key or b"" for frame in frames],
                decode_frames([frame.value or b"" for frame in frames]),
                PriorScorer(FEATURES),
                lambda: 0.0,
            )
            scored += output.scored
            examples += encode_examples(output.examples)
        stages.flush()
        state.commit(0)
        wanted = dict(state.store.scan(EVERYTHING))
        found = self.restored(number)
        for key in sorted(wanted.keys() | found.keys()):
            if key[:1] in _TABLES and wanted.get(key) != found.get(key):
                yield f"task {number}: state of {key!r} is not that of an undisturbed run"

    def _learned(self, examples: list[bytes]) -> Iterator[str]:
        """Compare every snapshot with that of a learner that learned the same undisturbed."""
        log = self.broker.logs[self.topics.examples, 0]
        offsets = [record.offset for record in log.committed()]
        for name, snapshots in _snapshots(self.broker, self.topics).items():
            learner = LearnerStage(None, len(examples) + 1, name)
            undisturbed: dict[int, Snapshot] = {}
            for offset, example in zip(offsets, examples, strict=True):
                learner.learn(decode_examples([example]), [offset])
                undisturbed[offset + 1] = learner.snapshot()
            for snapshot in snapshots:
                wanted = undisturbed.get(snapshot.offset)
                if wanted is None or encode_snapshot(wanted) != encode_snapshot(snapshot):
                    yield f"the model {snapshot.version} is not that of an undisturbed run"
            reached = [snapshot.offset for snapshot in snapshots]
            if reached != sorted(reached):
                yield f"an older model of {name} came after a newer one: {reached}"

    def _answers(self) -> list[str]:
        return [_without_time(r.value or b"") for r in self.broker.committed(self.topics.scored)]

    def _log(self, topic: str, number: int) -> list[Record]:
        return self.broker.logs[topic, number].committed()


def has_learned_all(broker: Broker, topics: Topics) -> bool:
    """Tell whether the newest snapshot of every model has learned all examples."""
    examples, models = broker.committed(topics.examples), _snapshots(broker, topics)
    end = examples[-1].offset + 1 if examples else 0
    return end == 0 or [models[name][-1].offset for name in sorted(models)] == [end] * len(MODELS)


def _snapshots(broker: Broker, topics: Topics) -> dict[str, list[Snapshot]]:
    """Return the snapshots of each model in the order in which they were published."""
    snapshots: dict[str, list[Snapshot]] = {}
    for record in broker.committed(topics.models):
        snapshot = decode_snapshot(record.value or b"")
        snapshots.setdefault((record.key or b"").decode(), []).append(snapshot)
    return snapshots


def _inputs(topic: str, number: int, records: list[Record]) -> list[Input]:
    return [Input(r.key, r.value, Origin(topic, number, r.offset)) for r in records]


def _batch(decoded: Decoded) -> CardBatch:
    return CardBatch(decoded.rows, decoded.cards, decoded.merchants, decoded.tails)


def _label(example: bytes) -> tuple[object, ...]:
    """Return what is learned of a charge, without when."""
    row = decode_examples([example])[0]
    return (tuple(row["charge"].tolist()), int(row["label"]), row["vector"].tobytes())


def _without_time(scored: bytes) -> str:
    event = orjson.loads(scored)
    del event["scored_at"]
    return repr(sorted(event.items()))
