"""An upgrade at once: all workers of an earlier version are stopped, and this one goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local_kafka import LocalKafka
from schemas.charge import Charge
from streams.labels.pending import PENDING_LAYOUT
from streams.layouts.layout import number_in
from streams.wire.examples import EXAMPLE_LAYOUT, decode_examples
from streams.wire.frames import FRAME_LAYOUT
from tests.chaos.fleet import delete_state
from tests.chaos.models import by_name
from tests.chaos.scene import DRAIN_TIMEOUT_S, Scene
from tests.chaos.traffic import SHORTEST
from tests.chaos.verify import Verifier
from tests.upgrade.day_windows import FAILED_CHECKS
from tests.upgrade.histories import (
    kept_charges,
    kept_layouts,
    note,
    numbers_by_hash,
    scored_in,
)
from tests.upgrade.models_of_both import check_models_learned_on

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.chaos.findings import Findings
    from tests.chaos.logs import Read
    from tests.chaos.oracle import Bounds, Expected
    from tests.chaos.traffic import Event
    from tests.chaos.verify import Outcome

logger = logging.getLogger(__name__)

_ATTEMPTS = 10
_SNAPSHOTS = {"CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "100"}
_FLYING = "frame of the version before in flight"


@dataclass(frozen=True)
class StopStart:
    """What an upgrade at once is like.

    Attributes
    ----------
    seed
        Of the traffic.
    charges
        Scored before the upgrade, and after it.
    rate
        Inputs a second.
    workers, partitions
        How many.
    kills
        Whether the workers are stopped by `kill -9`.
    loses_state
        Whether the local state is deleted with them.
    """

    seed: int
    charges: int = 700
    rate: float = 100.0
    workers: int = 2
    partitions: int = 4
    kills: bool = False
    loses_state: bool = False


def stop_start(plan: StopStart, before: Path, directory: Path) -> Findings:
    """Carry it out on a broker of its own.

    Parameters
    ----------
    plan
        What it is like.
    before
        A checkout of the version before.
    directory
        Where the workers have their states and logs.
    """
    size = max(int(2.5 * plan.charges), SHORTEST)
    with (
        LocalKafka() as kafka,
        Scene(kafka, directory, plan.seed, size, plan.rate, plan.partitions, _SNAPSHOTS) as scene,
    ):
        for _ in range(plan.workers):
            scene.fleet.add(before)
        scene.begin()
        scene.await_scored(plan.charges)
        flying = _stop_in_flight(scene, before, kills=plan.kills)
        logger.info("stopped: %d messages of frames are in flight", len(flying))
        with scene.publishing.held():
            scene.publishing.retry(scene.watcher.scored.keys())
            for slot in scene.fleet.slots:
                if plan.loses_state:
                    delete_state(slot)
            for _ in scene.fleet.slots:
                scene.fleet.add()
            for slot in scene.fleet.slots:
                scene.await_(lambda s=slot: s.is_ready, slot.name, DRAIN_TIMEOUT_S)  # type: ignore[misc]
        scene.await_recovery()
        scene.await_scored(plan.charges)
        scene.finish(DRAIN_TIMEOUT_S)
        logger.info("verifying %d inputs", len(scene.publishing.sent))
        return _verify(scene, flying)


def _stop_in_flight(scene: Scene, before: Path, *, kills: bool) -> list[Read]:
    """Stop all workers with inputs left, and such that frames are left; return these."""
    for _ in range(_ATTEMPTS):
        scene.make_busy(set(range(scene.partitions)))
        scene.fleet.remove_all(kills=kills)
        flying = scene.logs.uncounted(scene.topics.by_merchant)
        if flying:
            return flying
        for _ in scene.fleet.slots:
            scene.fleet.add(before)
        scene.await_recovery()
    raise AssertionError("the workers leave no frames behind")


def _verify(scene: Scene, flying: list[Read]) -> Findings:
    verifier = Verifier(
        scene.logs, scene.topics, scene.publishing.sent, kept_layouts(scene.logs, scene.topics)
    )
    findings = verifier.findings
    note(
        findings,
        _FLYING,
        sum(number_in(read.value or b"") != FRAME_LAYOUT.layout.number for read in flying),
    )
    for end in scene.fleet.ended:
        findings.check("worker ended only when it was stopped", False, end)
    for stop in scene.fleet.stops:
        findings.check("worker stopped in order and in time", stop.is_in_order, stop)
    outcome = verifier.outcome(_bounds)
    if outcome is None:
        return findings
    published = list(scene.logs.committed(scene.topics.models))
    kept = kept_charges(scene.logs, scene.topics, outcome.inputs, outcome.expected)
    ours = PENDING_LAYOUT.layout.number
    of_before = {number for number, layout in scored_in(kept).items() if layout != ours}
    check_models_learned_on(findings, published, outcome, kept.keys() - of_before)
    _check_carried_over(findings, outcome, kept.keys(), of_before)
    newest_before = [
        read
        for read in outcome.examples
        if number_in(read.value or b"") != EXAMPLE_LAYOUT.layout.number
    ][-1]
    for name, snapshots in by_name(published).items():
        is_before = [s.offset <= newest_before.offset + 1 for s in snapshots]
        note(findings, f"snapshot of {name} before the upgrade", sum(is_before))
        note(findings, f"snapshot of {name} after it", len(is_before) - sum(is_before))
    return findings


def _bounds(_: object, __: object, expected: Expected) -> Bounds:
    """Bound what the version before did not count: it begins with the upgrade."""
    values = expected.features.items()
    return {number: {FAILED_CHECKS: (0.0, of[FAILED_CHECKS])} for number, of in values}


def _check_carried_over(
    findings: Findings, outcome: Outcome, kept: Collection[int], of_before: Collection[int]
) -> None:
    """Check that this version had to do with what the version before has left."""
    note(findings, "charge scored by the version before", len(of_before))
    note(findings, "charge scored by this version", len(kept) - len(of_before))
    events = {item.sent.number: item.sent.event for item in outcome.inputs}
    charges_before = {_name(events[number]) for number in of_before}
    repeats = [
        frame.number
        for frame in outcome.frames
        if frame.layout == FRAME_LAYOUT.layout.number
        and frame.is_duplicate
        and _name(events[frame.number]) in charges_before
    ]
    note(findings, "retry of a charge scored before the upgrade", len(repeats))
    numbers = numbers_by_hash(outcome.inputs, outcome.expected)
    for label in (0, 1):
        learned = [
            example
            for read in outcome.examples
            if number_in(read.value or b"") == EXAMPLE_LAYOUT.layout.number
            for example in decode_examples([read.value or b""])
            if example["label"] == label
            and numbers[example["charge"].astype(">u8").tobytes()] in of_before
        ]
        what = f"example of label {label} of a charge scored before the upgrade"
        note(findings, what, len(learned))


def _name(event: Event | None) -> tuple[str, str] | None:
    """Return what tells a charge from others."""
    return (event.card, event.id) if isinstance(event, Charge) else None
