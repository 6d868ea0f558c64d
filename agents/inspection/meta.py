"""What a state tells of itself in its table META."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from agents.stages.card import CLOCKS
from agents.stages.daily_fraud_value import days_in
from agents.stages.merchant import PROGRESS, Progress
from streams.engine.task import FIRST_SOURCES, LATER_POSITIONS, POSITIONS, SOURCES
from streams.layouts.layout import LayoutError
from streams.state.tables import META, Table, layouts_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.layouts.layout import Layout
    from streams.state.store import Readable


class Meta(NamedTuple):
    """What is told, `None` where it is not, or cannot be read.

    Attributes
    ----------
    positions
        The offset of the first input of each source that does not count.
    progress
        How far the merchant stage has come.
    clocks
        The newest time of a charge, and of a dispute or outcome, in the card stage, Unix seconds.
    layouts
        The layouts in which records are written, by number.
    faults
        By key, why it cannot be read.
    """

    positions: dict[str, int] | None
    progress: Progress | None
    clocks: tuple[float, float] | None
    layouts: Mapping[int, Layout]
    faults: dict[str, str]


def read_meta(store: Readable) -> Meta:
    """Read what a state tells of itself."""
    table = Table(store, META)
    faults: dict[str, str] = {}

    def read(key: bytes, form: Any) -> Any:
        stored = table.get(key)
        try:
            return None if stored is None else msgspec.json.decode(stored, type=form)
        except msgspec.MsgspecError as error:
            faults[key.decode()] = str(error)
            return None

    positions: dict[str, int] | None = read(POSITIONS, dict[str, int])
    later: dict[str, int] = read(LATER_POSITIONS, dict[str, int]) or {}
    if positions is not None:
        if not positions.keys() >= set(FIRST_SOURCES):
            faults[POSITIONS.decode()] = f"expected those of {', '.join(FIRST_SOURCES)}"
        positions |= later
        positions = {source: positions[source] for source in SOURCES if source in positions}
    progress = read(PROGRESS, Progress)
    clocks = read(CLOCKS, tuple[float, float])
    try:
        days_in(table)
    except msgspec.MsgspecError as error:
        faults["fraud_value/"] = str(error)
    try:
        layouts = layouts_in(table)
    except LayoutError as error:
        layouts = {}
        faults["layout/"] = str(error)
    return Meta(positions, progress, clocks, layouts, faults)
