"""The models while versions with other features take turns in learning them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from streams.features.entities import FEATURE_NAMES
from tests.chaos.models import by_name, check_scores
from tests.upgrade.histories import note
from tests.upgrade.later_version import NEW_FEATURE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from schemas.snapshot import Snapshot
    from tests.chaos.findings import Findings
    from tests.chaos.logs import Read
    from tests.chaos.verify import Outcome


def check_models_learned_on(
    findings: Findings, published: Sequence[Read], outcome: Outcome, ours: Collection[int]
) -> None:
    """Check that every example is learned once, whoever learns, and scores against the models.

    Parameters
    ----------
    findings
        Is told what is found.
    published
        The snapshots in their order.
    outcome
        What they learned and scored.
    ours
        Numbers of the charges that this version has scored.
    """
    offsets = [read.offset for read in outcome.examples]
    models: dict[str, Snapshot] = {}
    for snapshots in by_name(published).values():
        models |= {snapshot.version: snapshot for snapshot in snapshots}
        for snapshot in snapshots:
            learned = sum(offset < snapshot.offset for offset in offsets)
            is_all = snapshot.examples == learned
            found = (snapshot.version, snapshot.examples, learned)
            findings.check("snapshot knows every example before it once", is_all, found)
        for one, next_one in pairwise(snapshots):
            goes_on = one.offset <= next_one.offset
            findings.check("snapshot goes on from the one before", goes_on, next_one.version)
        is_last = snapshots[-1].offset == offsets[-1] + 1
        findings.check("last snapshot knows all examples", is_last, snapshots[-1].version)
    check_scores(findings, models, outcome, ours)


def check_models_of_both(
    findings: Findings, published: Sequence[Read], outcome: Outcome, ours: Collection[int]
) -> None:
    """Do as `check_models_learned_on`, and check that both versions have learned."""
    check_models_learned_on(findings, published, outcome, ours)
    for name, snapshots in by_name(published).items():
        for snapshot in snapshots:
            of_this = set(FEATURE_NAMES)
            is_known = set(snapshot.features) in (of_this, of_this | {NEW_FEATURE})
            findings.check("snapshot is of the features of a version", is_known, snapshot.version)
        of_later = sum(NEW_FEATURE in snapshot.features for snapshot in snapshots)
        note(findings, f"snapshot of {name} by the later version", of_later)
        note(findings, f"snapshot of {name} by this version", len(snapshots) - of_later)
