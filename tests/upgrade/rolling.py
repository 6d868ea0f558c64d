"""A rolling upgrade to a later version, and back: one worker after the other, under load."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from deploy.local_kafka import LocalKafka
from streams.labels.pending import PENDING_LAYOUT
from streams.wire.frames import FRAME_LAYOUT
from tests.chaos.scene import DRAIN_TIMEOUT_S, Scene
from tests.chaos.traffic import SHORTEST
from tests.chaos.verify import Verifier
from tests.upgrade.day_windows import DayWindows, day_bounds
from tests.upgrade.histories import counted_in, kept_charges, kept_layouts, note, scored_in
from tests.upgrade.later_version import DAY_TILE_S, LATER_DAY_TILE_S
from tests.upgrade.models_of_both import check_models_of_both
from tests.upgrade.new_feature import check_new_feature

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tests.chaos.findings import Findings
    from tests.chaos.oracle import Bounds, Expected, Frame, Input

logger = logging.getLogger(__name__)

_SNAPSHOTS = {"CHARGEWATCH_SNAPSHOT_EVERY_EXAMPLES": "100"}


@dataclass(frozen=True)
class Rolling:
    """What a rolling upgrade is like.

    Attributes
    ----------
    seed
        Of the traffic.
    charges
        Scored after each replacement of a worker.
    rate
        Inputs a second.
    workers, partitions, standbys
        How many.
    rounds
        How often there and back.
    kills
        Whether some workers are replaced after a `kill -9`.
    """

    seed: int
    charges: int = 200
    rate: float = 50.0
    workers: int = 2
    partitions: int = 4
    standbys: int = 0
    rounds: int = 1
    kills: bool = False


def rolling(plan: Rolling, later: Path, directory: Path) -> Findings:
    """Carry it out on a broker of its own.

    Parameters
    ----------
    plan
        What it is like.
    later
        A checkout of the later version.
    directory
        Where the workers have their states and logs.
    """
    random = Random(plan.seed)
    steps = 2 * plan.rounds * plan.workers + 1
    env = _SNAPSHOTS | {"CHARGEWATCH_STANDBY_REPLICAS": str(plan.standbys)}
    size = max(int(1.3 * steps * plan.charges), SHORTEST)
    with (
        LocalKafka() as kafka,
        Scene(kafka, directory, plan.seed, size, plan.rate, plan.partitions, env) as scene,
    ):
        for _ in range(plan.workers):
            scene.fleet.add()
        scene.begin()
        scene.await_scored(plan.charges)
        for source in (later, None) * plan.rounds:
            for slot in scene.fleet.slots:
                kills = plan.kills and random.random() < 0.5
                logger.info("%s: %s version", slot.name, "later" if source else "this")
                scene.fleet.replace(slot, source, kills=kills)
                scene.await_(lambda s=slot: s.is_ready, f"{slot.name}", DRAIN_TIMEOUT_S)  # type: ignore[misc]
                scene.await_recovery()
                scene.await_scored(plan.charges)
        scene.finish(DRAIN_TIMEOUT_S)
        logger.info("verifying %d inputs", len(scene.publishing.sent))
        return _verify(scene)


def _verify(scene: Scene) -> Findings:
    layouts = kept_layouts(scene.logs, scene.topics)
    verifier = Verifier(scene.logs, scene.topics, scene.publishing.sent, layouts)
    findings = verifier.findings
    for end in scene.fleet.ended:
        findings.check("worker ended only when it was stopped", False, end)
    for stop in scene.fleet.stops:
        findings.check("worker stopped in order and in time", stop.is_in_order, stop)

    def bounds_of(inputs: Sequence[Input], frames: Sequence[Frame], expected: Expected) -> Bounds:
        windows = []
        kept = kept_charges(scene.logs, scene.topics, inputs, expected)
        for what, layout_of, ours in (
            ("card", counted_in(frames, expected), FRAME_LAYOUT.layout.number),
            ("merchant", scored_in(kept), PENDING_LAYOUT.layout.number),
        ):
            by_later = {number for number, layout in layout_of.items() if layout != ours}
            note(findings, f"{what}'s charge counted by the later version", len(by_later))
            note(findings, f"{what}'s charge counted by this one", len(layout_of) - len(by_later))
            windows.append(DayWindows(partial(_day_tile_s, by_later)))
        bounds = day_bounds(inputs, frames, expected, *windows)
        for what, of in zip(("card", "merchant"), windows, strict=True):
            note(findings, f"{what}'s window of 24 hours told exactly", of.exact)
            note(findings, f"{what}'s window of 24 hours told by bounds", of.mixed)
        return bounds

    outcome = verifier.outcome(bounds_of)
    if outcome is not None:
        kept = kept_charges(scene.logs, scene.topics, outcome.inputs, outcome.expected)
        check_new_feature(findings, layouts, kept, outcome)
        ours = {n for n, of in scored_in(kept).items() if of == PENDING_LAYOUT.layout.number}
        published = list(scene.logs.committed(scene.topics.models))
        check_models_of_both(findings, published, outcome, ours)
    return findings


def _day_tile_s(by_later: Collection[int], number: int) -> float:
    """Return the tiles that a charge was counted in, seconds."""
    return LATER_DAY_TILE_S if number in by_later else DAY_TILE_S
