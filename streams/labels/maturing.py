"""What is known of charges when their label horizon has passed, for the estimates of the actions.

Whose label is seen must not depend on the label. That holds of what goes through by its action,
and of the holdout, which is drawn at random. It does not hold of a challenge that was passed, as
genuine cardholders pass and frauds fail; nor of a verdict, which is an analyst's word and sometimes
wrong; nor of a charge that somebody let through against its action, for reasons of their own: its
like that was drawn stands for it already. So each of these is told as unseen, once, whatever labels
come of it.

====================================  ==========================================================
a charge at its horizon               what is told
====================================  ==========================================================
to be stopped, and not drawn          unseen, with its propensity; counts for 1
found to be a fraud before            a fraud; counts for 1
went through, and silent              genuine; counts for the inverse of `negative_rate`, if it
                                      was sampled; drawn ones all are, and count for 1
stopped by others, or its money       nothing: it has no label, and is in no estimate
went back
====================================  ==========================================================
"""

import numpy as np
import numpy.typing as npt

from schemas.scored import ALLOW
from streams.events.rows import Rows
from streams.labels.pending import IN_TIME
from streams.wire.matured import FRAUD, GENUINE, MATURED_LAYOUT, UNSEEN

KEPT_BEFORE = 0
"""The card of a charge that an earlier version kept: of such nothing is told."""


def is_stopped(kept: Rows) -> npt.NDArray[np.bool_]:
    """Tell which of PENDING[N] were to be stopped, and were not drawn."""
    stopped: npt.NDArray[np.bool_] = (kept["action"] != ALLOW) & (kept["propensity"] < 1.0)
    return stopped


def is_timed(kept: Rows) -> npt.NDArray[np.bool_]:
    """Tell which of PENDING[N] have had a timer since they were kept, whatever came of them."""
    timed: npt.NDArray[np.bool_] = (kept["stands_for"] > 0.0) | is_stopped(kept)
    return timed


def matured_charges(
    kept: Rows, hashes: npt.NDArray[np.uint64], is_negative: npt.NDArray[np.bool_]
) -> Rows:
    """Tell what is known of charges whose horizon has passed.

    Parameters
    ----------
    kept
        PENDING[N].
    hashes
        u8[N, 2] of the charges.
    is_negative
        bool[N], which of them are made negatives now.

    Returns
    -------
    MATURED_CHARGE[M]
        In the same order, without those of which nothing is told.
    """
    unseen = is_stopped(kept)
    is_fraud = ~unseen & (kept["labels"] & IN_TIME != 0)
    is_genuine = ~unseen & ~is_fraud & is_negative
    told = np.flatnonzero((unseen | is_fraud | is_genuine) & (kept["card"] != KEPT_BEFORE))
    charges = MATURED_LAYOUT.new(len(told))
    seen = np.where(is_fraud, FRAUD, np.where(is_genuine, GENUINE, UNSEEN))
    charges["seen"] = seen[told]
    charges["charge"] = hashes[told]
    charges["counts"] = np.where(seen == GENUINE, kept["stands_for"], 1.0)[told]
    is_drawn = kept["withheld"] != ALLOW
    charges["action"] = np.where(is_drawn, kept["withheld"], kept["action"])[told]
    goes_through = (kept["action"] == ALLOW) & ~is_drawn
    charges["propensity"] = np.where(goes_through, 1.0, kept["propensity"])[told]
    for name in ("card", "created", "score", "rules", "decided_by"):
        charges[name] = kept[name][told]
    return charges
