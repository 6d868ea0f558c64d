"""States on disk to look at: one made by the stages, that of the first release, and a mixed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from agents.stages.tasks import STATE_FORMS
from streams.engine.task import LATER_POSITIONS, POSITIONS
from streams.state.rocksdb import RocksStore
from streams.state.tables import META
from tests.agents.stages.stages import Run
from tests.releases.contents import Contents, bytes_of
from tests.releases.make import stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.agents.stages.stages import Message

TOLD = {"charges": 1200, "disputes": 34, "outcomes": 5, "by_merchant": 1234}
TOLD_FIRST = {"charges": 900, "disputes": 21, "by_merchant": 921}
"""Positions in the state of this version, and of the first release, which knew no outcomes."""

AT_A_TIME = 100


def told(store: RocksStore, positions: Mapping[str, int]) -> None:
    """Write positions, as a commit of a worker has them, and go out."""
    first = {source: at for source, at in positions.items() if source != "outcomes"}
    changes = {META + POSITIONS: orjson.dumps(first)}
    if len(first) < len(positions):
        changes[META + LATER_POSITIONS] = orjson.dumps({"outcomes": positions["outcomes"]})
    store.write(changes, [], (store.offset or 0) + 1)
    store.close()


def run_above(path: Path, messages: list[Message]) -> None:
    """Have the stages of this version go on above a database."""
    run = Run(label_horizon_days=4.0, negative_rate=0.5)
    store = RocksStore(path, *STATE_FORMS)
    run.store = store  # type: ignore[assignment]
    run.restart()
    for start in range(0, len(messages), AT_A_TIME):
        run.feed(*messages[start : start + AT_A_TIME])
        run.commit()
    told(store, TOLD)


def present(path: Path) -> None:
    """Write the state of this version."""
    run_above(path, stream())


def first_release(path: Path) -> None:
    """Write the state that the first release left."""
    contents = Contents.read("0.1.0")
    store = RocksStore(path, STATE_FORMS[1])
    changes = {key: value for key, value in map(bytes_of, contents.changelog) if key is not None}
    store.write(changes, [], len(contents.changelog))
    told(store, TOLD_FIRST)


def mixed(path: Path) -> None:
    """Write the state of the first release, from which this version has gone on a little."""
    first_release(path)
    run_above(path, stream()[:AT_A_TIME])


STATES = (present, first_release, mixed)
