"""What tasks keep that belongs to no key, when the partitions have become more.

- The clocks of the card stage and stream time are the newest of the tasks that records came from.
- Up to when charges have matured is the earliest of these: timers are taken once, so none is lost
  and none counts twice.
- Layouts of records are those of all of these.
- Reviews that were saved up, and the daily values of charges and frauds, stay where they are: sums
  over all tasks are the same.
- What is watched for drift begins anew: a task that has other merchants has other means.
- Positions stay; a new task begins at the first message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from agents.growing.places import range_of
from agents.stages.card import CLOCKS
from agents.stages.merchant import PROGRESS, Progress
from streams.state.tables import DRIFT, META, Table, layout_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.growing.moves import Changes
    from agents.growing.places import Growth
    from streams.state.store import Readable


def new_standing(stores: Sequence[Readable], growth: Growth) -> Changes:
    """Return what changes in each task; the same when it is asked again later."""
    metas = [Table(store, META) for store in stores]
    changes: Changes = {}
    for task, store in enumerate(stores):
        donors = [metas[other] for other in growth.relatives(task) if other < growth.before]
        wanted = _clocks(donors) | _progress(donors, metas[task])
        for meta in donors:
            wanted |= layout_documents(meta)
        changed: dict[bytes, bytes | None] = {
            META + key: value for key, value in wanted.items() if metas[task].get(key) != value
        }
        changed |= {key: None for key, _ in store.scan(range_of(DRIFT))}
        if changed:
            changes[task] = changed
    return changes


def _clocks(donors: Sequence[Table]) -> dict[bytes, bytes]:
    stored = [orjson.loads(value) for meta in donors if (value := meta.get(CLOCKS)) is not None]
    if not stored:
        return {}
    return {CLOCKS: orjson.dumps([max(times) for times in zip(*stored, strict=True)])}


def _progress(donors: Sequence[Table], own: Table) -> dict[bytes, bytes]:
    stored = [found for meta in donors if (found := _progress_of(meta)) is not None]
    if not stored:
        return {}
    mine = _progress_of(own) or Progress(0.0, 0)
    is_whole = len(stored) == len(donors)
    matured_until = min(found.matured_until for found in stored) if is_whole else 0.0
    stream_time = max(found.stream_time for found in stored)
    progress = Progress(stream_time, mine.review_tokens, matured_until)
    return {PROGRESS: orjson.dumps(list(progress))}


def _progress_of(meta: Table) -> Progress | None:
    stored = meta.get(PROGRESS)
    return None if stored is None else Progress(*orjson.loads(stored))
