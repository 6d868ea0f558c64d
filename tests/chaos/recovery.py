"""How long each kind of fault was felt: by the tasks it hit, and by the others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.chaos.faults import Fault

_SEEN_BEFORE_S = 2.0


@dataclass(frozen=True)
class Passage:
    """A charge's way: its two tasks, when the broker had it, and when its scored event."""

    tasks: tuple[int, int]
    delivered: float
    scored: float


@dataclass(frozen=True)
class Felt:
    """A fault as it was felt.

    Attributes
    ----------
    left
        Charges of the tasks it hit that were in the log and not scored when it came.
    recovery_s
        From the fault until the last of these was scored.
    pause_s
        Longest time in which the other tasks scored nothing until then; `None` without others.
    """

    fault: Fault
    left: int
    recovery_s: float
    pause_s: float | None


def feel(faults: Sequence[Fault], passages: Sequence[Passage]) -> list[Felt]:
    """Find out how each fault was felt."""
    return [_feel(fault, passages) for fault in faults]


def _feel(fault: Fault, passages: Sequence[Passage]) -> Felt:
    hit, others = list[float](), list[float]()
    for passage in passages:
        if passage.scored <= fault.began - _SEEN_BEFORE_S:
            continue
        if not fault.tasks.isdisjoint(passage.tasks):
            if passage.delivered <= fault.began < passage.scored:
                hit.append(passage.scored)
        else:
            others.append(passage.scored)
    end = max(hit, default=fault.began)
    moments = [fault.began, *sorted(t for t in others if fault.began < t < end), end]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    pause_s = max(gaps) if others and len(moments) > 2 else None
    return Felt(fault, len(hit), end - fault.began, pause_s)


def by_kind(felt: Sequence[Felt]) -> dict[str, dict[str, float | None]]:
    """Sum up the faults that came alone, by their kind."""
    groups: dict[str, list[Felt]] = defaultdict(list)
    for one in felt:
        if one.fault.is_alone:
            groups[one.fault.kind].append(one)
    table = {}
    for kind, those in sorted(groups.items()):
        recoveries = [one.recovery_s for one in those]
        pauses = [one.pause_s for one in those if one.pause_s is not None]
        table[kind] = {
            "faults": len(those),
            "recovery_median_s": median(recoveries),
            "recovery_max_s": max(recoveries),
            "pause_median_s": median(pauses) if pauses else None,
            "pause_max_s": max(pauses) if pauses else None,
        }
    return table


def markdown(table: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return the table as it stands in the results."""
    lines = [
        "| fault | times | last waiting charge scored after, median (max) s "
        "| pause of other tasks, median (max) s |",
        "| --- | --- | --- | --- |",
    ]
    for kind, row in table.items():
        recovery = f"{row['recovery_median_s']:.1f} ({row['recovery_max_s']:.1f})"
        pause = "-"
        if row["pause_median_s"] is not None:
            pause = f"{row['pause_median_s']:.2f} ({row['pause_max_s']:.2f})"
        lines.append(f"| {kind} | {row['faults']} | {recovery} | {pause} |")
    return "\n".join(lines)
