"""What shared entities are told of charges that were scored before: blocked, or judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from schemas.scored import BLOCK
from streams.events.rows import STOPPED
from streams.labels.pending import hashes_in
from streams.wire.entity_events import ENTITY_EVENT_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.shared_entities.columns import Columns
    from streams.events.rows import Rows
    from streams.labels.disputes import Judged
    from streams.labels.kept import KeptCharges
    from streams.labels.lookup import Times

NOTHING_TOLD: Rows = ENTITY_EVENT_LAYOUT.new(0)


def entity_news(
    columns: Columns,
    charges: Rows,
    answers: Rows,
    times: Times,
    judged: Sequence[Judged],
    kept: KeptCharges,
    *,
    is_advisory: bool,
) -> Rows:
    """Return what the entities of charges are told, ENTITY_EVENT[M].

    Parameters
    ----------
    columns
        Of the entities.
    charges, answers
        EVENT[N] and PENDING[N] of a batch, of which those count as blocked that are no duplicates.
    times
        f8[N], stream time at each, Unix seconds.
    judged
        Charges that were found to be frauds by now, or whose disputes were won.
    kept
        Has these.
    is_advisory
        Whether nobody carries the actions out, so that nothing is blocked.
    """
    is_blocked = (answers["action"] == BLOCK) & (charges["duplicate"] == 0)
    blocked = np.flatnonzero(is_blocked & (not is_advisory))
    if not len(blocked) and not judged:
        return NOTHING_TOLD
    keys = [each.key for each in judged]
    return np.concatenate(
        (
            columns.events(
                answers["entity_keys"][blocked],
                charges["charge"][blocked],
                np.full(len(blocked), STOPPED),
                times[blocked],
            ),
            columns.events(
                kept.charges(keys)["entity_keys"],
                hashes_in(keys),
                np.array([each.kind for each in judged], np.uint8),
                np.array([each.at for each in judged]),
            ),
        )
    )
