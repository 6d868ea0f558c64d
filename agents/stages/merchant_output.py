"""What the merchant stage gives for a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
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
    to tell of fraud in another hour of stream time, `None` in the same.
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
    told_value: FraudValue | None = None

    @property
    def actions(self) -> npt.NDArray[np.uint8]:
        """The codes of the actions, u1[N]."""
        actions: npt.NDArray[np.uint8] = self.answers["action"]
        return actions

    @property
    def shifts(self) -> list[Shift]:
        """What has drifted."""
        return [shift for block in self.finished for shift in block.shifts]
