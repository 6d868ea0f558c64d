"""The holdout: a small share of what would be stopped is let through at random, to learn from.

What is stopped shows no label. A model that learns only from what it let through forgets what fraud
looks like (selective labels: Lakkaraju et al. 2017, "The selective labels problem"). So a share of
the charges that the model would stop goes through all the same, and what becomes of them stands, by
inverse propensity, for all of them (Horvitz and Thompson 1952).

Which ones is decided by a keyed hash of the charge: a replay draws the same, and nobody without the
key can tell beforehand. A charge can be drawn up to an amount, and while the loss that is expected
of all that its merchant has let through on this day stays within a budget. Neither depends on the
charge's own draw, so every charge that can be drawn is drawn with the same propensity, and it is
told of those that were not drawn as well: without it nobody could say for how many charges the
drawn ones stand.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.stages.decisions import costs_under
from schemas.scored import ALLOW, BY_MODEL
from streams.compiled import compiled
from streams.durations import DAY_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.policy.terms import ChargeTerms
    from streams.events.rows import Rows
    from streams.state.record_cache import Slots

_HASH_BYTES = 8
_HASH_RANGE = 2.0 ** (8 * _HASH_BYTES)


def let_through(
    charges: Rows,
    answers: Rows,
    times: NDArray[np.float64],
    records: Rows,
    slots: Slots,
    terms: ChargeTerms,
    key: bytes,
) -> None:
    """Draw from charges that the model is to stop; allow those drawn.

    Parameters
    ----------
    charges
        EVENT[N].
    answers
        PENDING[N] of them with their actions. `propensity` is set where a charge can be drawn,
        `action` and `withheld` where it is.
    times
        f8[N], stream time at each charge, Unix seconds.
    records, slots
        MERCHANT[M], updated in place, and i8[N], the record of each charge.
    terms
        What a fraud costs, and what may be let through: a share of none draws nothing.
    key
        Of the hash that draws.
    """
    stopped = np.flatnonzero(answers["action"] != ALLOW)
    if not len(stopped):
        return
    by_model = (answers["decided_by"] == BY_MODEL) & (charges["duplicate"] == 0)
    stopped = stopped[by_model[stopped]]
    of_stopped = terms.take(stopped).each
    may_be = of_stopped["holdout_share"] > 0.0
    may_be &= charges["amount"][stopped] <= of_stopped["holdout_amount_max"]
    places = stopped[may_be]
    if not len(places):
        return
    own = terms.take(places)
    shares = own.each["holdout_share"]
    is_chosen = _draws(charges["charge"][places], key) < shares
    losses = costs_under(answers["score"][places], charges["amount"][places], own)[ALLOW]
    days = (times[places] // DAY_S).astype(np.uint64)
    budgets = own.each["holdout_budget"]
    has_room = _have_room(records, slots[places], days, losses, is_chosen, budgets)
    answers["propensity"][places[has_room]] = shares[has_room]
    drawn = places[has_room & is_chosen]
    answers["withheld"][drawn] = answers["action"][drawn]
    answers["action"][drawn] = ALLOW


def _draws(charges: NDArray[np.uint64], key: bytes) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each of u8[N, 2] hashes, f8[N]."""
    raw, size = charges.astype("<u8").tobytes(), 16
    digests = b"".join(
        [
            blake2b(raw[i : i + size], key=key, digest_size=_HASH_BYTES).digest()
            for i in range(0, len(raw), size)
        ]
    )
    return np.frombuffer(digests, "<u8") / _HASH_RANGE


@compiled
def _have_room(
    records: Rows,
    slots: Any,
    days: NDArray[np.uint64],
    losses: NDArray[np.float64],
    is_chosen: NDArray[np.bool_],
    budgets: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell which charges have room in the budget of their merchant and day; the chosen take it."""
    has_room = np.zeros(len(slots), np.bool_)
    for i in range(len(slots)):
        record = records[slots[i]]
        spent = record.holdout_loss if record.holdout_day == days[i] else 0.0
        has_room[i] = spent + losses[i] <= budgets[i]
        if has_room[i] and is_chosen[i]:
            record.holdout_day = days[i]
            record.holdout_loss = spent + losses[i]
    return has_room
