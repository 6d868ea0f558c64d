"""The models of a run, compared with learners that nothing disturbs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from agents.learning.learner import LearnerStage
from agents.models.kinds import scorer
from schemas.snapshot import Snapshot, decode_snapshot
from streams.features.entities import FEATURES
from streams.wire.examples import decode_examples

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from streams.layouts.reader import Reader
    from tests.chaos.findings import Findings
    from tests.chaos.logs import Read
    from tests.chaos.verify import Outcome

_CHUNK = 2000


def check_models(
    findings: Findings, published: Sequence[Read], outcome: Outcome, reader: Reader
) -> None:
    """Check every snapshot against a learner that nothing disturbs, and scores against it.

    Parameters
    ----------
    findings
        Is told what is found.
    published
        The snapshots in their order.
    outcome
        What they learned and scored.
    reader
        Of the examples.
    """
    models: dict[str, Snapshot] = {}
    for name, found in by_name(published).items():
        ends = {snapshot.offset for snapshot in found}
        wanted = {s.offset: s for s in _replay(name, outcome.examples, ends, reader)}
        models |= {snapshot.version: snapshot for snapshot in wanted.values()}
        for snapshot in found:
            other = wanted.get(snapshot.offset)
            is_same = other is not None and _is_same(snapshot, other)
            findings.check("snapshot is that of an undisturbed run", is_same, snapshot.version)
        is_last = found[-1].offset == outcome.examples[-1].offset + 1
        findings.check("last snapshot knows all examples", is_last, found[-1].version)
    check_scores(findings, models, outcome, outcome.vectors)


def check_scores(
    findings: Findings,
    models: Mapping[str, Snapshot],
    outcome: Outcome,
    numbers: Collection[int],
) -> None:
    """Check the scores of some charges against those of the models they name, by their versions."""
    by_version: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for event in outcome.scored:
        number = event["number"]
        if number in numbers and number not in outcome.expected.duplicates:
            by_version[event["model"]].append((number, event["score"]))
    for version, answers in by_version.items():
        model = scorer(models.get(version), FEATURES)
        findings.check("model is known", model.version == version, version)
        scores = model.predict(np.array([outcome.vectors[number] for number, _ in answers]))
        for score, (number, answer) in zip(scores.tolist(), answers, strict=True):
            is_same = abs(score - answer) <= 1e-8
            findings.check("score is the model's", is_same, (number, score, answer))


def by_name(published: Iterable[Read]) -> dict[str, list[Snapshot]]:
    """Return the snapshots of each model in their order."""
    snapshots: dict[str, list[Snapshot]] = defaultdict(list)
    for read in published:
        snapshots[(read.key or b"").decode()].append(decode_snapshot(read.value or b""))
    return snapshots


def _is_same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots say the same, as far as versions that wrote them say it at all."""
    both = sorted(one.state.keys() & other.state.keys())
    states = [msgspec.json.encode([s.state[name] for name in both]) for s in (one, other)]
    bare = [msgspec.structs.replace(snapshot, state={}) for snapshot in (one, other)]
    return bare[0] == bare[1] and states[0] == states[1]


def _replay(
    name: str, examples: Sequence[Read], ends: set[int], reader: Reader
) -> Iterable[Snapshot]:
    """Learn the examples in order and yield the snapshots at the offsets that are asked for."""
    learner = LearnerStage(None, len(examples) + 1, name)
    start = 0
    for end, read in enumerate(examples, 1):
        if read.offset + 1 in ends or end == len(examples) or end - start == _CHUNK:
            batch = decode_examples([part.value or b"" for part in examples[start:end]], reader)
            learner.learn(batch, [part.offset for part in examples[start:end]])
            start = end
            if read.offset + 1 in ends:
                yield learner.snapshot()
