"""What the merchant stage gives for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from agents.drift.monitor import Finished, Shift
    from agents.policy.fraud_rates import FraudValue
    from streams.events.headers import Headers
    from streams.events.rejected import Rejected
    from streams.events.rows import Rows


@dataclass(slots=True)
class MerchantOutput:
    """What a batch gives: scored events with keys, examples, inputs given up on, finished days.

    `headers` are those of the scored events, `None` where none has any; `heads` are how they begin,
    as `schemas.scored.begin_scored` returned it; `answers` are the charges, PENDING[N]; `matured`
    are those whose horizon has passed, MATURED_CHARGE[M]; `disputed_blocks` is how many charges
    were disputed as fraud that were blocked, as far as is known; `told_value` is what the task has
    to tell of fraud in another hour of stream time, `None` in the same; `entity_events` is what
    shared entities are told of charges that were blocked or judged, ENTITY_EVENT[K].
    """

    keys: list[bytes]
    scored: list[bytes]
    headers: list[Headers] | None
    heads: list[bytes]
    answers: Rows
    examples: Rows
    matured: Rows
    rejected: list[Rejected]
    finished: list[Finished]
    disputed_blocks: int
    entity_events: Rows
    told_value: FraudValue | None = None

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join what parts of a batch gave, one after the other."""
        if len(parts) == 1:
            return parts[0]
        told = [part.told_value for part in parts if part.told_value is not None]
        return cls(
            keys=[key for part in parts for key in part.keys],
            scored=[event for part in parts for event in part.scored],
            headers=_joined_headers(parts),
            heads=[head for part in parts for head in part.heads],
            answers=np.concatenate([part.answers for part in parts]),
            examples=np.concatenate([part.examples for part in parts]),
            matured=np.concatenate([part.matured for part in parts]),
            rejected=[each for part in parts for each in part.rejected],
            finished=[each for part in parts for each in part.finished],
            disputed_blocks=sum(part.disputed_blocks for part in parts),
            entity_events=np.concatenate([part.entity_events for part in parts]),
            told_value=told[-1] if told else None,
        )

    @property
    def actions(self) -> npt.NDArray[np.uint8]:
        """The codes of the actions, u1[N]."""
        actions: npt.NDArray[np.uint8] = self.answers["action"]
        return actions

    @property
    def shifts(self) -> list[Shift]:
        """What has drifted."""
        return [shift for block in self.finished for shift in block.shifts]


def _joined_headers(parts: Sequence[MerchantOutput]) -> list[Headers] | None:
    """Return the headers of all scored events, `None` where none has any."""
    if all(part.headers is None for part in parts):
        return None
    return [own for part in parts for own in part.headers or [()] * len(part.scored)]
